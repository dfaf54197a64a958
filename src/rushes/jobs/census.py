"""What the ledger looks like from outside: queues, workers, leases, and what failed lately. Reads only.

The admin, `check_worker` and `rushes jobs` show the same numbers, from here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q

from .clock import FromNow, now
from .models import OPEN, Job, PausedQueue, Status, Worker
from .queues import QUEUES

DAY_S = 24 * 3600.0


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """One queue at this moment. Ages are in seconds."""

    name: str
    waiting: int = 0  # could be begun now
    later: int = 0  # put off: a backoff, a removal that is due some day
    running: int = 0
    retrying: int = 0  # of those that wait or are put off: their last attempt failed
    oldest_age_s: float | None = None  # how long the oldest has been waiting
    completed_24h: int = 0
    failed_24h: int = 0
    newest_failure: Job | None = None  # of those 24 h
    workers: int = 0  # alive, and with slots for it
    paused_since: datetime | None = None  # no job of it is begun

    @property
    def failing(self) -> bool:
        """Something in it failed for good in the last 24 h, or is being tried again."""
        return bool(self.failed_24h or self.retrying)

    @property
    def unserved(self) -> bool:
        """It has work, and nobody who does it."""
        return bool(self.waiting) and not self.workers and self.paused_since is None


@dataclass(frozen=True, kw_only=True)
class WorkerState:
    """A worker that has not signed off. `alive`: heard of within a lease."""

    name: str
    queues: dict[str, int]  # slots
    started_at: datetime
    seen_at: datetime
    seen_age_s: float
    alive: bool
    holds: int  # jobs


@dataclass(frozen=True, kw_only=True)
class Leases:
    """Jobs in work: their leases hold, or have run out and wait for a sweep."""

    held: int
    expired: int
    longest_expired_s: float | None


def queue_states() -> list[QueueState]:
    """Every queue of the table, and each other that has jobs, in the table's order."""
    moment = now()
    ready = Q(status=Status.PENDING, run_after__lte=moment)
    states: dict[str, dict[str, Any]] = {name: {} for name in QUEUES}
    counted = Job.objects.filter(status__in=OPEN).values("queue").order_by("queue")
    rows = counted.annotate(
        waiting=Count("pk", filter=ready),
        later=Count("pk", filter=Q(status=Status.PENDING, run_after__gt=moment)),
        running=Count("pk", filter=Q(status=Status.PROCESSING)),
        retrying=Count("pk", filter=Q(status=Status.PENDING, failures__gt=0)),
        oldest=Min("run_after", filter=ready),
    )
    for counts in rows:
        row: dict[str, Any] = dict(counts)
        oldest = row.pop("oldest")
        age_s = max(0.0, (moment - oldest).total_seconds()) if oldest else None
        states.setdefault(row.pop("queue"), {}).update(row, oldest_age_s=age_s)
    for (queue, status), count in _ended_lately().items():
        field = "completed_24h" if status == Status.COMPLETED else "failed_24h"
        states.setdefault(queue, {})[field] = count
        if status == Status.FAILED:
            states[queue]["newest_failure"] = newest_failure(queue)
    for queue, since in PausedQueue.objects.values_list("queue", "since"):
        states.setdefault(queue, {})["paused_since"] = since
    serving = _serving()
    return [QueueState(name=name, workers=serving[name], **fields) for name, fields in states.items()]


def newest_failure(queue: str | None = None) -> Job | None:
    """The job that failed last, in the last 24 h."""
    failed = Job.objects.filter(status=Status.FAILED, finished_at__gte=FromNow(-DAY_S))
    if queue is not None:
        failed = failed.filter(queue=queue)
    return failed.order_by("-finished_at").first()


