"""Queues of which no job is begun for a while: before an update, or while what they need is away.

Nothing is refused and nothing is lost: jobs that come meanwhile wait. What is in work is finished.
"""

from __future__ import annotations

from .delivery import notify
from .models import Job, PausedQueue, Status
from .queues import QUEUES, UnknownQueue


def pause(queue: str, by: str = "") -> bool:
    """Let no job of the queue begin; False where it was paused already. Raises UnknownQueue."""
    _check(queue)
    _, made = PausedQueue.objects.get_or_create(queue=queue, defaults={"by": by[:100]})
    return made


def resume(queue: str) -> bool:
    """Let its jobs begin again; False where it was not paused. Raises UnknownQueue."""
    if not PausedQueue.objects.filter(queue=queue).delete()[0]:
        _check(queue)
        return False
    notify(queue)
    return True


def in_work(queue: str) -> int:
    """How many jobs of the queue are held by workers."""
    return Job.objects.filter(queue=queue, status=Status.PROCESSING).count()


def _check(queue: str) -> None:
    if queue not in QUEUES:
        raise UnknownQueue(queue)
