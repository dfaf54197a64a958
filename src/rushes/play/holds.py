"""Waiting for segments that are not there yet: a wait is a future on the event loop, without thread or polling."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from starlette.types import Receive

from rushes.engine.events import Event, Failed, Published
from rushes.engine.session import Session

#: Every player that was tried waits this long (ENGINE.md, section 3); longer was not tried.
HOLD_S = 30.0


@dataclass(frozen=True)
class Outcome:
    """How a wait ended, with the reason where it ended badly."""

    kind: Literal["published", "failed", "late", "gone", "closing"]
    reason: str = ""


PUBLISHED = Outcome("published")
GONE = Outcome("gone", "the client went away")
CLOSING = Outcome("closing", "the server is stopping")


class Holds:
    """The requests that wait, by the name of what they wait for. Not thread-safe: it lives on the event loop."""

    def __init__(self, hold_s: float = HOLD_S) -> None:
        self.hold_s = hold_s
        self._session: Session | None = None
        self._waiting: dict[str, set[asyncio.Future[Outcome]]] = {}
        self._closed = False

    @property
    def count(self) -> int:
        """Requests that wait at this moment."""
        return sum(map(len, self._waiting.values()))

    def open(self, session: Session) -> None:
        """Wait for files of this session from now on."""
        self._session = session

    def close(self) -> None:
        """End every wait, and every later one at once."""
        self._closed = True
        for futures in self._waiting.values():
            _settle(futures, CLOSING)

    async def wait(self, name: str, receive: Receive) -> Outcome:
        """Wait until `name`, a file of the plan, is published, will never be, or `hold_s` seconds are over.

        `receive` is the request's, to notice that its client went away.
        """
        assert self._session is not None
        if self._closed:
            return CLOSING
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, set()).add(future)
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            self._session.want(name)
            # Asked only after the future was there: nothing can be published unnoticed in between.
            self._look_again(name)
            done, _ = await asyncio.wait(
                (future, gone), timeout=self.hold_s, return_when=asyncio.FIRST_COMPLETED
            )
            if future in done:
                return future.result()
            return GONE if gone in done else Outcome("late", "this part is not encoded yet")
        finally:
            gone.cancel()
            self._waiting[name].discard(future)
            if not self._waiting[name]:
                del self._waiting[name]

    def on_event(self, event: Event) -> None:
        """Take note of what the session says."""
        if isinstance(event, Published):
            _settle(self._waiting.get(event.name, ()), PUBLISHED)
        elif isinstance(event, Failed):
            prefix = f"{event.rendition}/"
            for name in [name for name in self._waiting if name.startswith(prefix)]:
                self._look_again(name)

    def _look_again(self, name: str) -> None:
        assert self._session is not None
        if self._session.published(name):
            _settle(self._waiting[name], PUBLISHED)
        elif (reason := self._session.failure(name)) is not None:
            _settle(self._waiting[name], Outcome("failed", reason))


def _settle(futures: set[asyncio.Future[Outcome]] | tuple[()], outcome: Outcome) -> None:
    for future in futures:
        if not future.done():
            future.set_result(outcome)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