def worker_states() -> list[WorkerState]:
    """Workers that have not signed off, the one that was heard of last first. Those long dead are left out."""
    moment = now()
    held = Job.objects.filter(status=Status.PROCESSING).values_list("worker").annotate(Count("pk"))
    holds: dict[str, int] = dict(held.order_by())
    found = []
    rows = Worker.objects.filter(stopped_at__isnull=True, seen_at__gte=FromNow(-DAY_S))
    for row in rows.order_by("-seen_at", "name"):
        age_s = max(0.0, (moment - row.seen_at).total_seconds())
        found.append(
            WorkerState(
                name=row.name,
                queues=row.queues,
                started_at=row.started_at,
                seen_at=row.seen_at,
                seen_age_s=age_s,
                alive=age_s <= settings.JOBS_LEASE_S,
                holds=holds.get(row.name, 0),
            )
        )
    return found


def last_heartbeat_age_s() -> float | None:
    """Seconds since any worker was heard of; None where none ever was."""
    seen_at = Worker.objects.order_by("-seen_at").values_list("seen_at", flat=True).first()
    return max(0.0, (now() - seen_at).total_seconds()) if seen_at else None


def leases() -> Leases:
    """How many jobs are held, and how many were held by somebody who is not heard of any more."""
    moment = now()
    running = Job.objects.filter(status=Status.PROCESSING)
    told = running.aggregate(
        held=Count("pk", filter=Q(lease_until__gte=moment)),
        expired=Count("pk", filter=Q(lease_until__lt=moment)),
        longest=Min("lease_until", filter=Q(lease_until__lt=moment)),
    )
    longest = told["longest"]
    return Leases(
        held=told["held"],
        expired=told["expired"],
        longest_expired_s=(moment - longest).total_seconds() if longest else None,
    )


def queue_fields(queue: QueueState) -> dict[str, Any]:
    """A queue as JSON has it."""
    newest, since = queue.newest_failure, queue.paused_since
    return {
        "name": queue.name,
        "waiting": queue.waiting,
        "later": queue.later,
        "running": queue.running,
        "retrying": queue.retrying,
        "oldest_age_s": queue.oldest_age_s,
        "completed_24h": queue.completed_24h,
        "failed_24h": queue.failed_24h,
        "failing": queue.failing,
        "newest_failure": newest and {"job": newest.pk, "error": newest.error},
        "workers": queue.workers,
        "paused_since": since.isoformat() if since else None,
    }


def worker_fields(worker: WorkerState) -> dict[str, Any]:
    """A worker as JSON has it."""
    times = {"started_at": worker.started_at.isoformat(), "seen_at": worker.seen_at.isoformat()}
    return asdict(worker) | times


def job_fields(job: Job) -> dict[str, Any]:
    """A job as JSON has it, without its log."""
    fields: dict[str, Any] = {"id": job.pk} | {
        name: getattr(job, name)
        for name in (
            "kind", "queue", "status", "group", "args", "key", "priority", "progress_percentage", "message", "error",
            "failures", "max_failures", "interruptions", "claim", "worker", "cancel_requested",
        )
    }  # fmt: skip
    fields["parent"] = job.parent_id
    for name in ("created_at", "run_after", "started_at", "finished_at", "lease_until"):
        at: datetime | None = getattr(job, name)
        fields[name] = at.isoformat() if at else None
    return fields


def age_words(seconds: float | None) -> str:
    """A time for people: "8 s", "12 min", "3.5 h", "2 d"; empty for None."""
    if seconds is None:
        return ""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / DAY_S:.0f} d"


def _ended_lately() -> dict[tuple[str, str], int]:
    ended = Job.objects.filter(status__in=(Status.COMPLETED, Status.FAILED), finished_at__gte=FromNow(-DAY_S))
    rows = ended.values_list("queue", "status").annotate(Count("pk")).order_by()
    return {(queue, status): count for queue, status, count in rows}


def _serving() -> dict[str, int]:
    """How many living workers have slots for each queue."""
    serving: dict[str, int] = defaultdict(int)
    for worker in worker_states():
        for name in worker.queues if worker.alive else ():
            serving[name] += 1
    return serving
