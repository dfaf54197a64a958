"""Who works in these tests: a worker until nothing is left, or one job at a time."""

from __future__ import annotations

from rushes.jobs import claims
from rushes.jobs.attempts import attempt
from rushes.jobs.handlers import Claimed
from rushes.jobs.models import Job, Status
from rushes.jobs.queues import QUEUES
from rushes.jobs.reporting import Running
from rushes.jobs.worker import Worker


def work() -> None:
    """All that is ready, and what comes of it."""
    assert Worker(burst=True).run() == 0


def claim(*queues: str) -> Claimed | None:
    """The one best job of those queues, or of all."""
    return claims.claim(list(queues or QUEUES), "hand")


def step(*queues: str) -> str | None:
    """Do the one best job, as a worker does; its kind."""
    job = claim(*queues)
    if job is None:
        return None
    attempt(Running(job))
    return job.kind


def until(kind: str) -> None:
    """Do jobs until the best one that is left is of that kind."""
    while Job.objects.filter(status=Status.PENDING).order_by("priority", "pk").values_list("kind", flat=True)[
        0
    ] not in (kind,):
        assert step() is not None
