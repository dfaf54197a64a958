"""Background runs stand still for a moment while something is made that somebody waits for."""

from __future__ import annotations

import time
from collections.abc import Callable

from .child import TICK_S, Child

#: In all, of one run. A viewer who seeks without end must not keep the rest of the video from being made.
GIVES_WAY_S = 5.0
_LOOK_S = 0.1


def never() -> bool:
    """Of what gives way to nobody."""
    return False


class Way:
    """Whether one child goes on or stands still. Asked by the thread that reads it."""

    def __init__(self, gives_way: Callable[[], bool]) -> None:
        self._gives_way = gives_way
        self._left_s = 0.0 if gives_way is never else GIVES_WAY_S
        self._still_since_s: float | None = None

    @property
    def tick_s(self) -> float:
        """How often to look."""
        return TICK_S if self._gives_way is never else _LOOK_S

    def look(self, child: Child) -> None:
        """Pause the child or let it go on."""
        now_s = time.monotonic()
        still_s = 0.0 if self._still_since_s is None else now_s - self._still_since_s
        had_better = still_s < self._left_s and self._gives_way()
        if had_better and self._still_since_s is None:
            self._still_since_s = now_s
            child.pause()
        elif not had_better and self._still_since_s is not None:
            self._left_s -= still_s
            self._still_since_s = None
            child.resume()
