"""Playback as a raw ASGI application: playlists, segments that may still be made, downloads, pictures and events."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from django.db import InterfaceError, OperationalError
from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from rushes.pipeline import streams
from rushes.pipeline.streams import Stream
from rushes.videos.access import check_playback
from rushes.videos.store import hls_store

from .asked import Asked, stat_file, text_answer
from .events import Events
from .files import ASK_EACH_TIME, FOREVER, NEVER, file_answer
from .lookups import Lookups, Showing
from .made import made
from .promoter import Promoter
from .refusals import beyond_the_end, cors, not_found, refusal
from .waiting import HOLD_S, Outcome
from .watcher import Wanted, Watcher

log = logging.getLogger(__name__)

HLS = "application/vnd.apple.mpegurl"
DASH = "application/dash+xml"
Located = tuple[Stream, Any, int | None]  # a rendition and a segment's number; None: the init segment
METHODS = ("GET", "HEAD", "OPTIONS")
_ROOT = "/api/video/"
_OURS = re.compile(
    r"/api/video/[^/]+/(?:(?:master(?:-hevc|-av1)?|all)\.m3u8|manifest\.mpd|(?:video|preview)\.mp4"
    r"|(?:poster|thumbnail)\.jpg|events|storyboard\.vtt|storyboard-[0-9]+-[0-9]+\.jpg"
    r"|[^/]+/(?:index|video|iframes|audio|subs)\.m3u8|[^/]+/[^/]+/[^/]+)"
)
#: What public ids and files of plans look like; the database is asked for nothing else.
_PUBLIC_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_FILE = re.compile(r"[a-z0-9-]{1,64}/[0-9a-f]{1,64}/(?:init\.mp4|[0-9]{1,9}\.m4s)")
_TEXT = re.compile(r"(subs-[a-z0-9-]{1,59})/([0-9a-f]{1,64})/(?:all|empty|[0-9]{1,9})\.vtt")


class PlaybackApp:
    """Answers what `handles` says; the rest is Django's."""

    def __init__(self, hold_s: float = HOLD_S) -> None:
        self._lookups = Lookups()
        self._watcher = Watcher(self._lookups, hold_s)
        self._promoter = Promoter(self._lookups)
        self._events = Events(self._lookups)

    @property
    def waiting(self) -> int:
        """Requests that wait at this moment."""
        return self._watcher.waits.count + self._watcher.plans.count

    @staticmethod
    def handles(scope: Scope) -> bool:
        """Whether the request is one for playback."""
        return scope["type"] == "http" and _OURS.fullmatch(scope["path"]) is not None

    def close(self) -> None:
        """The server stops: end every wait and every stream of events. From the event loop or a signal handler."""
        self._watcher.close()
        self._events.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            answer = await self._answer(scope, receive)
        except (OperationalError, InterfaceError):
            log.exception("%s could not be answered", scope["path"])
            answer = refusal(503, "unavailable", "The database does not answer. Try again in a moment.")
        answer.headers["x-content-type-options"] = "nosniff"
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        if scope["method"] not in METHODS:
            answer = refusal(405, "method_not_allowed", "This address can only be read.")
            answer.headers["allow"] = ", ".join(METHODS)
            return answer
        public_id, _, rest = scope["path"].removeprefix(_ROOT).partition("/")
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [None])[0]
        if scope["method"] == "OPTIONS":
            return Response(
                status_code=204,
                headers={
                    **cors(),
                    "access-control-allow-methods": ", ".join(METHODS),
                    "access-control-allow-headers": "range, authorization",
                    "access-control-max-age": "86400",
                },
            )
        showing = await self._lookups.showing(public_id) if _PUBLIC_ID.fullmatch(public_id) else None
        if showing is None:
            return not_found()
        by_token = showing.private and token is not None and check_playback(public_id, token)
        if showing.private and not await self._may_watch_private(scope, public_id, token):
            return not_found()
        asked = Asked(
            scope=scope,
            receive=receive,
            showing=showing,
            rest=rest,
            asked_token=token,
            token=token if by_token else None,
            headers=cors() if by_token or not showing.private else {},
        )
        return await self._serve(asked)

    async def _may_watch_private(self, scope: Scope, public_id: str, token: str | None) -> bool:
        if token is not None and check_playback(public_id, token):
            return True
        return await self._lookups.may_watch(public_id, Headers(scope=scope))

    async def _serve(self, asked: Asked) -> Response:
        rest = asked.rest
        if rest == "events":
            return self._told(asked)
        if (stored := made(asked)) is not None:
            return stored
        planned = await self._planned(asked)
        if isinstance(planned, Response):
            return planned
        if match := _TEXT.fullmatch(rest):
            return await self._text_file(asked, planned, match[1], match[2])
        if rest.count("/") == 2:
            return await self._segment(asked, planned)
        if rest.endswith("/iframes.m3u8"):
            return await self._iframes(asked, planned)
        return self._playlist(asked, planned)

    async def _planned(self, asked: Asked) -> Stream | Response:
        """The stream, held for while the source is being read."""
        showing: Showing | None = asked.showing
        if asked.showing.stream is None and asked.showing.failed is None:
            outcome = await self._watcher.wait_for_plan(asked.showing.public_id, asked.receive)
            if outcome.kind not in ("published", "missing"):
                return refusal(503, "not_ready", "This video is still being read.", asked.headers)
            showing = await self._lookups.showing(asked.showing.public_id, at_most_s=0)
        if showing is None:
            return not_found()
        if showing.stream is None:
            return refusal(404, "not_playable", showing.failed or "There is nothing to play.", asked.headers)
        return showing.stream

    def _told(self, asked: Asked) -> Response:
        headers = {**asked.headers, "cache-control": f"{NEVER}, no-transform", "x-accel-buffering": "no"}
        kind, public_id = "text/event-stream", asked.showing.public_id
        if asked.scope["method"] == "HEAD":
            return Response(media_type=kind, headers=headers)

        async def may_watch_private() -> bool:
            return await self._may_watch_private(asked.scope, public_id, asked.asked_token)

        stream = self._events.stream(public_id, may_watch_private)
        return StreamingResponse(stream, media_type=kind, headers=headers)

    def _playlist(self, asked: Asked, stream: Stream) -> Response:
        rest, uri = asked.rest, asked.uri
        try:
            if rest.startswith("master"):
                return text_answer(asked, streams.master(stream, uri, rest), HLS, NEVER)
            if rest == "all.m3u8":
                return text_answer(asked, streams.page_master(stream, uri), HLS, NEVER)
            if rest == "manifest.mpd":
                return text_answer(asked, streams.manifest(stream, uri), DASH, NEVER)
            rendition, _, file = rest.partition("/")
            if file == "index.m3u8":
                return text_answer(asked, streams.rung_playlist(stream, rendition, uri), HLS, NEVER)
            if file == "subs.m3u8":
                return text_answer(asked, streams.text_playlist(stream, rendition, uri), HLS, NEVER)
            planned = stream.plan.rendition(rendition)
            if file != ("audio.m3u8" if rendition in {t.name for t in stream.plan.audio} else "video.m3u8"):
                raise KeyError(rest)
            etag = f'"{stream.plan.key}-{planned.key}{"-" + asked.token if asked.token else ""}"'
            return text_answer(
                asked, streams.media_playlist(stream, rendition, uri), HLS, ASK_EACH_TIME, etag
            )
        except (KeyError, ValueError):
            return not_found()

    async def _iframes(self, asked: Asked, stream: Stream) -> Response:
        rung = asked.rest.partition("/")[0]
        try:
            text = await self._lookups.ask(streams.iframe_playlist, stream, rung, asked.uri)
        except (KeyError, ValueError):
            return not_found("This rung is not complete yet, or was made without one.", asked.headers)
        return text_answer(asked, text, HLS, NEVER)

    async def _text_file(self, asked: Asked, stream: Stream, name: str, key: str) -> Response:
        """Subtitles: of those that players were told of, also a moment ago, all files are there."""
        if all((text.name, text.key) != (name, key) for text in stream.texts):
            newest = await self._lookups.showing(asked.showing.public_id, at_most_s=0)
            texts = newest.stream.texts if newest is not None and newest.stream is not None else ()
            if all((text.name, text.key) != (name, key) for text in texts):
                return not_found()
        path = hls_store(stream.video_id).path(asked.rest)
        found = stat_file(path)
        if found is None:
            return not_found()
        return file_answer(
            asked.scope,
            path,
            media_type="text/vtt; charset=utf-8",
            etag=f'"{key}-{path.stem}"',
            headers={**asked.headers, "cache-control": f"{asked.shared}, {FOREVER}"},
            found=found,
            beyond=partial(beyond_the_end, asked.headers),
        )

    async def _segment(self, asked: Asked, stream: Stream) -> Response:
        name = asked.rest
        located = await self._located(asked, stream)
        if located is None:
            return not_found()
        stream, rendition, number = located
        path = hls_store(stream.video_id).path(name)
        found = stat_file(path)
        if found is None:
            chunk = rendition.timeline.chunk_of(number or 0)
            self._promoter.wait_begins(stream, rendition.name, number)
            wanted = Wanted(path, stream.encode_id, rendition.name, chunk)
            outcome = await self._watcher.wait(wanted, asked.receive)
            found = stat_file(path)
            if outcome.kind == "missing":
                return not_found()
            if found is None:
                return self._unavailable(asked, outcome)
        elif number is not None:
            self._promoter.served(stream, rendition.name, number)
        kind = "audio/mp4" if rendition.name in {t.name for t in stream.plan.audio} else "video/mp4"
        headers = {**asked.headers, "cache-control": f"{asked.shared}, {FOREVER}"}
        etag = f'"{rendition.key}-{"init" if number is None else number}"'
        return file_answer(
            asked.scope,
            path,
            media_type=kind,
            etag=etag,
            headers=headers,
            found=found,
            beyond=partial(beyond_the_end, asked.headers),
        )

    async def _located(self, asked: Asked, stream: Stream) -> Located | None:
        """Where a name belongs: to the stream, to the one that has taken its place, or to one before it."""
        name, public_id = asked.rest, asked.showing.public_id
        if not _FILE.fullmatch(name):
            return None
        with suppress(KeyError):
            return stream, *streams.locate(stream, name)
        # Another process may have handed out playlists of an encode that took over less than a moment ago.
        newest = await self._lookups.showing(public_id, at_most_s=0)
        if newest is not None and newest.stream is not None:
            with suppress(KeyError):
                return newest.stream, *streams.locate(newest.stream, name)
        folder, key, _ = name.split("/")
        retired = await self._lookups.ask(streams.retired_stream, public_id, folder, key)
        if retired is not None:
            with suppress(KeyError):
                return retired, *streams.locate(retired, name)
        return None

    def _unavailable(self, asked: Asked, outcome: Outcome) -> Response:
        return refusal(503, "not_ready", outcome.reason, {**asked.headers, "cache-control": NEVER})
