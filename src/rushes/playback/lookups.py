"""What playback asks the database, in a few threads: a request that waits holds neither thread nor connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import close_old_connections

from rushes.pipeline.plans import OUTDATED, is_readable
from rushes.pipeline.streams import Stream, load_stream
from rushes.videos.access import may_watch
from rushes.videos.models import Encode, Video
from rushes.videos.senders import find_sender

THREADS = 4
#: What is answered from may be so old; hundreds of requests a second are one query.
FRESH_S = 1.0
_MOST = 1_000  # videos remembered

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Showing:
    """A video as playback needs it; `stream` is None before there is a plan."""

    video_id: int
    public_id: str
    private: bool
    failed: str | None  # why there will be nothing to play
    title: str
    mp4: str
    poster: str
    thumbnail: str
    storyboard: str
    preview: str
    stream: Stream | None


class Lookups:
    """Answers from the database, remembered for a moment. Lives on the event loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="playback")
        # Writes apart: they may have to wait for the database's lock, and reads never do.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="playback-writes")
        self._seen: dict[str, tuple[float, asyncio.Task[Showing | None]]] = {}

    def close(self) -> None:
        """Take no more questions."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._writer.shutdown(wait=False, cancel_futures=True)

    async def ask(self, question: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Ask the database in one of the threads."""
        work = partial(_with_connection, question, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def tell(self, change: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Write to the database: one after the other, in a thread of their own."""
        work = partial(_with_connection, change, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._writer, work)

    async def showing(self, public_id: str, at_most_s: float = FRESH_S) -> Showing | None:
        """The video, or None; at most `at_most_s` seconds old."""
        now_s = time.monotonic()
        asked_at_s, task = self._seen.get(public_id, (-FRESH_S, None))
        if task is None or now_s - asked_at_s >= at_most_s or (task.done() and task.exception()):
            if len(self._seen) >= _MOST:
                self._seen.clear()
            task = asyncio.ensure_future(self.ask(load_showing, public_id))
            self._seen[public_id] = now_s, task
        return await asyncio.shield(task)

    async def may_watch(self, public_id: str, headers: Mapping[str, str]) -> bool:
        """Whether the request's user may watch a private video: its owner and staff may."""
        cookie, authorization = headers.get("cookie", ""), headers.get("authorization", "")
        if not cookie and not authorization:
            return False
        return await self.ask(_may_watch, public_id, cookie, authorization)


def _with_connection(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    close_old_connections()
    try:
        return work(*arguments, **named)
    finally:
        close_old_connections()


def load_showing(public_id: str) -> Showing | None:
    """Read a video and its stream."""
    video = Video.objects.select_related("active_encode").filter(public_id=public_id).first()
    if video is None:
        return None
    encode: Encode | None = video.active_encode
    failed = video.error if video.status == "failed" and encode is None else None
    if encode is not None and not is_readable(encode):
        failed = OUTDATED
    return Showing(
        video_id=video.pk,
        public_id=public_id,
        private=video.visibility == "private",
        failed=failed,
        title=video.title,
        mp4=encode.mp4 if encode else "",
        poster=encode.poster if encode else "",
        thumbnail=encode.thumbnail if encode else "",
        storyboard=encode.storyboard if encode else "",
        preview=encode.preview if encode else "",
        stream=load_stream(public_id) if encode else None,
    )


def _may_watch(public_id: str, cookie: str, authorization: str) -> bool:
    video = Video.objects.filter(public_id=public_id).first()
    return video is not None and may_watch(video, find_sender(cookie, authorization, "read"))
