"""The ledger: nothing is lost, nothing is done twice, whoever claims, dies, sleeps or comes late."""

from __future__ import annotations

import random
import threading
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, transaction

from rushes.jobs import claims, endings, retention
from rushes.jobs.clock import now
from rushes.jobs.endings import StaleClaim
from rushes.jobs.handlers import Claimed
from rushes.jobs.ledger import cancel, cancel_group, enqueue, queue_position, retry
from rushes.jobs.models import Job, JobLog, Status
from rushes.jobs.queues import CONTROL, TRANSCODE, WAITING, Priority
from tests.jobs import kinds  # noqa: F401  # registers its kind

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]
HERE = [TRANSCODE.name]


def put(**arguments: object) -> Job:
    return enqueue("scripted", **arguments)  # type: ignore[arg-type]


def status_of(job: Job) -> str:
    job.refresh_from_db()
    return job.status


def expire(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=now() - timedelta(seconds=1))


def test_the_best_job_is_claimed_first_and_the_older_of_equals() -> None:
    late, first, second = put(), put(priority=Priority.FIRST), put(priority=Priority.FIRST)
    taken = [claims.claim(HERE, "w") for _ in range(3)]
    assert [job.id for job in taken if job] == [first.pk, second.pk, late.pk]
    assert claims.claim(HERE, "w") is None


def test_only_jobs_of_the_asked_queues_whose_time_has_come_are_claimed() -> None:
    put(queue=WAITING)
    put(run_after_s=60)
    assert claims.claim(HERE, "w") is None
    assert claims.claim([CONTROL.name, WAITING.name], "w") is not None


def test_a_claim_of_many_workers_at_once_is_one_worker_s() -> None:
    jobs = {put().pk for _ in range(40)}
    taken: list[int] = []

    def work() -> None:
        while job := claims.claim(HERE, "w"):
            taken.append(job.id)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(jobs)


def test_what_is_rolled_back_was_never_enqueued() -> None:
    with transaction.atomic():
        put()
        transaction.set_rollback(True)
    assert not Job.objects.exists()


def test_one_open_job_per_key_and_a_wish_moves_it_to_the_front() -> None:
    first = put(key="chunk:1")
    again = put(key="chunk:1", queue=WAITING, priority=Priority.WAITED_FOR)
    assert again.pk == first.pk
    assert (again.queue, again.priority) == (WAITING.name, Priority.WAITED_FOR)
    job = claims.claim([WAITING.name], "w")
    assert job is not None
    endings.complete(job, lambda: None)
    assert put(key="chunk:1").pk != first.pk


def test_a_stale_holder_changes_nothing() -> None:
    row = put()
    stale = claims.claim(HERE, "slow")
    assert stale is not None
    expire(row)
    assert claims.sweep() == 1
    fresh = claims.claim(HERE, "quick")
    assert fresh is not None
    assert fresh.claim == stale.claim + 1
    committed: list[str] = []
    with pytest.raises(StaleClaim):
        endings.complete(stale, lambda: committed.append("stale"))
    with pytest.raises(StaleClaim):
        endings.fail(stale, "late", mendable=False)
    assert not endings.progress(stale, 50)
    assert claims.give_back(stale, interruption=True) is None
    assert claims.heartbeat([stale, fresh]).lost == {(stale.id, stale.claim)}
    assert endings.complete(fresh, lambda: committed.append("fresh")) == Status.COMPLETED
    assert committed == ["fresh"]


def test_a_commit_that_raises_leaves_the_job_open() -> None:
    row = put()
    job = claims.claim(HERE, "w")
    assert job is not None

    def commit() -> None:
        JobLog.objects.create(job_id=job.id, claim=job.claim, text="half")
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        endings.complete(job, commit)
    assert status_of(row) == Status.PROCESSING
    assert not JobLog.objects.exists()


def test_errors_spend_attempts_and_wait_longer_each_time() -> None:
    row = put()
    waits = []
    for attempt in range(3):
        job = claims.claim(HERE, "w")
        assert job is not None
        assert job.failures == attempt
        before = now()
        endings.fail(job, "no luck", mendable=True)
        row.refresh_from_db()
        waits.append((row.run_after - before).total_seconds())
        Job.objects.filter(pk=row.pk).update(run_after=now() - timedelta(seconds=1))
    assert row.status == Status.FAILED
    assert 1.9 < waits[0] < 4 < waits[1] + 0.2
    assert row.error == "no luck"


def test_what_cannot_be_mended_fails_at_once_and_tells_its_owner_in_the_same_transaction() -> None:
    row = put()
    job = claims.claim(HERE, "w")
    assert job is not None
    told: list[str] = []
    endings.fail(job, "This is no video.", mendable=False, on_failed=lambda: told.append("owner"))
    assert status_of(row) == Status.FAILED
    assert told == ["owner"]


