"""The threads of a worker that run jobs: started when they are needed, kept while there is more to do."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable

from django.db import Error, connections

from . import outages

#: A hand that waits for longer gives its database connection back and ends. A new one costs more than a job that does
#: nothing, most of it for opening the connection.
IDLE_S = 2.0


class Hands:
    """Runs what it is given at once, each in a thread of its own: one that waits, else a new one.

    Daemons: one that hears nothing must not keep the process from ending.
    """

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._waiting = 0  # hands that wait and have been given nothing yet
        self._leaving = 0  # hands that were sent away and have not gone yet
        self._closed = False
        self._given: queue.SimpleQueue[tuple[str, Callable[[], None]] | None] = queue.SimpleQueue()

    def give(self, name: str, work: Callable[[], None]) -> None:
        """Run `work`, which raises nothing, in a thread that bears the name meanwhile."""
        with self._change:
            if self._waiting:
                self._waiting -= 1
                self._given.put((name, work))
                return
        threading.Thread(target=self._run, args=(name, work), name=name, daemon=True).start()

    def close(self, timeout_s: float) -> None:
        """Send away those that wait, at once, and those that work, when they have done; wait for the former."""
        with self._change:
            self._closed = True
            for _ in range(self._waiting):
                self._given.put(None)
            self._leaving, self._waiting = self._waiting, 0
            self._change.wait_for(lambda: self._leaving == 0, timeout_s)

    def _run(self, name: str, work: Callable[[], None]) -> None:
        sent_away = False
        try:
            while True:
                threading.current_thread().name = name
                work()
                with self._change:
                    if self._closed:
                        return
                    self._waiting += 1
                following = self._next()
                sent_away = following is None
                if following is None:
                    return
                outages.close_if_lost()
                name, work = following
        except queue.Empty:
            pass
        finally:
            with contextlib.suppress(Error):
                connections.close_all()  # this thread's
            if sent_away:
                with self._change:
                    self._leaving -= 1
                    self._change.notify_all()

    def _next(self) -> tuple[str, Callable[[], None]] | None:
        """Raises queue.Empty where nothing comes."""
        with contextlib.suppress(queue.Empty):
            return self._given.get(timeout=IDLE_S)
        with self._change:
            if self._waiting:
                self._waiting -= 1
                raise queue.Empty
        return self._given.get()  # something was given to one that waits, and this is the one that is left
