"""Files as answers: ETag, 304, ranges. Knows neither Django nor the engine: `rushes play` answers in the same way."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

#: How long caches may keep what a name contains the key of all of its bytes for.
FOREVER = "max-age=31536000, immutable"
NEVER = "no-store"
#: Keep it, and ask each time whether it is still the same.
ASK_EACH_TIME = "no-cache"

_RANGES = re.compile(r"bytes=\s*(\d+-\d*|-\d+)(\s*,\s*(\d+-\d*|-\d+))*\s*", re.ASCII)


def unchanged(scope: Scope, etag: str) -> bool:
    """Whether the client has this version: If-None-Match names it, weakly compared as RFC 9110 has it."""
    asked = Headers(scope=scope).get("if-none-match")
    if asked is None:
        return False
    tags = (tag.strip().removeprefix("W/") for tag in asked.split(","))
    return any(tag in ("*", etag) for tag in tags)


def beyond_the_end() -> Response:
    """416: no byte of the file is in the part that was asked for."""
    return PlainTextResponse(
        "The file ends before that.\n", status_code=416, headers={"cache-control": NEVER}
    )


def file_answer(
    scope: Scope,
    path: Path,
    *,
    media_type: str,
    etag: str,
    headers: Mapping[str, str],
    found: os.stat_result | None = None,
    download_as: str | None = None,
    beyond: Callable[[], Response] = beyond_the_end,
) -> Response:
    """The file, parts of it, or 304.

    `found` is what `os.stat` said of it, where the caller has asked already. `beyond` makes the refusal of a part
    that the file does not have.
    """
    headers = {**headers, "etag": etag}
    if unchanged(scope, etag):
        return Response(status_code=304, headers=headers)
    answer = _Ranged(path, media_type=media_type, headers=headers, stat_result=found, filename=download_as)
    answer.beyond = beyond
    return answer


class _Ranged(FileResponse):
    """Starlette's, which refuses a Range header that it can't read; RFC 9110 (14.2) has it ignored."""

    beyond: Callable[[], Response]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope).get("range")
        if asked is not None and not _understood(asked):
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() != b"range"]}
        size: str | None = None

        async def send_on(message: Message) -> None:
            nonlocal size
            if message["type"] == "http.response.start" and message["status"] == 416:
                size = Headers(raw=message["headers"])["content-range"]
            if size is None:
                await send(message)

        await super().__call__(scope, receive, send_on)
        if size is not None:
            refusal = self.beyond()
            refusal.headers["content-range"] = size
            await refusal(scope, receive, send)


def _understood(ranges: str) -> bool:
    # Longer numbers than any file has bytes are no ranges, and int() refuses the longest.
    if len(ranges) > 2000 or not _RANGES.fullmatch(ranges):
        return False
    return all(
        not first or not last or int(first[:20]) <= int(last[:20])
        for first, last in re.findall(r"(\d*)-(\d*)", ranges)
    )