def test_interruptions_spend_no_attempt_but_ten_of_them_are_poison() -> None:
    row = put()
    for _ in range(9):
        assert claims.claim(HERE, "w") is not None
        expire(row)
        claims.sweep()
        assert status_of(row) == Status.PENDING
    assert row.failures == 0
    assert claims.claim(HERE, "w") is not None
    expire(row)
    claims.sweep()
    assert status_of(row) == Status.FAILED
    assert "interrupted 10 times" in row.error
    assert JobLog.objects.filter(text__startswith="failed for good").exists()


def test_a_graceful_stop_counts_for_nothing() -> None:
    row = put()
    for _ in range(12):
        job = claims.claim(HERE, "w")
        assert job is not None
        claims.give_back(job, interruption=False)
    assert status_of(row) == Status.PENDING
    assert row.interruptions == 0


def test_cancelling_ends_pending_jobs_at_once_and_running_ones_through_their_holder() -> None:
    waiting, running = put(group="7", run_after_s=60), put(group="7")
    job = claims.claim(HERE, "w")
    assert job is not None
    assert cancel_group("7") == 2
    assert status_of(waiting) == Status.CANCELLED
    assert claims.heartbeat([job]).cancelled == {(job.id, job.claim)}
    assert endings.complete(job, lambda: pytest.fail("committed")) == Status.CANCELLED
    assert cancel([running.pk]) == 0
    assert retry(running.pk)
    assert status_of(running) == Status.PENDING


def test_a_heartbeat_keeps_a_lease() -> None:
    row = put()
    job = claims.claim(HERE, "w")
    assert job is not None
    expire(row)
    beat = claims.heartbeat([job])
    assert not beat.lost
    assert claims.sweep() == 0


def test_a_duty_has_one_holder_at_a_time() -> None:
    assert claims.take_duty("sweep", "a", 60)
    assert claims.take_duty("sweep", "a", 60)
    assert not claims.take_duty("sweep", "b", 60)
    assert claims.take_duty("sweep", "a", -1)
    assert claims.take_duty("sweep", "b", 60)


def test_the_queue_position_is_among_groups_with_open_work() -> None:
    put(group="a")
    put(group="a")
    put(group="b")
    assert [queue_position(group) for group in "abc"] == [1, 2, None]


def test_ended_jobs_are_kept_for_a_while_and_children_as_long_as_their_root(
    settings: pytest.FixtureRequest,
) -> None:
    root, old, new = put(), put(), put()
    child = put(parent=root.pk)
    ended = {"status": Status.COMPLETED, "finished_at": now() - timedelta(days=2)}
    Job.objects.filter(pk__in=[old.pk, child.pk]).update(**ended)
    Job.objects.filter(pk=new.pk).update(status=Status.FAILED, finished_at=now() - timedelta(days=2))
    assert retention.prune() == 1
    assert set(Job.objects.values_list("pk", flat=True)) == {root.pk, new.pk, child.pk}
    Job.objects.filter(pk=root.pk).update(**ended)
    retention.prune()
    assert set(Job.objects.values_list("pk", flat=True)) == {new.pk}


def test_of_completed_jobs_the_newest_thousand_are_kept(settings: object) -> None:
    settings.JOBS_QUEUES = {"video:transcode": {"keep_completed": 3}}  # type: ignore[attr-defined]
    for age in range(6):
        job = put()
        Job.objects.filter(pk=job.pk).update(
            status=Status.COMPLETED, finished_at=now() - timedelta(seconds=age)
        )
    retention.prune()
    assert Job.objects.count() == 3


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_in_whatever_order_a_job_is_committed_once(seed: int) -> None:
    """Workers that die, wake up late, fail and are interrupted, in a random order of steps."""
    draw = random.Random(seed)
    rows = [put(max_failures=1000) for _ in range(5)]
    held: list[Claimed] = []
    committed: dict[int, int] = {row.pk: 0 for row in rows}
    for _ in range(250):
        step = draw.choice(["claim", "claim", "complete", "fail", "give back", "expire", "sweep"])
        if step == "claim" and (job := claims.claim(HERE, f"w{draw.random()}")):
            held.append(job)
        elif step == "expire":
            expire(draw.choice(rows))
        elif step == "sweep":
            Job.objects.filter(status=Status.PENDING).update(run_after=now(), interruptions=0)
            claims.sweep()
        elif held:
            job = draw.choice(held)  # of all that were ever held: most are stale
            try:
                if step == "complete":
                    endings.complete(job, partial(committed.update, {job.id: committed[job.id] + 1}))
                elif step == "fail":
                    endings.fail(job, "x", mendable=True)
                elif step == "give back":
                    claims.give_back(job, interruption=draw.random() < 0.5)
            except StaleClaim:
                pass
    for row in rows:
        row.refresh_from_db()
        assert committed[row.pk] == (row.status == Status.COMPLETED)
        assert row.status in (Status.PENDING, Status.PROCESSING, Status.COMPLETED)
