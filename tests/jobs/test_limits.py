"""What a job, and a worker, may take: time, attempts, numbers of jobs; and what a worker is called."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rushes.jobs import reporting
from rushes.jobs.ledger import enqueue
from rushes.jobs.models import Job, JobLog, Status, Worker
from rushes.jobs.queues import CONTROL, SPRITE, TRANSCODE
from rushes.jobs.worker import Worker as WorkerLoop
from tests.jobs import kinds  # registers its kind
from tests.jobs.conftest import StartWorker, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

LIMIT_S = 60.0
DEAF_FOR_S = 15


@pytest.fixture(autouse=True)
def handlers_of_the_tests(settings: Any) -> None:
    settings.RUSHES_HANDLER_MODULES = ["tests.jobs.kinds"]


def put(**script: object) -> Job:
    return enqueue("scripted", args=script)


def status_of(job: Job) -> str:
    job.refresh_from_db()
    return job.status


def commits(job: Job) -> int:
    return JobLog.objects.filter(job=job, text__startswith="committed").count()


# Time


def test_an_attempt_past_its_limit_is_ended_and_counts_as_a_failure(settings: Any) -> None:
    settings.JOBS_QUEUES = {TRANSCODE.name: {"limit_s": 0.2, "attempts": 2, "backoff_s": 0.0}}
    job = put(do="sleep", s=600)
    assert WorkerLoop(burst=True).run() == 0
    assert status_of(job) == Status.FAILED
    assert (job.failures, job.interruptions, commits(job)) == (2, 0, 0)
    assert job.error == "This took longer than the 0.2 s that it may take, and was ended."
    assert JobLog.objects.filter(job=job, text=f"failed for good: {job.error}").exists()


def test_a_kind_may_have_a_limit_of_its_own(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds.Scripted, "limit_s", 0.2)
    job = put(do="sleep", s=600)
    WorkerLoop(burst=True).run()
    assert (status_of(job), job.failures) == (Status.PENDING, 1)


def test_what_is_within_its_limit_is_left_alone(settings: Any) -> None:
    settings.JOBS_QUEUES = {SPRITE.name: {"limit_s": 0.1}}
    job = put(do="sleep", s=1.5)
    WorkerLoop(burst=True).run()
    assert status_of(job) == Status.COMPLETED


def test_one_that_does_not_hear_fails_and_its_worker_ends_after_the_others(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that hangs goes only with its process: the worker ends in order, and is started again."""
    monkeypatch.setattr(reporting, "DEAF_S", 0.5)
    settings.JOBS_QUEUES = {SPRITE.name: {"limit_s": 0.2, "attempts": 1}}
    deaf = enqueue("scripted", queue=SPRITE, args={"do": "deaf", "s": DEAF_FOR_S})
    other = put(do="sleep", s=3)
    began_s = time.monotonic()
    assert WorkerLoop().run() == 0
    assert time.monotonic() - began_s < DEAF_FOR_S
    assert (status_of(deaf), deaf.failures) == (Status.FAILED, 1)
    assert status_of(other) == Status.COMPLETED
    for thread in threading.enumerate():  # of this test alone: it must not be at the database of the next
        if thread.name.startswith("job-"):
            thread.join(LIMIT_S)
    assert status_of(deaf) == Status.FAILED, "its late end has changed something"


# Numbers of jobs


def test_a_worker_ends_in_order_after_as_many_jobs_as_it_was_told(start_worker: StartWorker) -> None:
    jobs = [put(do="sleep", s=0.2) for _ in range(5)]
    worker = start_worker("--max-jobs", "3")
    assert worker.wait(LIMIT_S) == 0
    states = [status_of(job) for job in jobs]
    assert sorted(states) == [Status.COMPLETED] * 3 + [Status.PENDING] * 2
    assert all(job.interruptions == 0 for job in jobs)
    assert Worker.objects.get().stopped_at is not None
    assert start_worker("--burst", "--max-jobs", "0").wait(LIMIT_S) == 0
    assert [status_of(job) for job in jobs] == [Status.COMPLETED] * 5


def test_the_number_of_jobs_may_come_from_the_environment(start_worker: StartWorker) -> None:
    jobs = [put() for _ in range(3)]
    assert start_worker(RUSHES_WORKER_MAX_JOBS="1").wait(LIMIT_S) == 0
    assert [status_of(job) for job in jobs].count(Status.COMPLETED) == 1


# Names and queues


def test_a_worker_is_called_by_its_id_in_its_row_and_in_those_of_its_jobs(start_worker: StartWorker) -> None:
    start_worker("--burst", WORKER_ID="studio-1").wait(LIMIT_S)
    job = put()
    assert start_worker("--burst", WORKER_ID="studio-1").wait(LIMIT_S) == 0  # again: the same row
    assert (status_of(job), job.worker) == (Status.COMPLETED, "studio-1")
    row = Worker.objects.get()
    assert row.name == "studio-1"
    assert row.stopped_at is not None
    assert start_worker("--burst", "--name", "attic", WORKER_ID="studio-1").wait(LIMIT_S) == 0
    assert set(Worker.objects.values_list("name", flat=True)) == {"studio-1", "attic"}


