"""What a video's page is told: one snapshot of everything that it shows, again whenever something changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.db.models import OuterRef, Subquery, Sum

from rushes.pipeline.progress import describe, error_of, is_playable
from rushes.pipeline.streams import Stream, load_stream
from rushes.videos.addresses import Addresses
from rushes.videos.models import Chunk, Subtitle, SubtitleStatus, Video, VideoStatus, Visibility

from .lookups import Lookups

log = logging.getLogger(__name__)

LOOK_S = 0.5
#: A video that is worked on is told anew this often also where nothing of its own changed.
REFRESH_S = 2.0
HEARTBEAT_S = 15.0
_DIGITS = 4  # of the time line: finer than a pixel of any strip that a page draws
#: What a snapshot changes with; `done` are the chunks of what players get.
_SHOWN = (
    *("title", "status", "visibility", "error", "warnings", "progress_percentage"),
    *("active_encode_id", "playable_at", "ready_at", "done", "texts"),
)
_READY_TEXTS = Subquery(
    Subtitle.objects.filter(video=OuterRef("pk"), status=SubtitleStatus.READY)
    .order_by()
    .values("video")
    .annotate(sum=Sum("id"))
    .values("sum")
)
_STATES = {VideoStatus.READY: "finished", VideoStatus.FAILED: "failed"}


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What is known of a video that somebody looks at. `mark` changes with what its page shows."""

    text: str
    private: bool
    mark: tuple[Any, ...]
    working: bool
    at_s: float


