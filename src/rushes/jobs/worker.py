"""The worker: one dispatcher that claims, a thread per running job, and one heartbeat for all of their leases."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from types import FrameType
from uuid import uuid4

from django.conf import settings
from django.db import Error

from . import claims, outages
from .attempts import abandon, attempt
from .clock import FromNow
from .delivery.database import Waker, make_waker
from .handlers import handler_of, kinds, load
from .hands import Hands
from .heartbeat import Heartbeat
from .models import Worker as WorkerRow
from .reporting import Held, Running
from .slots import default_slots

log = logging.getLogger(__name__)

CHORES_EVERY_S = 1.0  # at least, while something runs: limits, a silent heartbeat
LOOK_S = 0.25  # how often a worker asks at most whether what it does was cancelled
GRACE_S = 4.0  # for handlers to end when the worker stops; with what then has to be written, less than 5 s
_LAST_WORDS_S = 0.5


class Worker:
    """Runs jobs until it is told to stop, or with `burst` until nothing is ready."""

    def __init__(
        self,
        slots: Mapping[str, int] | None = None,
        *,
        burst: bool = False,
        name: str | None = None,
        max_jobs: int | None = None,
    ) -> None:
        """`name`: that of JOBS_WORKER_NAME where none is given, else one of its own. `max_jobs`: end after so many."""
        self.slots = dict(slots or default_slots())
        named = name or settings.JOBS_WORKER_NAME
        self.name = (named or f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}")[-100:]
        self._burst = burst
        self._left = max_jobs or None  # jobs that may still be begun
        self._last = False  # what runs is finished, and nothing more begun
        # A plain flag: the lock in an Event must not be asked for by a signal that interrupts its holder.
        self._stopping = False
        self._waker: Waker | None = None
        self._held = Held()
        self._hands = Hands()
        self._looked_at_s = 0.0
        load()

    def stop(self) -> None:
        """Stop in order: running jobs are given back. From any thread or signal handler."""
        self._stopping = True
        self._wake()

    def run(self) -> int:
        """Work; returns the exit status, 0 after an orderly end."""
        self._waker = make_waker()
        heart = Heartbeat(self.name, self.slots, self._held)
        with self._signals():
            log.info("worker %s: %s; %s", self.name, self.slots, ", ".join(sorted(kinds())))
            self._begin()
            heart.start()
            try:
                while not self._stopping:
                    with self._patience():
                        self._fill()
                        if self._burst and self._idle():
                            break
                        self._hear_of_cancellations()
                    self._mind_the_limits()
                    if heart.is_silent:
                        self._held.give_up()
                    if self._last and not self._held.all():
                        break
                    self._waker.wait(self._patience_s())
            finally:
                self._wind_up(self._waker, heart)
        return 0

    def _begin(self) -> None:
        for kind in sorted(kinds()):
            if self._stopping:
                return
            try:
                handler_of(kind).begin()
            except Exception:
                log.exception("%s could not be prepared; its jobs will say why", kind)

    # Claiming

    def _fill(self) -> None:
        """Claim until no free slot has work."""
        while not self._stopping and not self._last:
            taken = Counter(job.queue for job in self._held.jobs())
            free = [name for name, count in self.slots.items() if taken[name] < count]
            job = claims.claim(free, self.name)
            if job is None:
                return
            if self._left is not None:
                self._left -= 1
                self._last = self._left == 0
            running = Running(job)
            self._held.add(running)
            self._hands.give(f"job-{job.id}", partial(self._work, running))

    def _work(self, running: Running) -> None:
        try:
            attempt(running)
        finally:
            self._held.remove(running)
            self._wake()

    def _idle(self) -> bool:
        return not self._held.all() and claims.none_ready(list(self.slots))

    def _hear_of_cancellations(self) -> None:
        held = self._held.jobs()
        if held and time.monotonic() - self._looked_at_s >= LOOK_S:
            self._looked_at_s = time.monotonic()
            self._held.take_note(claims.look(held))

    def _mind_the_limits(self) -> None:
        for running in self._held.all():
            running.look_at_the_clock()
            if running.deaf:
                # Its thread cannot be ended but with the process: the others finish, and a new one takes over.
                self._last = True
                self._held.remove(running)
                abandon(running)

    def _patience_s(self) -> float:
        poll_s: float = settings.JOBS_POLL_S
        return min(poll_s, CHORES_EVERY_S) if self._held.all() else poll_s

    def _wake(self) -> None:
        if self._waker is not None:
            self._waker.wake()

    # The end

    def _wind_up(self, waker: Waker, heart: Heartbeat) -> None:
        self._held.give_up()
        deadline_s = time.monotonic() + GRACE_S
        while self._held.all() and (left_s := deadline_s - time.monotonic()) > 0:
            waker.wait(left_s)
        heart.stop(_LAST_WORDS_S)
        with contextlib.suppress(Error):
            for job in self._held.jobs():
                log.warning("%s %d does not end; it is given back", job.kind, job.id)
                claims.give_back(job, interruption=False)
            WorkerRow.objects.filter(name=self.name).update(stopped_at=FromNow(), seen_at=FromNow())
        self._hands.close(_LAST_WORDS_S)
        waker.close()
        outages.close()

    @contextlib.contextmanager
    def _patience(self) -> Iterator[None]:
        """A database that is away for a while ends no worker; the heartbeat's thread says so in the log."""
        try:
            yield
        except Error as error:
            log.debug("the dispatcher waits for the database: %s", outages.one_line(error))
            outages.close()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(_number: int, _frame: FrameType | None) -> None:
            self.stop()

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
