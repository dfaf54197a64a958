"""What the ledger's queues are called in each engine. Needs neither Django nor an engine: the settings use it too."""

from __future__ import annotations

from collections.abc import Iterable

from rushes.jobs.queues import CONTROL, QUEUES, TRANSCODE, WAITING

#: A worker that serves several queues looks into these first; `make run` gives them processes of their own, so that
#: they never stand behind chunks.
QUICK = (WAITING.name, CONTROL.name)

#: django-q2's names for a cluster that serves every queue, and for the two that share them.
Q2_ALL, Q2_QUICK, Q2_BULK = "rushes", "rushes-quick", "rushes-bulk"


def bulk() -> tuple[str, ...]:
    """Every queue that is not quick, in the order of their table."""
    return tuple(name for name in QUEUES if name not in QUICK)


def in_order(queues: Iterable[str]) -> list[str]:
    """The same queues, most urgent first."""
    order = [*QUICK, *bulk()]
    return sorted(queues, key=order.index)


def rq_name(prefix: str, queue: str) -> str:
    """The RQ queue: `transcode` for chunks, as RQ_QUEUE_TRANSCODE says, and `transcode-control` and so on."""
    return prefix if queue == TRANSCODE.name else f"{prefix}-{queue.replace(':', '-')}"


def celery_name(queue: str) -> str:
    """The Celery queue. Never `celery`: that is where other programs send their tasks."""
    return f"rushes.{queue.replace(':', '.')}"


def q2_key(queue: str) -> str:
    """The `key` of a wake-up in django-q2's table."""
    return f"{Q2_ALL}:{queue}"


def q2_queues(cluster: str) -> list[str]:
    """The queues that the cluster of that name serves, most urgent first."""
    return in_order({Q2_QUICK: QUICK, Q2_BULK: bulk()}.get(cluster, tuple(QUEUES)))
