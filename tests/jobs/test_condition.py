"""What check_worker is told of the delivery."""

from __future__ import annotations

from typing import Any

import pytest

from rushes.jobs.delivery import condition as looked_at
from rushes.jobs.delivery.engine import Engine, EngineAway


class Fake(Engine):
    """Answers with a number, or not at all."""

    title = "RQ"

    def __init__(self, waiting: int | None) -> None:
        self._waiting = waiting

    @property
    def server(self) -> str:
        """See Engine."""
        return "Redis at 127.0.0.1:1"

    def send(self, queue: str, count: int = 1) -> None:
        """Not asked for here."""
        raise NotImplementedError

    def waiting(self) -> dict[str, int]:
        """See Engine."""
        if self._waiting is None:
            raise EngineAway(f"{self.server} does not answer: refused")
        return {"control": self._waiting, "video:transcode": 1}


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Any:
    def choose(engine: Engine | None) -> looked_at.Condition:
        monkeypatch.setattr(looked_at, "chosen", lambda: engine)
        return looked_at.condition()

    return choose


def test_the_database_needs_nothing_else(chosen: Any) -> None:
    assert chosen(None) == looked_at.Condition(name="database")


def test_an_engine_that_answers_says_what_waits(chosen: Any) -> None:
    (line,) = chosen(Fake(2)).lines
    assert (line.healthy, line.text) == (
        True,
        "RQ answers (Redis at 127.0.0.1:1); wake-ups that nobody has taken yet: 3",
    )


def test_an_engine_that_is_away_is_an_alarm(chosen: Any) -> None:
    (line,) = chosen(Fake(None)).lines
    assert not line.healthy
    assert line.text.startswith("Redis at 127.0.0.1:1 does not answer")
