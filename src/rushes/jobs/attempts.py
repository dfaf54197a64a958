"""One attempt at one job: run the handler, then write how it ended, whatever happened."""

from __future__ import annotations

import logging
import traceback
from functools import partial

from . import claims, endings
from .endings import StaleClaim
from .handlers import Handler, Interrupted, PutOff, Unmendable, handler_of
from .outages import one_line, persistently
from .reporting import Running

log = logging.getLogger(__name__)

_TRACEBACK_LINES = 12
_MINUTE_S = 60
_LONGEST_SENTENCE = 1_000


class TookTooLong(Exception):
    """An attempt went beyond its limit. The next may be luckier: the machine may be less busy."""

    def __init__(self, limit_s: float) -> None:
        limit = f"{limit_s / _MINUTE_S:.0f} min" if limit_s >= 2 * _MINUTE_S else f"{limit_s:g} s"
        super().__init__(f"This took longer than the {limit} that it may take, and was ended.")


def attempt(running: Running) -> None:
    """Run the job and end its claim. Never raises: what cannot be ended is left to its lease."""
    job = running.job
    try:
        _attempt(running)
    except StaleClaim:
        log.info("%s %d was not ours any more; its result is not used", job.kind, job.id)
    except Exception:
        log.exception("%s %d could not be ended; its lease will run out", job.kind, job.id)


def _attempt(running: Running) -> None:
    job = running.job
    try:
        handler = handler_of(job.kind)
        result = handler.run(job, running)
    except BaseException as error:
        if running.cancel.is_set():  # whatever it says: it was told to end
            _cut_off(running)
        elif isinstance(error, Interrupted):
            running.log(f"Interrupted: {one_line(error)}", "warning")
            _give_back(running, interruption=True, why=one_line(error))
        else:
            _fail(running, error)
        return
    if running.cancel.is_set():  # the result may be half of one
        _cut_off(running)
        return
    _complete(running, handler, result)


def _complete(running: Running, handler: Handler, result: object) -> None:
    job = running.job
    persistently(running.write)
    try:
        persistently(partial(endings.complete, job, lambda: handler.commit(job, result)))
    except StaleClaim:
        raise
    except Exception as error:
        _fail(running, error)


def _cut_off(running: Running) -> None:
    if running.overdue:
        _fail(running, TookTooLong(running.limit_s))
    else:
        _give_back(running, interruption=False)


def abandon(running: Running) -> None:
    """Fail an attempt at which a thread is still at work that does not hear. Never raises, like `attempt`."""
    job = running.job
    log.error("%s %d is past its limit of %g s and does not end", job.kind, job.id, running.limit_s)
    try:
        _fail(running, TookTooLong(running.limit_s))
    except StaleClaim:
        pass
    except Exception:
        log.exception("%s %d could not be ended; its lease will run out", job.kind, job.id)


def _give_back(running: Running, *, interruption: bool, why: str = "") -> None:
    persistently(running.write)
    persistently(partial(claims.give_back, running.job, interruption=interruption, why=why))


def _fail(running: Running, error: BaseException) -> None:
    job = running.job
    mendable = not isinstance(error, Unmendable)
    if isinstance(error, TookTooLong | PutOff):
        log.warning("%s %d: %s", job.kind, job.id, error)
    elif mendable:
        log.error("%s %d failed", job.kind, job.id, exc_info=error)
        lines = "".join(traceback.format_exception(error)).rstrip().splitlines()
        running.log("\n".join(lines[-_TRACEBACK_LINES:]), "error")
    persistently(running.write)
    reason = sentence(error)

    def on_failed() -> None:
        handler_of(job.kind).failed(job, reason)

    if isinstance(error, PutOff):
        persistently(partial(endings.put_off, job, reason, after_s=error.after_s, on_failed=on_failed))
    else:
        persistently(partial(endings.fail, job, reason, mendable=mendable, on_failed=on_failed))


def sentence(error: BaseException) -> str:
    """An error for people. Our own exceptions are written for them; of others the type is half of the message."""
    text = str(error).strip()
    ours = type(error).__module__.partition(".")[0] == __name__.partition(".")[0]
    return (text if ours and text else f"{type(error).__name__}: {text}".rstrip(": "))[:_LONGEST_SENTENCE]
