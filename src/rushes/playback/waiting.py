"""Waiting for what is not there yet: a wait is a future on the event loop, without thread or connection.

Knows neither Django nor the engine: `rushes play` waits in the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from starlette.types import Receive

#: Every player that was tried waits this long (docs/engine.md, section 3); longer was not tried.
HOLD_S = 30.0

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Outcome:
    """How a wait ended, with the reason where it ended badly.

    failed: it will never come. missing: what it belonged to was deleted. late: the longest wait is over.
    """

    kind: Literal["published", "failed", "missing", "late", "gone", "closing"]
    reason: str = ""


PUBLISHED = Outcome("published")
GONE = Outcome("gone", "the client went away")
CLOSING = Outcome("closing", "the server is stopping")
LATE = Outcome("late", "this part is not encoded yet")
MISSING = Outcome("missing")


class Waits(Generic[Key]):
    """The requests that wait, by what they wait for. Not thread-safe: it lives on the event loop."""

    def __init__(self, hold_s: float = HOLD_S) -> None:
        self.hold_s = hold_s
        self._waiting: dict[Key, set[asyncio.Future[Outcome]]] = {}
        self._closed = False

    @property
    def count(self) -> int:
        """Requests that wait at this moment."""
        return sum(map(len, self._waiting.values()))

    @property
    def keys(self) -> list[Key]:
        """What is waited for, each once."""
        return list(self._waiting)

    def close(self) -> None:
        """End every wait, and every later one at once."""
        self._closed = True
        for key in self.keys:
            self.settle(key, CLOSING)

    def settle(self, key: Key, outcome: Outcome) -> None:
        """End every wait for it; where nobody waits, nothing happens."""
        for future in self._waiting.get(key, ()):
            if not future.done():
                future.set_result(outcome)

    async def wait(self, key: Key, receive: Receive, begun: Callable[[], None]) -> Outcome:
        """Wait until `key` is settled, the client went away, or `hold_s` seconds are over.

        `begun` is called when the wait can be settled: what happens after it is never missed. `receive` is the
        request's.
        """
        if self._closed:
            return CLOSING
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, set()).add(future)
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            begun()
            done, _ = await asyncio.wait(
                (future, gone), timeout=self.hold_s, return_when=asyncio.FIRST_COMPLETED
            )
            if future in done:
                return future.result()
            return GONE if gone in done else LATE
        finally:
            gone.cancel()
            self._waiting[key].discard(future)
            if not self._waiting[key]:
                del self._waiting[key]


async def disconnected(receive: Receive) -> None:
    """Return when the request's client went away."""
    while (await receive())["type"] != "http.disconnect":
        pass
