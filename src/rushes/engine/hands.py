"""The threads of a session, each making one chunk at a time: what, is the board's choice; where, that of the slots."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

from .giving_way import never
from .schedule import Board, Task
from .slots import Slots, SlotWaitCancelled

log = logging.getLogger(__name__)

URGENT_HANDS = 3  # each with a slot reserved: a picture, its sound, and a second viewer
BACKGROUND_NICE = 10


class Hands:
    """Background hands, which wait for a slot, and urgent ones, which make what somebody waits for and nothing else.

    `board` is asked with `lock` held, which is notified where there may be something new to do. `make` gets a task, how
    nice to be and whether to give way (as `Watch`); it tells the board what became of it. All end when it is `over`, or
    at `stop`; where one ends by a fault, `died` is told of it.
    """

    def __init__(
        self,
        board: Board,
        lock: threading.Condition,
        slots: Slots,
        *,
        background: int,
        urgent: int,
        make: Callable[[Task, int, Callable[[], bool]], None],
        over: Callable[[], bool],
        stop: threading.Event,
        died: Callable[[Exception], None],
    ) -> None:
        self._board, self._lock, self._slots = board, lock, slots
        self._make, self._over, self._stop, self._died = make, over, stop, died
        self._watched = urgent > 0
        roles = [("background", self._background)] * background + [("urgent", self._urgent)] * urgent
        self._threads = [
            threading.Thread(target=self._guarded, args=(role,), name=f"{name} hand {number}")
            for number, (name, role) in enumerate(roles)
        ]

    def start(self) -> None:
        """Once."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until all of them have ended; those that were never started have."""
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _guarded(self, role: Callable[[], None]) -> None:
        try:
            role()
        except Exception as error:
            # The last line of defence: a hand that dies in silence would leave players waiting for ever.
            log.exception("a worker ended")
            self._died(error)

    def _background(self) -> None:
        while not self._over_or_stopped:
            # The slot first, the task then: what is best changes while one waits for a slot.
            try:
                with self._slots.background(self._stop) as slot:
                    task = self._take(lambda: self._board.next_background(lead_first=self._watched))
                    if task is not None:
                        self._make(task, BACKGROUND_NICE, partial(self._gives_way, task, slot))
                        continue
            except SlotWaitCancelled:
                return
            self._wait_for_work()

    def _gives_way(self, task: Task, slot: str) -> bool:
        if not self._slots.must_give_way(slot):
            return False
        with self._lock:
            return not self._board.is_wanted(task)

    def _urgent(self) -> None:
        while not self._over_or_stopped:
            task = self._take(self._board.next_urgent)
            if task is None:
                self._wait_for_work()
                continue
            try:
                with self._slots.urgent(self._stop):
                    self._make(task, 0, never)
            except SlotWaitCancelled:
                return

    def _take(self, choose: Callable[[], Task | None]) -> Task | None:
        with self._lock:
            task = choose()
            if task is not None:
                self._board.started(task)
            return task

    def _wait_for_work(self) -> None:
        with self._lock:
            if not self._over_or_stopped:
                self._lock.wait(1.0)

    @property
    def _over_or_stopped(self) -> bool:
        return self._over() or self._stop.is_set()
