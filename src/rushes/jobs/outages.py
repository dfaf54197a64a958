"""A database that is away for a while, which must cost neither a worker nor what it has made."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, connection

log = logging.getLogger(__name__)

#: The server is gone, a lock was not to be had, a deadlock was broken: the same statement may work in a moment.
PASSING = (OperationalError, InterfaceError)

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0


def persistently(write: Callable[[], object]) -> None:
    """Write to the ledger, again while the database is away, for as long as a lease lasts. Raises what remains."""
    deadline_s = time.monotonic() + settings.JOBS_LEASE_S
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            write()
            return
        except PASSING as error:
            log.warning("the ledger cannot be written, once more in %g s: %s", pause_s, one_line(error))
            close()
            if time.monotonic() + pause_s > deadline_s:
                raise
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def close() -> None:
    """Close this thread's connection, which may be broken; the next statement opens another."""
    with contextlib.suppress(Error):
        connection.close()


def close_if_lost() -> None:
    """Close this thread's connection where it was lost while nobody used it: what follows must not fail by that."""
    if connection.connection is not None and not connection.is_usable():
        close()


def one_line(error: BaseException) -> str:
    """The first line of an error, for a log."""
    return (str(error).splitlines() or [type(error).__name__])[0]
