"""Wake-ups on their way to an engine: sent on commit, and sent again for whatever is ready and not announced."""

from __future__ import annotations

import logging
import time
from functools import partial

from django.db import transaction

from rushes.jobs.faults import Moment, at

from .engine import Engine, EngineAway, chosen

log = logging.getLogger(__name__)

#: After an engine did not answer, nobody waits for it again for so long; what is announced later loses nothing.
BREAK_S = 2.0

#: Announced at once, of a queue. Those behind them are announced when these are taken.
MOST = 500

_not_before_s = 0.0


def wake(queue: str) -> None:
    """Send one wake-up when this transaction commits. Never raises for an engine that is away."""
    if (engine := chosen()) is not None and not engine.inline:
        transaction.on_commit(partial(_send, engine, queue), robust=True)


def _send(engine: Engine, queue: str) -> None:
    global _not_before_s
    at(Moment.COMMITTED)
    if time.monotonic() < _not_before_s:
        return
    try:
        engine.send(queue)
    except EngineAway as error:
        _not_before_s = time.monotonic() + BREAK_S
        log.warning("%s; the wake-up for %s is sent again later", error, queue)


def announce(engine: Engine) -> int:
    """Send wake-ups for all jobs that are ready and have none; how many were sent. Raises EngineAway.

    Needed for what becomes ready without a commit (a delay, a backoff), and for what an engine has lost.
    """
    from rushes.jobs.claims import count_ready  # it announces what it gives back, and so imports us

    waiting = engine.waiting()
    sent = 0
    for queue, ready in count_ready(MOST).items():
        if (missing := ready - waiting.get(queue, 0)) > 0:
            engine.send(queue, missing)
            sent += missing
    return sent
