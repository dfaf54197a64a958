"""Taking jobs and keeping them: claims and leases, and what ends them from outside. Each change is one UPDATE."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error, connection, transaction
from django.db.models import Case, F, Q, When

from .clock import FromNow, offset
from .delivery import notify
from .faults import Moment, at
from .handlers import Claimed, handler_of, kinds
from .models import Duty, Job, JobLog, PausedQueue, Status
from .queues import QUEUES

log = logging.getLogger(__name__)

_SQL = Path(__file__).parent / "sql"

#: Before a second interruption in a row is tried again: what kills its programs at once must not spin.
_BREATH_S = 1.0

_NOW = {"sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')", "postgresql": "clock_timestamp()"}

POISON = "This was interrupted {} times; something in it ends the program that works on it."


@dataclass(frozen=True, kw_only=True)
class Beat:
    """What a heartbeat brought, as (job, claim): what is not ours any more, and what nobody wants any more."""

    lost: frozenset[tuple[int, int]]
    cancelled: frozenset[tuple[int, int]]


def claim(queues: Sequence[str], worker: str) -> Claimed | None:
    """Take the best ready job of `queues`: lowest priority number, then oldest. None where nothing is ready."""
    known = sorted(kinds())
    # Looked for first, which takes no write lock: an UPDATE that finds nothing would take SQLite's.
    while (queue := _best_queue(queues, known)) is not None:
        row = _claim(queue, known, worker)
        if row is not None:
            at(Moment.CLAIMED)
            return _claimed(row, worker)
        # Others have got what stood there, or are writing it: what is left of it is for the next look.
        queues = [name for name in queues if name != queue]
    return None


def _claim(queue: str, known: Sequence[str], worker: str) -> tuple[Any, ...] | None:
    given = {"worker": worker, "lease": offset(settings.JOBS_LEASE_S), "queue": queue}
    with connection.cursor() as cursor:
        cursor.execute(_claim_sql(connection.vendor, len(known)), given | _named("kind", known))
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def _claimed(row: tuple[Any, ...], worker: str) -> Claimed:
    id_, number, kind, queue, group, args, priority, failures, max_failures, parent = row
    return Claimed(
        id=id_,
        claim=number,
        kind=kind,
        queue=queue,
        group=group,
        args=json.loads(args) if isinstance(args, str) else args,
        priority=priority,
        failures=failures,
        max_failures=max_failures,
        parent=parent,
        worker=worker,
    )


def _best_queue(queues: Sequence[str], known: Sequence[str]) -> str | None:
    """Where the best ready job stands at this moment; None where there is none."""
    if not queues or not known:
        return None
    with connection.cursor() as cursor:
        sql = _best_queue_sql(connection.vendor, len(queues), len(known))
        cursor.execute(sql, _named("queue", queues) | _named("kind", known))
        row = cursor.fetchone()
    return row[0] if row else None


def _named(name: str, values: Sequence[str]) -> dict[str, str]:
    return {f"{name}{number}": value for number, value in enumerate(values)}


def count_ready(most: int) -> dict[str, int]:
    """How many jobs could be claimed now, by queue, counted up to `most` of each."""
    known = sorted(kinds())
    paused = set(PausedQueue.objects.values_list("queue", flat=True))
    counted = {}
    for name in QUEUES:
        if name in paused:
            continue
        ready = Job.objects.filter(
            status=Status.PENDING, queue=name, kind__in=known, run_after__lte=FromNow()
        )
        if count := ready.order_by()[:most].count():
            counted[name] = count
    return counted


@cache
def _best_queue_sql(vendor: str, queues: int, known: int) -> str:
    look = (_SQL / "head_of_queue.sql").read_text()
    looks = [
        look.format(number=number, kinds=_placeholders(known), now=_NOW[vendor]) for number in range(queues)
    ]
    return (_SQL / "best_queue.sql").read_text().format(looks=" UNION ALL ".join(looks))


@cache
def _claim_sql(vendor: str, known: int) -> str:
    return (_SQL / f"claim_{vendor}.sql").read_text().format(kinds=_placeholders(known))


def _placeholders(known: int) -> str:
    return ", ".join(f"%(kind{number})s" for number in range(known))


def heartbeat(held: Collection[Claimed]) -> Beat:
    """Extend the leases of what this worker holds, and hear what became of it."""
    if held:
        mine = Job.objects.filter(_held(held), status=Status.PROCESSING)
        with transaction.atomic():
            # A row that is being written at this moment (its commit, a cancellation) is left for the next beat: waiting
            # for it would delay all other leases, and two who wait for each other's rows are a deadlock.
            free = mine.select_for_update(skip_locked=True).values_list("pk", flat=True)
            mine.filter(pk__in=list(free)).update(lease_until=FromNow(settings.JOBS_LEASE_S))
            at(Moment.BEATING)
    return look(held)


def look(held: Collection[Claimed]) -> Beat:
    """What became of what this worker holds, without extending it."""
    if not held:
        return Beat(lost=frozenset(), cancelled=frozenset())
    mine = Job.objects.filter(_held(held), status=Status.PROCESSING)
    rows = {
        (id_, number): asked for id_, number, asked in mine.values_list("id", "claim", "cancel_requested")
    }
    return Beat(
        lost=frozenset((job.id, job.claim) for job in held) - rows.keys(),
        cancelled=frozenset(pair for pair, asked in rows.items() if asked),
    )


def _held(held: Collection[Claimed]) -> Q:
    mine = Q(pk__in=[])
    for job in held:
        mine |= Q(pk=job.id, claim=job.claim)
    return mine


def give_back(job: Claimed, *, interruption: bool, why: str = "") -> Status | None:
    """End a claim without a result: the job is pending again, whatever was done is forgotten.

    An `interruption` (a lost lease, a killed program) counts: at `JOBS_MAX_INTERRUPTIONS` the job fails, and says `why`
    it was interrupted last. Where it was to be cancelled it is. The new status; None where the claim was not held any
    more.
    """
    with transaction.atomic():
        status = _release(job, Q(), interruption=interruption, why=why)
        at(Moment.RELEASING)
    return status


def sweep() -> int:
    """Give back every job whose lease has run out; how many there were."""
    expired = Q(lease_until__lt=FromNow())
    swept = 0
    for row in list(Job.objects.filter(expired, status=Status.PROCESSING).order_by("id")[:200]):
        try:
            swept += _swept(row, expired)
        except Error:
            raise
        except (
            Exception
        ):  # a handler's `failed`: its job is tried again at the next sweep, the others are not held up
            log.exception("%s %d could not be swept", row.kind, row.pk)
    return swept


def _swept(row: Job, expired: Q) -> bool:
    job = claimed_of(row)
    with transaction.atomic():
        # A row that somebody is writing is left for the next sweep: he may be on a host that is cut off, and this
        # thread must keep leases meanwhile. The server gives up on him before long (config/network.py).
        mine = Job.objects.filter(expired, pk=job.id, claim=job.claim, status=Status.PROCESSING)
        if not mine.select_for_update(skip_locked=True).values_list("pk", flat=True):
            return False
        status = _release(job, expired, interruption=True)
        if status is None:
            return False
        then = "it will be done again" if status == Status.PENDING else f"now {status}"
        text = f"{row.worker} was not heard of any more: {then}."
        JobLog.objects.create(job_id=job.id, claim=job.claim, level="warning", text=text)
        at(Moment.RELEASING)
    return True


def _release(job: Claimed, still: Q, *, interruption: bool, why: str = "") -> Status | None:
    held = Job.objects.filter(still, pk=job.id, claim=job.claim, status=Status.PROCESSING)
    if held.filter(cancel_requested=True).update(
        status=Status.CANCELLED, lease_until=None, finished_at=FromNow()
    ):
        notify("")
        return Status.CANCELLED
    most = settings.JOBS_MAX_INTERRUPTIONS
    more = 1 if interruption else 0
    patient = held.filter(interruptions__lt=most - more) if interruption else held
    if patient.update(
        status=Status.PENDING,
        lease_until=None,
        interruptions=F("interruptions") + more,
        progress_percentage=0,
        message="",
        run_after=_again_at(interruption=interruption and not still),
    ):
        notify(job.queue)
        return Status.PENDING
    reason = POISON.format(most) + (f" Last time: {why.rstrip('.')}." if why else "")
    if held.update(
        status=Status.FAILED,
        lease_until=None,
        interruptions=F("interruptions") + more,
        error=reason,
        finished_at=FromNow(),
    ):
        if job.kind in kinds():
            handler_of(job.kind).failed(job, reason)
        notify("")
        return Status.FAILED
    return None


def _again_at(*, interruption: bool) -> Case | F:
    """When what was given back may be claimed again: at once, but for a second interruption."""
    if not interruption:
        return F("run_after")
    return Case(When(interruptions=0, then=F("run_after")), default=FromNow(_BREATH_S))


def claimed_of(row: Job) -> Claimed:
    """A row as its holder knows it."""
    return Claimed(
        id=row.pk,
        claim=row.claim,
        kind=row.kind,
        queue=row.queue,
        group=row.group,
        args=row.args,
        priority=row.priority,
        failures=row.failures,
        max_failures=row.max_failures,
        parent=row.parent_id,
        worker=row.worker,
    )


def take_duty(name: str, holder: str, lasts_s: float) -> bool:
    """Whether `holder` has a duty for the next `lasts_s` seconds: one holder at a time, and the same may go on."""
    free = Q(until__lt=FromNow()) | Q(holder=holder)
    if Duty.objects.filter(free, name=name).update(holder=holder, until=FromNow(lasts_s)):
        return True
    if Duty.objects.filter(name=name).exists():
        return False
    Duty.objects.bulk_create([Duty(name=name)], ignore_conflicts=True)
    return bool(Duty.objects.filter(free, name=name).update(holder=holder, until=FromNow(lasts_s)))


def none_ready(queues: Sequence[str]) -> bool:
    """Whether no job of `queues` could be claimed now."""
    return _best_queue(queues, sorted(kinds())) is None
