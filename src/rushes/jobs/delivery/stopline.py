"""How the job processes of a library hear that their worker stops, so that they give their jobs back in time.

Each library ends its processes in a way of its own, and most wait for the job. A pipe that all of them inherit is the
same for each: what is written into it is never read, so that everybody sees it.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True)
class _Line:
    name: str  # of the worker, in the ledger
    read: int
    write: int


_line: _Line | None = None
_to_tell: list[Callable[[], None]] = []


def draw(engine: str) -> str:
    """In a worker's main process, before it forks: lay the line. Returns the worker's name in the ledger.

    That is the engine with WORKER_ID behind it, else with host and process.
    """
    global _line
    read, write = os.pipe()
    os.set_blocking(write, False)
    own = settings.JOBS_WORKER_NAME or f"{socket.gethostname()}-{os.getpid()}"
    _line = _Line(f"{engine}-{own}"[:100], read, write)
    return _line.name


def pull() -> None:
    """Tell every process that was forked from this one; from any thread or signal handler."""
    if _line is not None:
        with contextlib.suppress(OSError):
            os.write(_line.write, b"s")
    for tell in _to_tell:
        tell()


def when_pulled(tell: Callable[[], None]) -> None:
    """Call this as well when this process pulls."""
    _to_tell.append(tell)


def pulled() -> bool:
    """Whether the worker of this process stops."""
    return _line is not None and bool(select.select([_line.read], [], [], 0)[0])


def worker_name() -> str:
    """Who claims, in this process: the worker that it was forked from, or the process itself."""
    return _line.name if _line is not None else f"{socket.gethostname()}-{os.getpid()}"[-100:]
