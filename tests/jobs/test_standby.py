"""Beside an engine: an embedded worker while it is away, which gives back what it does; and a process that is kept."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import psutil
import pytest

from rushes.jobs.clock import FromNow
from rushes.jobs.delivery import sidecar, standby
from rushes.jobs.delivery.engine import Engine, EngineAway
from rushes.jobs.delivery.standby import Standby
from rushes.jobs.ledger import enqueue
from rushes.jobs.models import Job, Status
from rushes.jobs.queues import TRANSCODE
from tests.jobs import kinds  # noqa: F401  # registers its kind
from tests.jobs.conftest import wait_until

LIMIT_S = 30.0


class Fickle(Engine):
    """Is away until it is told to be there."""

    title = "The engine"
    server = "nowhere"
    away = True

    def send(self, queue: str, count: int = 1) -> None: ...

    def waiting(self) -> dict[str, int]:
        if self.away:
            raise EngineAway("it does not answer")
        return {}


@pytest.mark.django_db(transaction=True)
def test_what_the_embedded_worker_does_is_given_back_also_when_the_engine_is_back(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.RUSHES_HANDLER_MODULES = ["tests.jobs.kinds"]
    engine = Fickle()
    standing = Standby(engine)
    thread = threading.Thread(target=standing.run)
    thread.start()
    job = enqueue("scripted", args={"do": "sleep", "s": 120})

    def status() -> str:
        return Job.objects.get(pk=job.pk).status

    wait_until(lambda: status() == Status.PROCESSING, LIMIT_S, "the embedded worker has it")
    engine.away = False
    wait_until(lambda: "is back" in caplog.text, LIMIT_S, "the engine is back")
    assert status() == Status.PROCESSING
    standing.stop()
    thread.join(LIMIT_S)
    assert status() == Status.PENDING
    assert Job.objects.get().interruptions == 0


@pytest.mark.django_db(transaction=True)
def test_it_works_beside_a_worker_that_takes_nothing_until_that_takes_something(
    settings: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RUSHES_HANDLER_MODULES = ["tests.jobs.kinds"]
    monkeypatch.setattr(standby, "STILL_S", 0.5)
    monkeypatch.setattr(standby, "LOOK_S", 0.05)
    engine = Fickle()
    engine.away = False
    standing = Standby(engine, name="a library's", slots={TRANSCODE.name: 1})
    thread = threading.Thread(target=standing.run)
    thread.start()
    try:
        taken = enqueue("scripted", args={"do": "sleep", "s": 0.1})
        wait_until(
            lambda: Job.objects.get(pk=taken.pk).status == Status.COMPLETED, LIMIT_S, "somebody has done it"
        )
        assert "a library's takes none of the work that waits" in caplog.text
        Job.objects.filter(pk=taken.pk).update(
            status=Status.PROCESSING, worker="a library's", lease_until=FromNow(600)
        )
        wait_until(lambda: "is back" in caplog.text, LIMIT_S, "the embedded worker ends")
    finally:
        standing.stop()
        thread.join(LIMIT_S)


def test_the_process_beside_a_worker_is_started_again_and_ends_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sidecar, "PAUSE_S", 0.01)
    for name, value in {"DJANGO_SETTINGS_MODULE": "rushes.config.settings", "RUSHES_DELIVERY": "q2"}.items():
        monkeypatch.setenv(name, value)
    beside = sidecar.Sidecar("a worker", {"control": 1}, embeds=False)
    try:
        first = beside._pid
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: beside._pid not in (0, first), LIMIT_S, "there is another")
        second = psutil.Process(beside._pid)
    finally:
        beside.stop()
    assert not second.is_running()
