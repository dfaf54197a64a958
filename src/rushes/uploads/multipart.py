"""Uploads as they come: the files of a form go to disk while it is read, and Django gets the rest of it.

Django's own ASGI handler first keeps the whole body, then parses it, then the view copies it: three times the disk, and
seconds between the last byte and the first picture. Here the last byte is followed by an fsync and a rename.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings
from django.db import close_old_connections

from rushes.pipeline.backpressure import LineIsFull, Place
from rushes.pipeline.room import free_bytes
from rushes.uploads.forms import FileBegins, FileData, FormReader
from rushes.uploads.incoming import IncomingFile, Received
from rushes.uploads.refusals import App, Message, Receive, Refusal, Scope, Send, answer
from rushes.uploads.requests import SCOPE_KEY
from rushes.videos.senders import find_sender

log = logging.getLogger(__name__)

METHODS = ("POST", "PATCH", "PUT")
#: Written at once: fewer, larger writes by a thread, so that a slow disk does not hold up the event loop.
WRITE_BYTES = 1 << 20
#: Left on the disk for everything else that happens meanwhile.
SPARE_BYTES = 256 << 20
#: Without a byte. A train may come out of its tunnel; a connection that died without a word never ends by itself.
IDLE_S = 300.0
_FORM_OVERHEAD_BYTES = 1 << 20
_FORM = b"application/x-www-form-urlencoded"
_FULL = (errno.ENOSPC, errno.EDQUOT)


class StreamingUploads:
    """ASGI middleware: takes multipart forms for addresses that match `paths` from whoever may send them."""

    def __init__(self, app: App, paths: str = r"/api/(?:video|photo)/(?:[^/]+/)?|/upload/") -> None:
        self._app = app
        self._paths = re.compile(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection, as ASGI has it."""
        if not self._takes(scope):
            await self._app(scope, receive, send)
            return
        files: dict[str, IncomingFile] = {}
        headers = _headers(scope)
        place = Place()
        try:
            try:
                await self._check_sender(headers)
                _check_size(headers)
                await asyncio.to_thread(_check_room, _length(headers))
                await asyncio.to_thread(_take, place)
                reader = FormReader(headers.get("content-type", ""))
                await self._read(reader, files, receive, _length(headers))
            except Refusal as refusal:
                await answer(refusal, receive, send, as_page=_is_of_a_browser(headers))
                return
            except _ClientGone:
                return
            await self._hand_on(scope, send, reader, files)
        finally:
            place.leave()
            for file in files.values():
                await asyncio.to_thread(file.discard)

    def _takes(self, scope: Scope) -> bool:
        return (
            scope["type"] == "http"
            and scope["method"] in METHODS
            and self._paths.fullmatch(scope["path"]) is not None
            and _headers(scope).get("content-type", "").lower().startswith("multipart/form-data")
        )

    async def _check_sender(self, headers: Mapping[str, str]) -> None:
        """Before the body is read: nobody fills the disk who is not known. What they may do is the view's question."""
        cookie, authorization = headers.get("cookie", ""), headers.get("authorization", "")
        if not await asyncio.to_thread(_known, cookie, authorization):
            challenge = {"www-authenticate": "Token"}
            raise Refusal(401, "not_authenticated", "Sign in, or send a token that may submit.", challenge)

    async def _read(
        self, reader: FormReader, files: dict[str, IncomingFile], receive: Receive, promised_bytes: int
    ) -> None:
        limit_mb = settings.RUSHES_MAX_UPLOAD_MB
        most = limit_mb * 1_000_000 if limit_mb else None
        current: IncomingFile | None = None
        pending = bytearray()
        more = True
        left_bytes = promised_bytes  # of the body; 0 where its length is not known
        while more:
            message = await _next(receive)
            more = message.get("more_body", False)
            body = message.get("body", b"")
            left_bytes = max(0, left_bytes - len(body))
            for event in reader.feed(body):
                if isinstance(event, FileBegins):
                    # All that is still to come may be this file's.
                    current = files[event.field] = await _begin(event.name)
                    await _reserve(current, left_bytes)
                elif isinstance(event, FileData):
                    pending += event.data
                    assert current is not None
                    if most is not None and current.size_bytes + len(pending) > most:
                        raise _too_large(most)
                    if len(pending) >= WRITE_BYTES:
                        await _write(current, pending)
                        pending = bytearray()
                else:
                    assert current is not None
                    await _write(current, pending, last=True)
                    pending, current = bytearray(), None
        reader.end()

    async def _hand_on(
        self, scope: Scope, send: Send, reader: FormReader, files: dict[str, IncomingFile]
    ) -> None:
        body = urlencode(reader.fields).encode()
        kept = [
            (name, value)
            for name, value in scope["headers"]
            if name.lower() not in (b"content-type", b"content-length", b"transfer-encoding")
        ]
        received: dict[str, Received] = {field: file.as_received() for field, file in files.items()}
        inner = {
            **scope,
            "headers": [*kept, (b"content-type", _FORM), (b"content-length", str(len(body)).encode())],
            SCOPE_KEY: received,
        }
        told = False

        async def receive_form() -> Message:
            nonlocal told
            if told:
                # The file is whole: whoever sent it may go now, and finds the video. Django would stop half-way.
                await asyncio.Event().wait()
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(inner, receive_form, send)


