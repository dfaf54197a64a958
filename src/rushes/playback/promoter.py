"""Tells the ledger what viewers wait for and will ask for next, once per chunk and not for every request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine

from rushes.pipeline.streams import Stream
from rushes.pipeline.window import AHEAD_CHUNKS, promote
from rushes.videos.store import hls_store

from .lookups import Lookups

log = logging.getLogger(__name__)

#: A wish is told again after this long: its job may have been cancelled, or never written.
AGAIN_S = 5.0
_MOST = 10_000


class Promoter:
    """Lives on the event loop."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._told: dict[tuple[int, str, int], float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def wait_begins(self, stream: Stream, rendition: str, segment: int | None) -> None:
        """Somebody waits for that segment."""
        chunk = stream.plan.rendition(rendition).timeline.chunk_of(segment or 0)
        if self._first_time(stream.encode_id, rendition, chunk):
            self._begin(self._promote(stream.encode_id, rendition, segment))

    def served(self, stream: Stream, rendition: str, segment: int) -> None:
        """Somebody was served that segment: what follows must be there in time."""
        if rendition in stream.complete:
            return
        timeline = stream.plan.rendition(rendition).timeline
        chunk = timeline.chunk_of(segment)
        if self._first_time(stream.encode_id, rendition, -1 - chunk):
            self._begin(self._look_ahead(stream, rendition, chunk))

    def _first_time(self, encode_id: int, rendition: str, chunk: int) -> bool:
        now_s = time.monotonic()
        if now_s - self._told.get((encode_id, rendition, chunk), -AGAIN_S) < AGAIN_S:
            return False
        if len(self._told) >= _MOST:
            self._told.clear()
        self._told[encode_id, rendition, chunk] = now_s
        return True

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look_ahead(self, stream: Stream, rendition: str, chunk: int) -> None:
        planned = stream.plan.rendition(rendition)
        store = hls_store(stream.video_id)
        last = min(chunk + AHEAD_CHUNKS, planned.timeline.chunk_count - 1)
        for following in range(chunk + 1, last + 1):
            segment = planned.timeline.chunks[following]
            if not await asyncio.to_thread(store.exists, planned.segment_name(segment)):
                await self._promote(stream.encode_id, rendition, segment)
                return

    async def _promote(self, encode_id: int, rendition: str, segment: int | None) -> None:
        try:
            await self._lookups.tell(promote, encode_id, rendition, segment)
        except Exception as error:  # the wait goes on: background work brings the chunk, too
            log.warning("a wish could not be written: %s", error)
