"""Workers as processes of their own: they are killed, stopped, deaf and cut off, and no job is lost or done twice."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from django.db import connection

from rushes.jobs.ledger import enqueue
from rushes.jobs.models import Job, JobLog, Status, Worker
from tests.jobs import kinds  # noqa: F401  # registers its kind
from tests.jobs.conftest import StartWorker, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

LIMIT_S = 60.0  # of what takes a few seconds on a quiet machine


def put(**script: object) -> Job:
    return enqueue("scripted", args=script)


def status_of(job: Job) -> str:
    job.refresh_from_db()
    return job.status


def wait_for(job: Job, status: Status, limit_s: float = LIMIT_S) -> None:
    wait_until(lambda: status_of(job) == status, limit_s, f"{job} is {status}")


def commits(job: Job) -> int:
    return JobLog.objects.filter(job=job, text__startswith="committed").count()


def test_a_burst_of_several_workers_does_every_job_once(start_worker: StartWorker) -> None:
    jobs = [put() for _ in range(30)]
    workers = [start_worker("--burst") for _ in range(2)]
    assert [worker.wait(LIMIT_S) for worker in workers] == [0, 0]
    assert [(status_of(job), commits(job)) for job in jobs] == [(Status.COMPLETED, 1)] * 30


def test_a_worker_that_is_stopped_in_the_middle_of_a_commit_does_not_keep_its_locks(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite cannot take a lock away from anybody")
    sleeper = start_worker()
    job = put(do="slow commit", s=1, once=True)
    wait_until(
        lambda: "commits slowly" in (tmp_path / "worker-0").read_text(), LIMIT_S, "it is in its transaction"
    )
    sleeper.send_signal(signal.SIGSTOP)
    start_worker()
    wait_for(job, Status.COMPLETED)
    sleeper.send_signal(signal.SIGCONT)
    sleeper.send_signal(signal.SIGTERM)
    assert sleeper.wait(LIMIT_S) == 0
    assert (job.claim, commits(job)) == (2, 1)


@pytest.mark.parametrize("do", ["sleep", "deaf"])
def test_sigterm_gives_back_what_runs_at_no_cost(start_worker: StartWorker, do: str) -> None:
    worker = start_worker()
    job = put(do=do, s=120)
    wait_for(job, Status.PROCESSING)
    worker.terminate()
    assert worker.wait(15) == 0  # three times the promise
    assert status_of(job) == Status.PENDING
    assert (job.interruptions, job.failures) == (0, 0)
    assert Worker.objects.get().stopped_at is not None


def test_what_a_handler_says_is_seen_while_it_runs(start_worker: StartWorker) -> None:
    start_worker()
    job = put(do="say", s=120)
    wait_until(
        lambda: status_of(job) == Status.PROCESSING and job.progress_percentage == 42, LIMIT_S, "progress"
    )
    assert job.message == "Half of it"
    wait_until(lambda: JobLog.objects.filter(job=job, text="a line").exists(), LIMIT_S, "its log")


def test_a_lease_is_kept_for_longer_than_it_lasts(start_worker: StartWorker) -> None:
    start_worker()
    job = put(do="deaf", s=5)
    wait_for(job, Status.COMPLETED)
    assert job.claim == 1


def test_a_worker_outlives_the_loss_of_its_connections(start_worker: StartWorker) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connections that could be lost")
    worker = start_worker()
    job = put(do="deaf", s=2)
    wait_for(job, Status.PROCESSING)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    wait_for(job, Status.COMPLETED)
    assert job.claim == 1
    later = put()
    wait_for(later, Status.COMPLETED)
    assert later.claim == 1
    assert worker.poll() is None


def test_a_database_that_is_locked_for_long_costs_no_attempt(start_worker: StartWorker) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("of SQLite alone")
    worker = start_worker()
    job = put(do="deaf", s=0.5)
    wait_for(job, Status.PROCESSING)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        time.sleep(1.5)  # the state that is waited for is that of waiting
        cursor.execute("COMMIT")
    wait_for(job, Status.COMPLETED)
    assert (job.claim, job.failures) == (1, 0)
    assert worker.poll() is None


def test_an_unknown_queue_is_refused_by_name(start_worker: StartWorker) -> None:
    assert start_worker("--burst", "--queues", "contorl=2").wait(LIMIT_S) != 0