class _ClientGone(Exception):
    """The sender went away in the middle."""


async def _next(receive: Receive) -> Message:
    try:
        async with asyncio.timeout(IDLE_S):
            message = await receive()
    except TimeoutError as error:
        raise Refusal(408, "stalled", f"Nothing came for {IDLE_S:.0f} s; send the file again.") from error
    if message["type"] == "http.disconnect":
        raise _ClientGone
    return message


async def _begin(name: str) -> IncomingFile:
    with _disk():
        return await asyncio.to_thread(IncomingFile, Path(settings.INCOMING_ROOT), name)


async def _reserve(file: IncomingFile, size_bytes: int) -> None:
    def reserve() -> None:
        file.reserve(size_bytes)
        if size_bytes:
            _check_room(0)  # another may have reserved at the same moment

    with _disk():
        await asyncio.to_thread(reserve)


async def _write(file: IncomingFile, data: bytearray, *, last: bool = False) -> None:
    def write() -> None:
        file.write(data)
        # A body may not say how long it is, and others take from the same disk meanwhile.
        if shutil.disk_usage(file.path.parent).free < SPARE_BYTES:
            raise _no_room()
        if last:
            file.sync(whole=True)

    with _disk():
        await asyncio.to_thread(write)


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.error("an upload could not be written: %s", error)
        if error.errno in _FULL:
            raise _no_room() from error
        raise Refusal(
            503, "not_writable", "The server cannot write files now.", {"retry-after": "60"}
        ) from error


def _check_size(headers: Mapping[str, str]) -> None:
    """What the length of the body says already."""
    size_bytes = _length(headers)
    limit_mb = settings.RUSHES_MAX_UPLOAD_MB
    if limit_mb and size_bytes > limit_mb * 1_000_000 + _FORM_OVERHEAD_BYTES:
        raise _too_large(limit_mb * 1_000_000)


def _length(headers: Mapping[str, str]) -> int:
    """Bytes of the body; 0 where it does not say."""
    try:
        return max(0, int(headers.get("content-length", "0")))
    except ValueError:
        return 0


def _check_room(more_bytes: int) -> None:
    """Whether so much more may come without taking what is promised to videos in work. Raises Refusal."""
    root = Path(settings.INCOMING_ROOT)
    with contextlib.suppress(OSError):
        root.mkdir(parents=True, exist_ok=True)
        close_old_connections()
        try:
            free = free_bytes(root)
        finally:
            close_old_connections()
        if free < more_bytes + SPARE_BYTES:
            raise _no_room()


def _too_large(most: int) -> Refusal:
    return Refusal(413, "too_large", f"A file may have at most {most // 1_000_000} MB.")


def _no_room() -> Refusal:
    return Refusal(507, "no_room", "The server has no room for this file.", {"retry-after": "600"})


def _take(place: Place) -> None:
    close_old_connections()
    try:
        place.take()
    except LineIsFull as error:
        wait = {"retry-after": str(error.retry_after_s)}
        raise Refusal(503, "queue_full", str(error), wait) from error
    finally:
        close_old_connections()


def _is_of_a_browser(headers: Mapping[str, str]) -> bool:
    """Whether a form was sent as such, so that the answer is what somebody reads."""
    return headers.get("accept", "").lstrip().lower().startswith("text/html")


def _known(cookie: str, authorization: str) -> bool:
    close_old_connections()
    try:
        return find_sender(cookie, authorization, "submit") is not None
    finally:
        close_old_connections()


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
