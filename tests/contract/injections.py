"""What goes wrong at the moments of `rushes.jobs.faults`: a file in a folder for each harm, which one process suffers.

The workers of the contract's tests import this as a module of handlers.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.db import OperationalError

from rushes.jobs import faults
from rushes.jobs.faults import Moment

log = logging.getLogger(__name__)

FOLDER = "FAULTS_FOLDER"  # the variable that names it
PAUSE_S = 4.0  # longer than the lease of these tests


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def lose_the_database() -> None:
    raise OperationalError("injected: the server closed the connection unexpectedly")


def pause() -> None:
    time.sleep(PAUSE_S)


HARMS: dict[str, Callable[[], None]] = {"kill": kill, "error": lose_the_database, "pause": pause}


def arm(folder: Path, moment: Moment, harm: str) -> None:
    """The next process that comes there suffers it."""
    (folder / f"{moment}.{harm}").touch()


def armed(folder: Path) -> list[str]:
    """What nobody has suffered yet."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".done")


def happen(folder: Path, moment: Moment) -> None:
    for harm, do in HARMS.items():
        with contextlib.suppress(FileNotFoundError):
            path = folder / f"{moment}.{harm}"
            path.rename(f"{path}.done")
            log.warning("injected: %s at %s", harm, moment)
            do()
            return


@contextlib.contextmanager
def in_this_process(folder: Path) -> Iterator[None]:
    """What is armed happens here, too."""
    faults.inject = lambda moment: happen(folder, moment)
    try:
        yield
    finally:
        faults.inject = None


if folder := os.environ.get(FOLDER):
    faults.inject = lambda moment: happen(Path(folder), moment)