class Events:
    """One reader for all pages of this process; it works only while somebody looks. Lives on the event loop."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._watched: dict[str, set[asyncio.Event]] = {}
        self._told: dict[str, _Told | None] = {}  # None: deleted
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._closing = False

    def close(self) -> None:
        """End every stream."""
        self._closing = True
        self._wake.set()
        for watchers in self._watched.values():
            for changed in watchers:
                changed.set()

    async def stream(
        self, public_id: str, may_watch_private: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[str]:
        """Events named `status`, each a whole snapshot; it ends with `deleted` when the video is.

        Of a private video nothing is told to whom `may_watch_private` refuses: it may not have been private before.
        """
        changed = asyncio.Event()
        self._watched.setdefault(public_id, set()).add(changed)
        if public_id not in self._told:
            self._wake.set()  # the first snapshot need not wait for the next look
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._read())
        text = ""
        try:
            while not self._closing:
                if public_id in self._told:
                    told = self._told[public_id]
                    if told is None:
                        yield "event: deleted\ndata: {}\n\n"
                        return
                    if told.text != text:
                        if told.private and not await may_watch_private():
                            return
                        text = told.text
                        yield f"event: status\ndata: {text}\n\n"
                        continue  # there may be news since
                changed.clear()
                try:
                    await asyncio.wait_for(changed.wait(), HEARTBEAT_S)
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._watched[public_id].discard(changed)
            if not self._watched[public_id]:
                del self._watched[public_id]
                self._told.pop(public_id, None)

    async def _read(self) -> None:
        while self._watched and not self._closing:
            self._wake.clear()
            try:
                news = await self._lookups.ask(_news, list(self._watched), dict(self._told))
            except Exception as error:  # a database that is away: the next time will tell
                log.warning("what pages show could not be read: %s", error)
                news = {}
            for public_id, told in news.items():
                if public_id in self._watched:
                    self._told[public_id] = told
                    for changed in self._watched[public_id]:
                        changed.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_S)


def _news(public_ids: list[str], known: dict[str, _Told | None]) -> dict[str, _Told | None]:
    """What has changed: one query for all, and more only for the videos that have."""
    news: dict[str, _Told | None] = {}
    rows = Video.objects.filter(public_id__in=public_ids).annotate(
        done=Sum("active_encode__renditions__chunks_done"),
        # What is added or removed changes the sum of the ids; subqueries, as joins would multiply the other sum.
        texts=_READY_TEXTS,
    )
    videos = {video.public_id: video for video in rows}
    for public_id in public_ids:
        before = known.get(public_id)
        video = videos.get(public_id)
        if video is None:
            if public_id not in known or before is not None:
                news[public_id] = None
            continue
        mark = tuple(str(getattr(video, field)) for field in _SHOWN)
        # The pace, and the place in line, change also with what is done for others.
        due = before is not None and before.working and time.monotonic() - before.at_s >= REFRESH_S
        if before is None or before.mark != mark or due:
            try:
                news[public_id] = _told_of(public_id, mark)
            except Exception:  # one video's fault is no reason to tell nothing of the others
                log.exception("the page of video %s could not be told", video.pk)
    return news


def _told_of(public_id: str, mark: tuple[Any, ...]) -> _Told | None:
    videos = Video.objects.select_related("active_encode").defer("active_encode__plan_json")
    video = videos.filter(public_id=public_id).first()
    if video is None:
        return None
    return _Told(
        text=json.dumps(snapshot(video), separators=(",", ":")),
        private=video.visibility == Visibility.PRIVATE,
        mark=mark,
        working=VideoStatus(video.status) not in _STATES,
        at_s=time.monotonic(),
    )


def snapshot(video: Video) -> dict[str, Any]:
    """Everything that the page shows, as plain data; times in seconds, `progress` and `there` are parts of 1."""
    told = describe(video)
    stream = load_stream(video.public_id) if video.active_encode else None
    state = _STATES.get(VideoStatus(video.status), "encoding" if stream else "reading")
    shown: dict[str, Any] = {
        "title": video.title,
        "state": state,
        "status": video.status,
        "playable": is_playable(video),
        "progress_percentage": told["progress_percentage"],
        "eta_seconds": told["eta_seconds"],
        "queue_position": told["queue_position"],
        "error": error_of(video) or None,
        "warnings": video.warnings,
        "progress": told["progress_percentage"] / 100,
        "eta_s": told["eta_seconds"],
        "rungs": [],
        "audio": [],
        "subtitles": [],
        "failures": [],
    }
    if stream is not None:
        addresses = Addresses(video)
        shown |= {
            "version": stream.encode_id,  # what plays now is another one when this changes
            "duration_s": float(stream.plan.duration_s),
            "rungs": _rungs(stream),
            "audio": [
                {"name": t.name, "language": t.language, "title": t.title, "default": t.default}
                for t in stream.plan.audio
            ],
            "subtitles": [
                {
                    "name": text.name,
                    "label": text.label,
                    "language": text.language,
                    "default": text.default,
                    "kind": text.kind,
                    "url": addresses.of(text.whole_name),
                }
                for text in stream.texts
            ],
            "failures": [_failure(stream, *place, reason) for place, reason in stream.failed.items()],
        }
    return shown


def _rungs(stream: Stream) -> list[dict[str, Any]]:
    done: dict[str, list[int]] = {rung.name: [] for rung in stream.plan.rungs}
    unfinished = [name for name in done if name not in stream.complete]
    rows = Chunk.objects.filter(
        rendition__encode=stream.encode_id, rendition__name__in=unfinished, state="done"
    )
    for name, index in rows.order_by("index").values_list("rendition__name", "index"):
        done[name].append(index)
    return [
        {
            "name": rung.name,
            "width": rung.width,
            "height": rung.height,
            "copied": rung.method == "copy",
            "fed": rung.name in stream.fed,
            "complete": rung.name in stream.complete,
            "there": [(0.0, 1.0)]
            if rung.name in stream.complete
            else _spans(stream, rung.name, done[rung.name]),
        }
        for rung in stream.plan.rungs
    ]


def _spans(stream: Stream, name: str, chunks: list[int]) -> list[tuple[float, float]]:
    """The parts of the time line that these chunks are: (start, end), each from 0 to 1, in order, apart."""
    timeline = stream.plan.rendition(name).timeline
    end = timeline.bounds[-1]
    spans = []
    for _, run in groupby(enumerate(chunks), key=lambda pair: pair[1] - pair[0]):
        members = [chunk for _, chunk in run]
        first, last = timeline.chunk_ticks(members[0])[0], timeline.chunk_ticks(members[-1])[1]
        spans.append((round(first / end, _DIGITS), round(last / end, _DIGITS)))
    return spans


def _failure(stream: Stream, name: str, chunk: int, reason: str) -> dict[str, Any]:
    """A chunk that will never come: the page then asks no more for the segments of `rendition` in it."""
    timeline = stream.plan.rendition(name).timeline
    segments = timeline.chunk_segments(chunk)
    end = segments.stop - 1
    return {
        "rendition": name,
        "reason": reason,
        "first_segment": segments.start,
        "last_segment": end,
        "start_s": float(timeline.start_s(segments.start)),
        "end_s": float(timeline.start_s(end) + timeline.segment_duration_s(end)),
    }
