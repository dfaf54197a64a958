"""Which job is claimed, and that a long table makes that no slower."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, connections, transaction

from rushes.jobs import claims
from rushes.jobs.ledger import claim, enqueue
from rushes.jobs.models import Job, Status
from rushes.jobs.queues import CONTROL, QUEUES, TRANSCODE, WAITING
from tests.jobs import kinds  # noqa: F401  # registers its kind

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

LIMIT_S = 30.0
MANY = 5000


def claimed_of(*names: str) -> int | None:
    job = claim(names, "w")
    return job.id if job else None


def test_of_all_queues_the_most_urgent_is_claimed_and_of_those_the_oldest() -> None:
    late = enqueue("scripted", queue=TRANSCODE, priority=50)
    first = enqueue("scripted", queue=WAITING, priority=10)
    second = enqueue("scripted", queue=CONTROL, priority=10)
    enqueue("scripted", queue=WAITING, priority=0, run_after_s=3600)
    enqueue("of tomorrow", queue=CONTROL, priority=0)
    order = [claimed_of(*QUEUES) for _ in range(4)]
    assert order == [first.pk, second.pk, late.pk, None]


def test_of_other_queues_nothing_is_claimed() -> None:
    job = enqueue("scripted", queue=CONTROL, priority=0)
    assert claimed_of(TRANSCODE.name, WAITING.name) is None
    assert claimed_of() is None
    assert claimed_of(CONTROL.name) == job.pk


def test_what_somebody_writes_at_this_moment_is_passed_by() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite locks no rows")
    urgent = enqueue("scripted", queue=WAITING, priority=0)
    other = enqueue("scripted", queue=TRANSCODE, priority=50)
    locked, over = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with transaction.atomic():
            Job.objects.select_for_update().get(pk=urgent.pk)
            locked.set()
            over.wait(LIMIT_S)
        connections.close_all()

    thread = threading.Thread(target=write_slowly)
    thread.start()
    locked.wait(LIMIT_S)
    assert [claimed_of(*QUEUES) for _ in range(2)] == [other.pk, None]
    over.set()
    thread.join()
    assert claimed_of(*QUEUES) == urgent.pk


def test_a_claim_reads_the_heads_of_its_queues_and_not_what_waits_behind_them() -> None:
    names = list(QUEUES)
    for status in (Status.PENDING, Status.COMPLETED):
        Job.objects.bulk_create(
            Job(kind="scripted", queue=names[number % len(names)], status=status) for number in range(MANY)
        )
    known = ["scripted"]
    given = claims._named("queue", names) | claims._named("kind", known)
    look = claims._best_queue_sql(connection.vendor, len(names), len(known))
    take = claims._claim_sql(connection.vendor, len(known))
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        for sql, heads in ((look, len(names)), (take, 1)):
            cursor.execute(
                f"{explain} {sql}", given | {"queue": names[0], "worker": "w", "lease": "+1 seconds"}
            )
            plan = "\n".join(str(row) for row in cursor.fetchall())
            assert plan.count("job_claim_order") == heads, plan
            assert "Seq Scan on jobs_job" not in plan, plan  # of paused queues there are a handful
            assert "SCAN jobs_job" not in plan
