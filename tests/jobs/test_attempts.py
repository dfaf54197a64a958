"""How an attempt ends, by what its handler does; workers here are threads of the test."""

from __future__ import annotations

import time
from typing import Any

import pytest

from rushes.jobs.handlers import Claimed
from rushes.jobs.ledger import cancel, claim, enqueue, heartbeat, queue_position, sweep
from rushes.jobs.models import Job, JobLog, Status
from rushes.jobs.queues import TRANSCODE, WAITING, Priority
from rushes.jobs.reporting import Held, Running
from rushes.jobs.slots import UnknownQueue, parse_slots
from rushes.jobs.worker import Worker
from tests.jobs import kinds  # registers its kind

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]


@pytest.fixture(autouse=True)
def handlers_of_the_tests(settings: Any) -> None:
    settings.RUSHES_HANDLER_MODULES = ["tests.jobs.kinds"]


def after_a_burst(do: str) -> Job:
    job = enqueue("scripted", args={"do": do})
    assert Worker(burst=True).run() == 0
    job.refresh_from_db()
    return job


@pytest.mark.parametrize(
    ("do", "sentence"), [("error", "ValueError: as told"), ("bad commit", "ValueError: cannot")]
)
def test_an_error_is_an_attempt_and_leaves_its_traceback(do: str, sentence: str) -> None:
    job = after_a_burst(do)
    assert (job.status, job.failures) == (Status.PENDING, 1)
    assert job.error.startswith(sentence)
    assert any("raise ValueError" in line.text for line in JobLog.objects.filter(job=job, level="error"))
    assert not JobLog.objects.filter(job=job, text__startswith="committed").exists()


def test_what_cannot_be_mended_is_told_in_its_own_words() -> None:
    job = after_a_burst("unmendable")
    assert (job.status, job.error) == (Status.FAILED, "This is no video.")
    assert JobLog.objects.filter(job=job, text="failed for good: This is no video.").exists()


def test_a_killed_program_is_an_interruption_and_the_second_waits_a_breath() -> None:
    job = enqueue("scripted", args={"do": "interrupted"})
    Worker(burst=True).run()
    job.refresh_from_db()
    assert (job.status, job.failures) == (Status.PENDING, 0)
    assert 2 <= job.interruptions < 10


def test_a_kind_that_this_worker_does_not_know_is_left_for_one_that_does() -> None:
    job = enqueue("of tomorrow", queue=TRANSCODE)
    Worker(burst=True).run()
    job.refresh_from_db()
    assert job.status == Status.PENDING


def test_a_wish_after_a_cancellation_is_a_job_of_its_own() -> None:
    first = enqueue("scripted", key="k")
    assert claim([TRANSCODE.name], "w") is not None
    cancel([first.pk])
    assert enqueue("scripted", key="k").pk != first.pk


def test_a_wish_for_what_runs_makes_it_urgent_if_it_should_come_back() -> None:
    first = enqueue("scripted", key="k")
    assert claim([TRANSCODE.name], "w") is not None
    enqueue("scripted", key="k", queue=WAITING, priority=Priority.WAITED_FOR)
    first.refresh_from_db()
    assert (first.status, first.priority, first.queue) == (Status.PROCESSING, 0, WAITING.name)


def test_children_stand_where_their_parent_stood_and_what_is_put_off_stands_nowhere() -> None:
    older, younger = enqueue("scripted", group="a"), enqueue("scripted", group="b")
    Job.objects.filter(pk=older.pk).update(status=Status.COMPLETED)
    enqueue("scripted", group="a", parent=older.pk)
    enqueue("scripted", group="c", run_after_s=3600)
    assert [queue_position(group) for group in "abc"] == [1, 2, None]
    assert younger.pk > older.pk


def test_a_late_thread_of_an_old_claim_is_not_the_new_one() -> None:
    enqueue("scripted")
    old = claim([TRANSCODE.name], "w")
    assert old is not None
    Job.objects.update(status=Status.PENDING, lease_until=None)
    new = claim([TRANSCODE.name], "w")
    assert new is not None
    held, late, fresh = Held(), Running(old), Running(new)
    held.add(late)
    held.add(fresh)
    held.take_note(heartbeat(held.jobs()))
    assert late.cancel.is_set()
    assert not fresh.cancel.is_set()
    held.remove(late)
    assert held.all() == [fresh]


def test_what_cannot_be_written_now_is_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    enqueue("scripted")
    job = claim([TRANSCODE.name], "w")
    assert isinstance(job, Claimed)
    running = Running(job)
    running.log("a line")

    def away(*_: object) -> None:
        raise OSError("away")

    with monkeypatch.context() as outage:
        outage.setattr("rushes.jobs.endings.write_lines", away)
        with pytest.raises(OSError, match="away"):
            running.write()
    running.write()
    assert JobLog.objects.get().text == "a line"


def test_a_job_whose_time_comes_is_run_then() -> None:
    job = enqueue("scripted", run_after_s=1.0)
    deadline_s = time.monotonic() + 30
    while job.status != Status.COMPLETED:
        assert time.monotonic() < deadline_s
        Worker(burst=True).run()
        job.refresh_from_db()
    assert job.started_at is not None
    assert job.started_at >= job.run_after


def test_queues_and_slots_as_people_write_them() -> None:
    assert parse_slots("control=2, video:waiting=1") == {"control": 2, "video:waiting": 1}
    assert parse_slots("control") == {"control": 2}
    for wrong in ("control=0", "control=x", "control=", ""):
        with pytest.raises(ValueError, match=r"write a queue|No queue"):
            parse_slots(wrong)
    with pytest.raises(UnknownQueue, match="video:waiting"):
        parse_slots("waiting=1")


def test_one_poisoned_job_whose_owner_cannot_be_told_does_not_hold_up_the_sweep(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.JOBS_MAX_INTERRUPTIONS, settings.JOBS_LEASE_S = 1, -1.0

    def cannot_be_told(_handler: object, job: Claimed, _reason: str) -> None:
        if job.id == bad.pk:
            raise ValueError("no")

    monkeypatch.setattr(kinds.Scripted, "failed", cannot_be_told)
    bad, good = enqueue("scripted"), enqueue("scripted")
    assert claim([TRANSCODE.name], "w") is not None
    assert claim([TRANSCODE.name], "w") is not None
    assert sweep() == 1
    for job in (bad, good):
        job.refresh_from_db()
    assert (bad.status, good.status) == (Status.PROCESSING, Status.FAILED)
