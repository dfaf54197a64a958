"""Beside an engine: what only the ledger can see to, and the work itself while the engine is away.

One runs in each web process and one beside each worker of an engine (`sidecar`). It sweeps, announces what has no
wake-up, prunes; and it has an embedded worker for as long as the engine does not answer, or its own worker takes none
of what is there: a library may lose its connection, or the share of messages of a process that was killed, for ever.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping

from django.conf import settings
from django.db import Error

from rushes.jobs import claims, handlers, outages, retention
from rushes.jobs.clock import FromNow
from rushes.jobs.handlers import handler_of, kinds
from rushes.jobs.heartbeat import PRUNE_EVERY_S, TIDY_EVERY_S
from rushes.jobs.models import Job, Status
from rushes.jobs.models import Worker as WorkerRow
from rushes.jobs.worker import Worker

from . import stopline, wakeups
from .engine import Engine, EngineAway

log = logging.getLogger(__name__)

LOOK_S = 1.0  # how often the engine is asked, and what became ready is announced
STILL_S = 15.0  # a worker that takes nothing for so long, while there is work, stands still
END_LIMIT_S = 5.0


class EmbeddedWorker(Worker):
    """A worker in a thread, which can also end without giving anything back."""

    finishing = False

    def finish(self) -> None:
        """Claim nothing more; end when what runs has ended."""
        self.finishing = True
        self._wake()

    def _fill(self) -> None:
        if not self.finishing:
            super()._fill()
        elif not self._held.all():
            self._stopping = True


class Standby:
    """Runs until it is stopped. `name`: beats for the worker of that name, which has `slots`.

    Not `embeds`: never works itself; its engine is what it stands beside.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        name: str | None = None,
        slots: Mapping[str, int] | None = None,
        embeds: bool = True,
    ) -> None:
        handlers.load()
        self._engine = engine
        self._name = name
        self._slots = slots
        self._embeds = embeds
        self._stopped = threading.Event()
        self._away_since_s: float | None = None
        self._still_since_s: float | None = None
        self._worker: EmbeddedWorker | None = None
        self._worker_thread: threading.Thread | None = None
        self._announces = False
        self._holder = f"standby {name or stopline.worker_name()}"[-100:]

    def stop(self) -> None:
        """End in order: what the embedded worker does is given back. From any thread or signal handler."""
        self._stopped.set()
        if (worker := self._worker) is not None:
            worker.stop()

    def run(self) -> None:
        """Stand by until `stop`."""
        every: dict[Callable[[], None], float] = {
            self._beat: settings.JOBS_HEARTBEAT_S,
            self._sweep: settings.JOBS_SWEEP_S,
            self._look: LOOK_S,
            self._prune: PRUNE_EVERY_S,
            self._tidy: TIDY_EVERY_S,
        }
        due_s = dict.fromkeys(every, 0.0)
        while not self._stopped.is_set():
            for chore, pause_s in every.items():
                if time.monotonic() >= due_s[chore]:
                    due_s[chore] = time.monotonic() + pause_s
                    self._do(chore)
            self._stopped.wait(max(0.0, min(due_s.values()) - time.monotonic()))
        self._wind_up()

    def _do(self, chore: Callable[[], None]) -> None:
        try:
            chore()
        except Error as error:
            log.debug("%s waits for the database: %s", self._holder, outages.one_line(error))
            outages.close()
        except Exception:
            log.exception("standing by: %s failed", chore.__name__.strip("_"))

    def _beat(self) -> None:
        if self._name is not None:
            WorkerRow.objects.update_or_create(
                name=self._name,
                defaults={"queues": dict(self._slots or {}), "seen_at": FromNow(), "stopped_at": None},
            )

    def _sweep(self) -> None:
        # Two duties: an embedded worker may have the sweep, and announces nothing.
        self._announces = claims.take_duty("announce", self._holder, 2 * settings.JOBS_SWEEP_S)
        if claims.take_duty("sweep", self._holder, 2 * settings.JOBS_SWEEP_S):
            claims.sweep()

    def _prune(self) -> None:
        if claims.take_duty("prune", self._holder, 2 * PRUNE_EVERY_S):
            retention.prune(most=retention.BATCH)

    def _tidy(self) -> None:
        for kind in kinds():
            handler_of(kind).tidy()

    def _look(self) -> None:
        """Ask the engine; announce where that is ours to do, take over or hand back."""
        if self._engine.inline:
            self._take_over()
            return
        try:
            if self._announces:
                wakeups.announce(self._engine)
            elif self._embeds:
                self._engine.waiting()
        except EngineAway:
            self._away_since_s = self._away_since_s or time.monotonic()
            if self._embeds and time.monotonic() - self._away_since_s >= self._engine.patience_s:
                self._take_over()
        else:
            self._away_since_s = None
            if self._stands_still():
                self._take_over(f"{self._name} takes none of the work that waits; running inline beside it")
            else:
                self._hand_back()

    def _stands_still(self) -> bool:
        """Whether the worker beside this has taken nothing for a while, though there is work for it.

        Once it does, it does until it holds a job again: what there is no more is the embedded worker's doing.
        """
        if self._name is None or not self._slots or not self._embeds:
            return False
        works = Job.objects.filter(status=Status.PROCESSING, worker=self._name).exists()
        stands_in = self._worker is not None and not self._worker.finishing
        if works or (not stands_in and claims.none_ready(list(self._slots))):
            self._still_since_s = None
        else:
            self._still_since_s = self._still_since_s or time.monotonic()
        return self._still_since_s is not None and time.monotonic() - self._still_since_s >= STILL_S

    def _take_over(self, why: str = "") -> None:
        if self._worker_thread is not None and self._worker_thread.is_alive():
            return
        if not self._engine.inline:
            log.warning("%s", why or self._engine.away_words)
        self._worker = EmbeddedWorker(self._slots)
        self._worker_thread = threading.Thread(target=self._worker.run, name="embedded worker", daemon=True)
        self._worker_thread.start()

    def _hand_back(self) -> None:
        if self._worker is not None and not self._worker.finishing:
            log.warning("%s is back; the embedded worker ends with what it does", self._engine.title)
            self._worker.finish()

    def _wind_up(self) -> None:
        if self._worker is not None:
            self._worker.stop()
        if self._worker_thread is not None:
            self._worker_thread.join(END_LIMIT_S)
        with contextlib.suppress(Error):
            if self._name is not None:
                WorkerRow.objects.filter(name=self._name).update(stopped_at=FromNow(), seen_at=FromNow())
        outages.close()


class InThread:
    """A standby in a thread of this process: the web's."""

    def __init__(self, engine: Engine) -> None:
        self._standby = Standby(engine)
        self._thread = threading.Thread(target=self._standby.run, name="standby", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Tell it to end; does not wait. From any thread or signal handler."""
        self._standby.stop()

    def join(self) -> None:
        """Wait until it has ended, as long as giving jobs back may take."""
        self._thread.join(END_LIMIT_S)
