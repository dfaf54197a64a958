"""How a claim ends by its holder, and what its holder writes meanwhile: all fenced by the number of the claim."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import F

from .claims import look
from .clock import FromNow
from .delivery import notify
from .faults import Moment, at
from .handlers import Claimed
from .models import Job, JobLog, Status
from .queues import queue_named

_LONGEST_BACKOFF_S = 600.0
_LONGEST_TEXT = 4_000


class StaleClaim(Exception):
    """The job is not ours any more: somebody else has it, or it is over. Nothing was written."""


def complete(job: Claimed, commit: Callable[[], None]) -> Status:
    """End the job and write what follows from it in one transaction: both, or neither.

    A job that was to be cancelled is, and `commit` is not called. Raises StaleClaim, and what `commit` raises.
    """
    at(Moment.DONE)
    with transaction.atomic():
        mine = Job.objects.filter(pk=job.id, claim=job.claim, status=Status.PROCESSING)
        if mine.filter(cancel_requested=False).update(
            status=Status.COMPLETED,
            progress_percentage=100,
            lease_until=None,
            error="",
            finished_at=FromNow(),
        ):
            commit()
            notify("")
            at(Moment.COMPLETING)
            status = Status.COMPLETED
        elif mine.update(status=Status.CANCELLED, lease_until=None, finished_at=FromNow()):
            status = Status.CANCELLED
        else:
            raise StaleClaim(f"{job.kind} {job.id}, claim {job.claim}")
    at(Moment.COMPLETED)
    return status


def fail(job: Claimed, error: str, *, mendable: bool, on_failed: Callable[[], None] = lambda: None) -> Status:
    """End an attempt by an error. It spends one of the attempts, and waits twice as long each time.

    Where none is left, or trying again cannot mend it, the job has failed, and `on_failed` runs in the same
    transaction. Raises StaleClaim.
    """
    failures = job.failures + 1
    over = not mendable or failures >= job.max_failures
    backoff_s = _backoff_s(job)
    with transaction.atomic():
        mine = Job.objects.filter(pk=job.id, claim=job.claim, status=Status.PROCESSING)
        if mine.filter(cancel_requested=True).update(
            status=Status.CANCELLED, lease_until=None, error=error, finished_at=FromNow()
        ):
            return Status.CANCELLED
        if over:
            changed = mine.update(
                status=Status.FAILED, failures=failures, lease_until=None, error=error, finished_at=FromNow()
            )
            status = Status.FAILED
        else:
            changed = mine.update(
                status=Status.PENDING,
                failures=failures,
                lease_until=None,
                error=error,
                progress_percentage=0,
                message="",
                run_after=FromNow(backoff_s),
            )
            status = Status.PENDING
        if not changed:
            raise StaleClaim(f"{job.kind} {job.id}, claim {job.claim}")
        JobLog.objects.create(job_id=job.id, claim=job.claim, level="error", text=error)
        if over:
            on_failed()
        notify(job.queue)
        at(Moment.FAILING)
    return status


def put_off(
    job: Claimed, reason: str, *, after_s: float, on_failed: Callable[[], None] = lambda: None
) -> Status:
    """End an attempt that could not be made now. It spends no attempt, but counts as an interruption.

    At `JOBS_MAX_INTERRUPTIONS` the job has failed, and `on_failed` runs in the same transaction. Raises StaleClaim.
    """
    counted = {"interruptions": F("interruptions") + 1, "lease_until": None, "error": reason}
    with transaction.atomic():
        mine = Job.objects.filter(pk=job.id, claim=job.claim, status=Status.PROCESSING)
        if mine.filter(cancel_requested=True).update(
            status=Status.CANCELLED, lease_until=None, error=reason, finished_at=FromNow()
        ):
            return Status.CANCELLED
        status = Status.PENDING
        again = mine.filter(interruptions__lt=settings.JOBS_MAX_INTERRUPTIONS - 1)
        if not again.update(
            status=status, progress_percentage=0, message="", run_after=FromNow(after_s), **counted
        ):
            status = Status.FAILED
            if not mine.update(status=status, finished_at=FromNow(), **counted):
                raise StaleClaim(f"{job.kind} {job.id}, claim {job.claim}")
            on_failed()
        JobLog.objects.create(job_id=job.id, claim=job.claim, level="warning", text=reason)
        notify(job.queue)
    return status


def _backoff_s(job: Claimed) -> float:
    first_s = queue_named(job.queue).backoff_s
    # A queue whose own first pause is longer than the longest keeps to its own.
    return min(first_s * 2.0 ** min(job.failures, 30), max(first_s, _LONGEST_BACKOFF_S))


def progress(job: Claimed, percentage: int, message: str = "") -> bool:
    """Say how far it is; False where the job is not ours any more."""
    return bool(
        Job.objects.filter(pk=job.id, claim=job.claim, status=Status.PROCESSING).update(
            progress_percentage=max(0, min(99, percentage)), message=message[:200]
        )
    )


def write_log(job: Claimed, text: str, level: str = "info") -> None:
    """Add a line to the job's log, while it is ours."""
    write_lines(job, [(level, text)])


def write_lines(job: Claimed, lines: Sequence[tuple[str, str]]) -> None:
    """Add lines, each with its level, to the job's log, while it is ours."""
    if lines and not look([job]).lost:
        JobLog.objects.bulk_create(
            JobLog(job_id=job.id, claim=job.claim, level=level, text=text[:_LONGEST_TEXT])
            for level, text in lines
        )
