"""A request that may watch, and what every answer to one shares."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response
from starlette.types import Receive, Scope

from rushes.pipeline.streams import Uri

from .files import unchanged
from .lookups import Showing


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request that may watch."""

    scope: Scope
    receive: Receive
    showing: Showing
    rest: str  # below the video's address
    asked_token: str | None  # what the address brought, valid or not
    token: str | None  # of a private video, valid: playlists hand it on
    headers: dict[str, str]

    @property
    def shared(self) -> str:
        """Who may cache."""
        return "private" if self.showing.private else "public"

    @property
    def uri(self) -> Uri:
        """How playlists name files."""
        token = self.token
        return str if token is None else lambda name: f"{name}?token={token}"


def text_answer(asked: Asked, text: str, media_type: str, cache: str, etag: str | None = None) -> Response:
    """A playlist or another short text; 304 where the asker has it."""
    headers = {**asked.headers, "cache-control": cache}
    if etag is not None:
        headers["etag"] = etag
        if unchanged(asked.scope, etag):
            return Response(status_code=304, headers=headers)
    return Response(text, media_type=media_type, headers=headers)


def stat_file(path: Path) -> os.stat_result | None:
    """What there is of that path; None where it is no file."""
    with suppress(OSError):
        found = path.stat()
        return found if stat.S_ISREG(found.st_mode) else None
    return None
