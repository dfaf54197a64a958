"""Waiting for segments of a session: it says itself when one is published or will never be."""

from __future__ import annotations

from starlette.types import Receive

from rushes.engine.events import Event, Failed, Published
from rushes.engine.session import Session
from rushes.playback.waiting import HOLD_S, PUBLISHED, Outcome, Waits


class Holds:
    """The requests that wait, by the name of what they wait for. Not thread-safe: it lives on the event loop."""

    def __init__(self, hold_s: float = HOLD_S) -> None:
        self._waits: Waits[str] = Waits(hold_s)
        self._session: Session | None = None

    @property
    def count(self) -> int:
        """Requests that wait at this moment."""
        return self._waits.count

    def open(self, session: Session) -> None:
        """Wait for files of this session from now on."""
        self._session = session

    def close(self) -> None:
        """End every wait, and every later one at once."""
        self._waits.close()

    async def wait(self, name: str, receive: Receive) -> Outcome:
        """Wait until `name`, a file of the plan, is published, will never be, or the longest wait is over.

        `receive` is the request's, to notice that its client went away.
        """

        def begun() -> None:
            assert self._session is not None
            self._session.want(name)
            # Asked only after the wait was there: nothing can be published unnoticed in between.
            self._look_again(name)

        return await self._waits.wait(name, receive, begun)

    def on_event(self, event: Event) -> None:
        """Take note of what the session says."""
        if isinstance(event, Published):
            self._waits.settle(event.name, PUBLISHED)
        elif isinstance(event, Failed):
            prefix = f"{event.rendition}/"
            for name in self._waits.keys:
                if name.startswith(prefix):
                    self._look_again(name)

    def _look_again(self, name: str) -> None:
        assert self._session is not None
        if self._session.published(name):
            self._waits.settle(name, PUBLISHED)
        elif (reason := self._session.failure(name)) is not None:
            self._waits.settle(name, Outcome("failed", reason))
