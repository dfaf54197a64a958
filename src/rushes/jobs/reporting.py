"""What runs in this worker, and what running handlers say, on its way to the ledger."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

from . import endings
from .claims import Beat
from .handlers import Claimed, limit_of

#: So long after its limit what has not heard that it is over will not hear it any more.
DEAF_S = 30.0

_MOST_LINES = 1_000  # kept between two writes; what says more than that says nothing


class Running:
    """A job in work; handlers see it as their `Report`.

    Nothing is written in the thread that says it, which may be one that reads from ffmpeg: the heartbeat's thread
    writes for all, once a second. So a database that is slow or away costs no handler an attempt.
    """

    def __init__(self, job: Claimed) -> None:
        self.job = job
        self.cancel = threading.Event()
        self.limit_s = limit_of(job)
        self._until_s = time.monotonic() + self.limit_s
        self._overdue = False
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._progress: tuple[int, str] | None = None
        self._lines: list[tuple[str, str]] = []

    @property
    def overdue(self) -> bool:
        """Whether it was ended for taking too long, and for nothing else."""
        return self._overdue

    @property
    def deaf(self) -> bool:
        """Whether it goes on although it was ended for taking too long."""
        return self._overdue and time.monotonic() > self._until_s + DEAF_S

    def look_at_the_clock(self) -> None:
        """End it if it is past its limit."""
        if time.monotonic() > self._until_s and not self.cancel.is_set():
            self._overdue = True  # first: who sees the other sees this
            self.cancel.set()

    def progress(self, percentage: int, message: str = "") -> None:
        """See Report."""
        with self._lock:
            self._progress = (percentage, message)

    def log(self, text: str, level: str = "info") -> None:
        """See Report."""
        with self._lock:
            if len(self._lines) < _MOST_LINES:
                self._lines.append((level, text))

    def write(self) -> None:
        """Write what was said since the last time. What cannot be written now is kept for the next time."""
        with self._writing:
            with self._lock:
                progress, lines = self._progress, self._lines
                self._progress, self._lines = None, []
            with ExitStack() as undo:
                undo.callback(self._keep, progress, lines)
                if progress is not None:
                    endings.progress(self.job, *progress)
                endings.write_lines(self.job, lines)
                undo.pop_all()

    def _keep(self, progress: tuple[int, str] | None, lines: list[tuple[str, str]]) -> None:
        with self._lock:
            self._progress = self._progress or progress
            self._lines = (lines + self._lines)[:_MOST_LINES]


class Held:
    """What runs in this worker, by job and claim: a late thread of an old claim is no other. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[tuple[int, int], Running] = {}

    def add(self, running: Running) -> None:
        """From its claim on."""
        with self._lock:
            self._running[running.job.id, running.job.claim] = running

    def remove(self, running: Running) -> None:
        """Until its thread has ended."""
        with self._lock:
            self._running.pop((running.job.id, running.job.claim), None)

    def all(self) -> list[Running]:
        """What runs at this moment."""
        with self._lock:
            return list(self._running.values())

    def jobs(self) -> list[Claimed]:
        """The claims of what runs."""
        return [running.job for running in self.all()]

    def take_note(self, beat: Beat) -> None:
        """End what is lost or cancelled."""
        for running in self.all():
            if (running.job.id, running.job.claim) in beat.lost | beat.cancelled:
                running.cancel.set()

    def give_up(self) -> None:
        """End all of it."""
        for running in self.all():
            running.cancel.set()
