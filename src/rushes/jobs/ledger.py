"""The ledger as the rooms above see it: writing work into it and taking it back, in the caller's transaction.

What holders of claims do (`claims`, `endings`) and retention are named here too: one place to import from.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Case, F, Min, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from .claims import Beat, claim, claimed_of, give_back, heartbeat, look, sweep
from .clock import FromNow
from .delivery import notify
from .endings import StaleClaim, complete, fail, progress
from .endings import write_log as log
from .faults import Moment, at
from .handlers import NothingToRetry, handler_of, kinds, load
from .models import OPEN, Job, Status
from .queues import Priority, Queue, queue_named
from .retention import prune

_TRIES = 5
#: What is put off for longer (the end of a retention, not a backoff) does not stand in line.
_STANDS_IN_LINE_S = 60.0


def enqueue(
    kind: str,
    *,
    queue: Queue | None = None,
    group: str = "",
    args: Mapping[str, Any] | None = None,
    key: str | None = None,
    priority: int = Priority.BACKGROUND,
    run_after_s: float = 0.0,
    parent: int | None = None,
    max_failures: int | None = None,
) -> Job:
    """Write a job; it is delivered when the caller's transaction commits, and never if it does not.

    `queue` is the handler's where none is given. Of one `key` there is one open job: where there is one already, it is
    returned, moved to the front (and to `queue`) if this call is more urgent. `parent`: the job that it is part of; it
    decides the place in line and how long the job is kept.
    Raises LookupError for a kind without handler.
    """
    where = queue or handler_of(kind).queue
    for _ in range(_TRIES):
        if key is not None and (found := _promoted(key, where, priority)):
            return found
        job = Job(
            kind=kind,
            queue=where.name,
            group=group,
            args=dict(args or {}),
            key=key,
            priority=priority,
            run_after=FromNow(run_after_s),
            parent_id=parent,
            max_failures=queue_named(where.name).attempts if max_failures is None else max_failures,
        )
        try:
            with transaction.atomic():
                job.save(force_insert=True)
        except IntegrityError:
            if key is None:
                raise
            continue  # somebody was quicker, with the same key: theirs is visible now, or ended already
        notify(where.name)
        at(Moment.ENQUEUED)
        return job
    raise RuntimeError(f"Jobs with the key {key!r} come and go too quickly.")


def _promoted(key: str, queue: Queue, priority: int) -> Job | None:
    """The open job of the key, made as urgent as this; None where there is none.

    Waits for nobody who commits that job at this moment: he may be waiting for what the caller has locked.
    """
    job = Job.objects.filter(key=key, status__in=OPEN, cancel_requested=False).first()
    if job is None or priority >= job.priority:
        return job
    urgent = {"priority": priority, "queue": queue.name}
    less = Job.objects.filter(pk=job.pk, priority__gt=priority)
    if less.filter(status=Status.PENDING).update(**urgent):
        notify(queue.name)
    else:  # in work: urgent also if it should be given back
        with transaction.atomic():
            running = less.filter(status=Status.PROCESSING).select_for_update(skip_locked=True)
            less.filter(pk__in=list(running.values_list("pk", flat=True)), status=Status.PROCESSING).update(
                **urgent
            )
    job.refresh_from_db()
    return job


def cancel(job_ids: Collection[int]) -> int:
    """Cancel jobs: pending ones at once, running ones as soon as their worker hears of it. How many were open."""
    return _cancel(Q(pk__in=job_ids))


def cancel_group(group: str) -> int:
    """Cancel every open job of a group. How many there were."""
    return _cancel(Q(group=group))


def _cancel(which: Q) -> int:
    # One UPDATE for both: between two a job could be claimed, or given back, and slip through.
    pending = Q(status=Status.PENDING)
    changed = Job.objects.filter(which, status__in=OPEN).update(
        status=Case(When(pending, then=Value(Status.CANCELLED)), default=F("status")),
        finished_at=Case(When(pending, then=FromNow()), default=F("finished_at")),
        cancel_requested=True,
    )
    if changed:
        notify("")
    return changed


def retry(job_id: int) -> bool:
    """Let a failed or cancelled job run again, with all its attempts; False where it is neither.

    False also where another open job does the same. Raises NothingToRetry where it would do nothing.
    """
    load()
    try:
        with transaction.atomic():
            changed = Job.objects.filter(pk=job_id, status__in=(Status.FAILED, Status.CANCELLED)).update(
                status=Status.PENDING,
                failures=0,
                interruptions=0,
                cancel_requested=False,
                error="",
                message="",
                progress_percentage=0,
                finished_at=None,
                run_after=FromNow(),
            )
            if changed:
                job = claimed_of(Job.objects.get(pk=job_id))
                if job.kind in kinds():
                    handler_of(job.kind).retried(job)
                notify(job.queue)
    except IntegrityError:  # another open job has its key: that one does the work
        return False
    return bool(changed)


def hasten(group: str) -> int:
    """Let what waits of a group not wait for its time, and tell the workers of it once more; how many jobs wait."""
    waiting = Job.objects.filter(group=group, status=Status.PENDING)
    waiting.filter(run_after__gt=FromNow()).update(run_after=FromNow())
    queues = list(waiting.values_list("queue", flat=True).order_by())
    for name in set(queues):
        notify(name)
    return len(queues)


def queue_position(group: str) -> int | None:
    """The group's place among the groups that have work to do, from 1; None where it has none.

    The order is that in which their first work came: of an open job its parent's, where it has one. So a video that is
    in work does not fall behind because its later chunks are younger than those of the next.
    """
    began = _standing().values("group").annotate(began=Min(Coalesce("parent_id", "id")))
    mine = began.filter(group=group).values_list("began", flat=True).order_by("began").first()
    if mine is None:
        return None
    return began.exclude(group=group).filter(began__lt=mine).count() + 1


def groups_in_line(kinds: Collection[str], *, most: int) -> int:
    """How many groups have work of these kinds to do; it is not counted beyond `most`."""
    return len(_standing().filter(kind__in=kinds).values_list("group", flat=True).distinct()[:most])


def _standing() -> QuerySet[Job]:
    return Job.objects.filter(status__in=OPEN, run_after__lt=FromNow(_STANDS_IN_LINE_S)).exclude(group="")


__all__ = [
    "Beat",
    "NothingToRetry",
    "StaleClaim",
    "cancel",
    "cancel_group",
    "claim",
    "complete",
    "enqueue",
    "fail",
    "give_back",
    "groups_in_line",
    "hasten",
    "heartbeat",
    "log",
    "look",
    "progress",
    "prune",
    "queue_position",
    "retry",
    "sweep",
]
