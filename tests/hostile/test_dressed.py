"""Files that name others, dressed as a video: nothing else is read, nobody is asked, and the uploader is told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rushes.engine import sandbox
from tests.hostile.dressed import DRESSED
from tests.hostile.meeting import Listener, listening, meet

WALL_S = 20  # a fifo that is opened would wait for ever: the run's own limits are longer than this


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with listening() as heard:
        yield heard


@pytest.fixture(params=["in the sandbox", "without a sandbox"])
def held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """ffmpeg's own guards have to do alone on a kernel that offers nothing."""
    if request.param == "without a sandbox":
        nothing = sandbox.Abilities(landlock_abi=0, seccomp=False)
        monkeypatch.setattr(sandbox, "abilities", lambda: nothing)
    return str(request.param)


@pytest.mark.parametrize("trick", DRESSED)
def test_what_it_names_is_neither_read_nor_asked_for(
    trick: str, held: str, tmp_path: Path, listener: Listener, clip: Callable[..., Path]
) -> None:
    beside = tmp_path / "another uploader"
    beside.mkdir()
    victim = beside / "victim.mp4"
    if held == "without a sandbox":
        os.mkfifo(victim)  # whoever opens it waits for a writer, for ever
    else:
        victim.write_bytes(clip(size=(320, 180), duration_s=2).read_bytes())  # it would be seen in the plan
    upload = tmp_path / "upload.mp4"
    upload.write_bytes(DRESSED[trick](victim, listener.address))
    met = meet(upload, tmp_path / "work")
    assert met.wall_s < WALL_S
    assert listener.heard == []
    assert met.plan is None or all(rung.width <= 64 for rung in met.plan.rungs)  # the victim has 320
    if met.plan is None:
        assert len(met.sentence) > 20
        assert "\n" not in met.sentence
        assert str(tmp_path) not in met.sentence
