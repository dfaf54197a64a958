"""How workers hear of work: the database itself, or an engine that carries "queue Q has work".

Whatever carries it, the ledger is the truth: the worker that hears claims the queue's best ready job. What an engine
loses is sent again (`wakeups`), and while it is away an embedded worker does the work (`standby`).
"""

from . import database, wakeups


def notify(queue: str) -> None:
    """Tell whoever waits that there is work in `queue`, when this transaction commits and only then.

    An empty name: something ended or was cancelled. No engine needs to know that.
    """
    database.notify(queue)
    if queue:
        wakeups.wake(queue)


__all__ = ["notify"]
