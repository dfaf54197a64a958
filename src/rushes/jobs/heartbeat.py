"""The one thread of a worker that keeps its leases, writes what its handlers say, and does what one does for all.

A second one asks the database nothing, and so never waits for it: it ends what runs when the leases have run out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from django.conf import settings
from django.db import Error

from . import claims, outages, retention
from .clock import FromNow
from .handlers import handler_of, kinds
from .models import Worker
from .reporting import Held

log = logging.getLogger(__name__)

WRITE_EVERY_S = 1.0  # what handlers say
WATCH_EVERY_S = 1.0  # whether the ledger was reached
PRUNE_EVERY_S = 60.0
_PRUNE_AT_MOST_S = 1.0  # at once; leases have to be extended meanwhile
TIDY_EVERY_S = 60.0


class Heartbeat:
    """Begins with `start` and ends with `stop`. Ends what runs when it has reached nobody for as long as a lease.

    Not `for_all`: only the leases of this process, which may end with its job; others sign on, sweep and tidy.
    """

    def __init__(self, name: str, slots: Mapping[str, int], held: Held, *, for_all: bool = True) -> None:
        self._name = name
        self._slots = dict(slots)
        self._held = held
        self._for_all = for_all
        self._heard_at_s = time.monotonic()
        self._away = False
        self._signed_on = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._watch = threading.Thread(target=self._watch_leases, name="leases", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._watch.start()

    def stop(self, timeout_s: float) -> None:
        """End, and wait for that at most so long."""
        self._ended.set()
        self._thread.join(timeout_s)

    @property
    def is_silent(self) -> bool:
        """Whether the ledger was not reached for a whole lease: others may have our jobs by now."""
        return time.monotonic() - self._heard_at_s > settings.JOBS_LEASE_S

    def _run(self) -> None:
        every = {
            self._beat: settings.JOBS_HEARTBEAT_S,
            self._write: min(WRITE_EVERY_S, settings.JOBS_HEARTBEAT_S),
        }
        if self._for_all:
            every |= {
                self._sweep: settings.JOBS_SWEEP_S,
                self._prune: PRUNE_EVERY_S,
                self._tidy: TIDY_EVERY_S,
            }
            due_s = dict.fromkeys(every, 0.0)
        else:  # a short job is over before its first beat is due
            due_s = {chore: time.monotonic() + pause_s for chore, pause_s in every.items()}
        while not self._ended.is_set():
            for chore, pause_s in every.items():
                if time.monotonic() >= due_s[chore]:
                    due_s[chore] = time.monotonic() + pause_s
                    self._do(chore)
            self._ended.wait(max(0.0, min(due_s.values()) - time.monotonic()))
        outages.close()

    def _watch_leases(self) -> None:
        """Packets that vanish keep the other threads waiting for longer than a lease; ffmpeg must not run on."""
        while not self._ended.wait(min(WATCH_EVERY_S, settings.JOBS_LEASE_S / 2)):
            if self.is_silent:
                self._held.give_up()

    def _do(self, chore: Callable[[], None]) -> None:
        try:
            chore()
            self._away = False
        except Error as error:
            if not self._away:
                log.warning("the database does not answer: %s", outages.one_line(error))
            self._away = True
            outages.close()
        except Exception:
            log.exception("the worker's %s failed", chore.__name__.strip("_"))

    def _beat(self) -> None:
        if self._for_all and not self._signed_on:
            self._sign_on()
        began_s = time.monotonic()  # the lease counts from before, at the latest
        self._held.take_note(claims.heartbeat(self._held.jobs()))
        self._heard_at_s = began_s
        if self._ended.is_set():
            return
        # Not stopped: another of the same name may have said so when it ended.
        heard = Worker.objects.filter(name=self._name).update(seen_at=FromNow(), stopped_at=None)
        if self._for_all and not heard:
            self._sign_on()  # retention has removed it: the database was away for a week

    def _sign_on(self) -> None:
        row = Worker.objects.filter(name=self._name)
        if row.filter(stopped_at=None, seen_at__gt=FromNow(-settings.JOBS_LEASE_S)).exists():
            log.warning(
                "a worker called %s was heard of a moment ago: unless it was killed, give each a WORKER_ID of its own",
                self._name,
            )
        begun = {"started_at": FromNow(), "seen_at": FromNow(), "stopped_at": None}
        Worker.objects.update_or_create(name=self._name, defaults={"queues": self._slots, **begun})
        self._signed_on = True

    def _write(self) -> None:
        for running in self._held.all():
            running.write()

    def _sweep(self) -> None:
        # Shorter than a lease: when a worker dies that had the duty, another has it before the dead one's jobs expire.
        if claims.take_duty("sweep", self._name, 2 * settings.JOBS_SWEEP_S):
            claims.sweep()

    def _tidy(self) -> None:
        for kind in kinds():
            handler_of(kind).tidy()

    def _prune(self) -> None:
        if claims.take_duty("prune", self._name, 2 * PRUNE_EVERY_S):
            until_s = time.monotonic() + _PRUNE_AT_MOST_S
            while retention.prune(most=retention.BATCH) >= retention.BATCH and time.monotonic() < until_s:
                pass
