"""What is ended when a worker of a library does not end, and what is not."""

from __future__ import annotations

import signal
import threading

import pytest

from rushes.jobs.delivery import lastword

rq = pytest.importorskip("rushes.jobs.delivery.rq")


@pytest.mark.parametrize(("horse", "killed"), [(0, []), (None, []), (4711, [(4711, signal.SIGKILL)])])
def test_a_worker_of_rq_without_a_job_kills_nobody(
    horse: int | None, killed: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """RQ's own `kill_horse` takes process group 0: ours."""
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(rq.os, "killpg", lambda *said: found.append(said))
    worker = rq.TranscodeWorker.__new__(rq.TranscodeWorker)
    worker._horse_pid = horse
    worker.end_horse()
    assert found == killed


def test_the_last_word_is_said_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lastword, "STOP_LIMIT_S", 0.05)
    said = threading.Event()
    lastword.speak_later(said.set)
    assert said.wait(20)
