"""Which ended jobs are forgotten, by the table of queues: past their time, or of completed ones past the newest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import Combinable

from .clock import FromNow
from .models import OPEN, Job, Status, Worker
from .queues import QUEUES, queue_named, table

BATCH = 500  # of one transaction: nobody waits long behind it
_DONE_WITH = (Status.COMPLETED, Status.CANCELLED)


def prune(most: int | None = None) -> int:
    """Remove ended jobs that are past their time, once the job that they were made for has ended; how many.

    `most`: stop after about so many; the rest is for the next time.
    """
    removed = 0
    for jobs in _past_their_time():
        while most is None or removed < most:
            ids = list(jobs.exclude(_root_is_open()).values_list("pk", flat=True)[:BATCH])
            if not ids:
                break
            removed += len(ids)
            # Once more by status: one that was retried in between is not ended.
            Job.objects.filter(pk__in=ids).exclude(status__in=OPEN).delete()
    Worker.objects.filter(seen_at__lt=FromNow(-settings.JOBS_KEEP_WORKERS_S)).delete()
    return removed


def _past_their_time() -> Iterator[QuerySet[Job]]:
    # Queues that keep equally long are asked for together: by default that is one question for all of them.
    completed: dict[float, list[str]] = defaultdict(list)
    failed: dict[float, list[str]] = defaultdict(list)
    for queue in table().values():
        completed[queue.keep_completed_s].append(queue.name)
        failed[queue.keep_failed_s].append(queue.name)
    for kept_s, names in completed.items():
        yield _past(kept_s, *_DONE_WITH).filter(queue__in=names)
    for kept_s, names in failed.items():
        yield _past(kept_s, Status.FAILED).filter(queue__in=names)
    for queue in table().values():
        yield _past_the_newest(queue.keep_completed, queue.name)
    # Of queues that the table had once.
    unknown, theirs = ~Q(queue__in=list(QUEUES)), queue_named("")
    yield _past(theirs.keep_completed_s, *_DONE_WITH).filter(unknown)
    yield _past(theirs.keep_failed_s, Status.FAILED).filter(unknown)


def _past(kept_s: float, *statuses: Status) -> QuerySet[Job]:
    return Job.objects.filter(status__in=statuses, finished_at__lt=FromNow(-kept_s))


def _past_the_newest(kept: int, queue: str) -> QuerySet[Job]:
    ended = Job.objects.filter(status__in=_DONE_WITH, queue=queue)
    first = ended.order_by("-finished_at").values_list("finished_at", flat=True)[kept : kept + 1]
    return ended.filter(finished_at__lte=first[0]) if first else ended.none()


def _root_is_open() -> Combinable | Q:
    """A job above it is open, two steps up at most (the pipeline's trees are one step deep), or one beneath it."""
    beneath = Job.objects.filter(parent=OuterRef("pk"), status__in=OPEN)
    return Q(parent__status__in=OPEN) | Q(parent__parent__status__in=OPEN) | Exists(beneath)