def test_a_worker_that_comes_back_under_its_name_is_alive_again(start_worker: StartWorker) -> None:
    first = start_worker("--name", "studio-1")
    first.terminate()
    first.wait(LIMIT_S)
    before = Worker.objects.get()
    second = start_worker("--name", "studio-1", wait=False)
    wait_until(lambda: Worker.objects.get().stopped_at is None, LIMIT_S, "it has signed on")
    assert Worker.objects.get().started_at > before.started_at
    assert second.poll() is None


def test_two_of_one_name_do_every_job_once_and_say_that_they_share_it(
    start_worker: StartWorker, said_by: Callable[[int], str]
) -> None:
    jobs = [put(do="sleep", s=0.3) for _ in range(12)]
    start_worker("--name", "twin")
    start_worker("--name", "twin", wait=False)
    wait_until(lambda: all(status_of(job) == Status.COMPLETED for job in jobs), LIMIT_S, "all are done")
    assert [commits(job) for job in jobs] == [1] * 12
    wait_until(lambda: "WORKER_ID of its own" in said_by(1), LIMIT_S, "the second says it")


def test_queues_are_named_with_their_colons_and_only_those_are_served(start_worker: StartWorker) -> None:
    mine, sprite, control = put(), enqueue("scripted", queue=SPRITE), enqueue("scripted", queue=CONTROL)
    assert start_worker("--burst", "--queues", "video:transcode=2, image:sprite").wait(LIMIT_S) == 0
    assert [status_of(job) for job in (mine, sprite, control)] == ["completed", "completed", "pending"]
    assert Worker.objects.get().queues == {"video:transcode": 2, "image:sprite": 2}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--queues", "transcode=2"), "There is no queue 'transcode'; there are control, video:waiting"),
        (("--queues", "video:transcode=many"), "as video:transcode=2"),
        (("--max-jobs", "some"), "some"),
    ],
)
def test_what_is_no_queue_or_number_is_refused_in_words(
    start_worker: StartWorker, said_by: Callable[[int], str], arguments: tuple[str, ...], sentence: str
) -> None:
    assert start_worker("--burst", *arguments).wait(LIMIT_S) != 0
    assert sentence in said_by(0)
    assert "Traceback" not in said_by(0)


# The slow poll


def test_without_a_wake_up_a_worker_looks_again_after_the_poll_interval(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes due wakes nobody: how late it is found is the interval's doing."""
    asked: list[float] = []

    class Told(Exception):
        pass

    def wait(_waker: object, timeout_s: float) -> bool:
        asked.append(timeout_s)
        if len(asked) == 3:
            raise Told
        return False

    monkeypatch.setattr("rushes.jobs.delivery.database.DataVersionWaker.wait", wait)
    monkeypatch.setattr("rushes.jobs.delivery.database.ListenWaker.wait", wait)
    settings.JOBS_POLL_S = 7.5
    with pytest.raises(Told):
        WorkerLoop().run()
    assert asked == [7.5] * 3


def test_the_poll_interval_of_the_environment_finds_what_comes_due(start_worker: StartWorker) -> None:
    start_worker(POLL_INTERVAL="0.2")
    job = enqueue("scripted", run_after_s=1.0)
    wait_until(lambda: status_of(job) == Status.COMPLETED, LIMIT_S, "it came due and was found")


# CPU slots


def test_workers_of_one_host_share_its_cpu_slots(start_worker: StartWorker, tmp_path: Path) -> None:
    """Three processes with two threads each: never more than the two slots of the host are held at once."""
    jobs = [put(do="slot", s=0.2) for _ in range(18)]
    # Locks of their own: other encoders on this machine would take slots away.
    slots = {"RUSHES_CPU_SLOTS": "2", "RUSHES_LOCK_FOLDER": str(tmp_path / "locks")}
    workers = [start_worker("--burst", **slots) for _ in range(3)]
    assert [worker.wait(LIMIT_S) for worker in workers] == [0, 0, 0]
    stays = []
    for job in jobs:
        assert status_of(job) == Status.COMPLETED
        text = JobLog.objects.get(job=job, text__startswith="committed").text
        entered, left, pid = text.removeprefix("committed ").split()
        stays.append((float(entered), float(left), int(pid)))
    assert len({pid for _, _, pid in stays}) > 1, "one worker did all of it: nothing is shown"
    assert os.getpid() not in {pid for _, _, pid in stays}
    most = max(sum(entered <= moment < left for entered, left, _ in stays) for moment, _, _ in stays)
    assert most == 2
