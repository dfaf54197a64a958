import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rushes.engine.settings import Settings
from rushes.engine.slots import Slots
from rushes.play import events
from tests.play.serving import opener, serving, stopped_encoders

SMALL = Settings(rungs=(180, 144), copy=False)


def snapshots(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in answer.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_events_tell_of_every_rung_until_all_is_there(
    clip: Callable[..., Path], tmp_path: Path, slots_of_one: Slots
) -> None:
    with (
        stopped_encoders(slots_of_one) as release,
        serving(opener(clip(duration_s=6), tmp_path / "out", settings=SMALL, slots=slots_of_one)) as served,
        httpx.stream("GET", f"{served.url}/events", timeout=60) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = snapshots(answer)
        first = next(snapshot for snapshot in told if snapshot["state"] == "encoding")
        assert [(rung["name"], rung["fed"], rung["there"]) for rung in first["rungs"]] == [
            ("180p", False, []),
            ("144p", True, []),
        ]
        assert first["duration_s"] == pytest.approx(6, abs=0.1)
        release()
        last = next(snapshot for snapshot in told if snapshot["state"] == "finished")
        assert last["progress"] == 1
        assert [(rung["fed"], rung["complete"], rung["there"]) for rung in last["rungs"]] == [
            (True, True, [[0, 1]]),
            (True, True, [[0, 1]]),
        ]
        assert last["failures"] == []


def test_a_connection_on_which_nothing_happens_is_kept_alive(
    clip: Callable[..., Path], tmp_path: Path, slots_of_one: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.05)
    with (
        stopped_encoders(slots_of_one),
        serving(opener(clip(), tmp_path / "out", settings=SMALL, slots=slots_of_one)) as served,
        httpx.stream("GET", f"{served.url}/events", timeout=60) as answer,
    ):
        assert any(line.startswith(":") for line in answer.iter_lines())


def test_what_an_earlier_run_left_is_told_as_there(
    clip: Callable[..., Path], tmp_path: Path, slots_of_one: Slots
) -> None:
    source = clip(duration_s=6)
    with serving(opener(source, tmp_path / "out", settings=SMALL)) as served:
        assert served.session.join(60)
    with (
        stopped_encoders(slots_of_one),
        serving(opener(source, tmp_path / "out", settings=SMALL, slots=slots_of_one)) as served,
    ):
        assert served.session
        status = httpx.get(f"{served.url}/status").json()
        assert [rung["there"] for rung in status["rungs"]] == [[[0, 1]], [[0, 1]]]
