"""The table of queues, what settings change in it, and that it holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rushes.jobs import claims, endings, retention
from rushes.jobs.clock import FromNow, now
from rushes.jobs.ledger import enqueue
from rushes.jobs.models import Job, Status
from rushes.jobs.queues import QUEUES, SPRITE, TRANSCODE, Queue, queue_named, table
from rushes.jobs.slots import UnknownQueue, default_slots, parse_slots
from rushes.jobs.worker import Worker
from tests.jobs import kinds  # noqa: F401  # registers its kind

database = [pytest.mark.django_db(transaction=True), pytest.mark.databases]
DAY_S = 86_400


@pytest.fixture(autouse=True)
def handlers_of_the_tests(settings: Any) -> None:
    settings.RUSHES_HANDLER_MODULES = ["tests.jobs.kinds"]


def marked(test: Any) -> Any:
    for mark in database:
        test = mark(test)
    return test


def test_the_table_is_that_of_the_seed() -> None:
    """Seed 002: queues, concurrency, and the default job options of all of them."""
    theirs = {
        "video:transcode": 2,
        "video:trickplay": 2,
        "video:subtitle": 4,
        "image:poster": 4,
        "image:sprite": 2,
        "image:optimize": 4,
    }
    assert {name: QUEUES[name].concurrency for name in theirs} == theirs
    assert set(QUEUES) - set(theirs) == {"control", "video:waiting"}
    for queue in QUEUES.values():
        assert (queue.attempts, queue.backoff_s) == (3, 2.0)
        assert (queue.keep_completed_s, queue.keep_completed, queue.keep_failed_s) == (
            DAY_S,
            1_000,
            7 * DAY_S,
        )


def test_settings_change_a_row_and_leave_the_others(settings: Any) -> None:
    settings.JOBS_QUEUES = {"image:sprite": {"concurrency": 1, "attempts": 5}}
    assert (queue_named("image:sprite").concurrency, queue_named("image:sprite").attempts) == (1, 5)
    assert {name: queue for name, queue in table().items() if queue != QUEUES[name]} == {
        "image:sprite": queue_named("image:sprite")
    }
    assert default_slots()["image:sprite"] == 1
    assert parse_slots("image:sprite,video:transcode=7") == {"image:sprite": 1, "video:transcode": 7}


@pytest.mark.parametrize(
    "text", ["", "video:transcode=0", "video:transcode=x", "control,control=2", "control="]
)
def test_slots_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"named|write|twice"):
        parse_slots(text)


def test_an_unknown_queue_is_told_with_those_that_there_are() -> None:
    with pytest.raises(UnknownQueue, match=r"^There is no queue 'transcode'; there are .*video:transcode"):
        parse_slots("transcode=2")


@marked
@pytest.mark.parametrize("name", QUEUES)
def test_a_worker_serves_every_queue_of_the_table(name: str) -> None:
    job = enqueue("scripted", queue=QUEUES[name])
    assert Worker(burst=True).run() == 0
    job.refresh_from_db()
    assert (job.status, job.max_failures) == (Status.COMPLETED, 3)


@marked
def test_jobs_of_kinds_without_a_handler_wait_and_hold_up_nobody() -> None:
    """Kinds of the next version, or of workers that have what this one has not."""
    strangers = [enqueue("sprite of tomorrow", queue=SPRITE, priority=0) for _ in range(5)]
    mine = enqueue("scripted", queue=SPRITE)
    assert Worker(burst=True).run() == 0
    mine.refresh_from_db()
    assert mine.status == Status.COMPLETED
    for job in strangers:
        job.refresh_from_db()
        assert (job.status, job.claim) == (Status.PENDING, 0)


@marked
def test_attempts_and_backoff_are_those_of_the_settings(settings: Any) -> None:
    settings.JOBS_QUEUES = {"video:transcode": {"attempts": 2, "backoff_s": 100.0}}
    job = enqueue("scripted")
    for expected_s in (100, None):
        Job.objects.filter(pk=job.pk).update(run_after=FromNow())
        held = claims.claim([TRANSCODE.name], "w")
        assert held is not None
        status = endings.fail(held, "no", mendable=True)
        job.refresh_from_db()
        if expected_s is None:
            assert status == Status.FAILED
        else:
            assert expected_s - 10 < (job.run_after - now()).total_seconds() <= expected_s


@marked
def test_each_queue_forgets_after_its_own_time(settings: Any) -> None:
    settings.JOBS_QUEUES = {
        "image:sprite": {"keep_completed_s": 60.0, "keep_failed_s": 3_600.0},
        "image:poster": {"keep_completed": 0},
    }

    def ended(queue: str, status: Status, age_s: float) -> int:
        job = enqueue("scripted", queue=Queue(name=queue, concurrency=1))
        Job.objects.filter(pk=job.pk).update(status=status, finished_at=now() - timedelta(seconds=age_s))
        return job.pk

    done, failed = Status.COMPLETED, Status.FAILED
    forgotten = [
        ended("image:sprite", done, 100),
        ended("image:sprite", failed, 4_000),
        ended("image:poster", done, 1),
        ended("video:transcode", done, DAY_S + 100),
        ended("video:transcode", failed, 7 * DAY_S + 100),
        ended("a queue of yesterday", done, DAY_S + 100),
        ended("a queue of yesterday", failed, 7 * DAY_S + 100),
    ]
    kept = [
        ended("image:sprite", done, 30),
        ended("image:sprite", failed, 3_000),
        ended("image:poster", failed, 100),
        ended("video:transcode", done, DAY_S - 100),
        ended("video:transcode", failed, 7 * DAY_S - 100),
        ended("a queue of yesterday", failed, 100),
    ]
    assert retention.prune() == len(forgotten)
    assert set(Job.objects.values_list("pk", flat=True)) == set(kept)
