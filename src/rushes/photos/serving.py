"""The pictures of photos as a raw ASGI application, by the rules of a video's poster: ETag, tokens, types."""

from __future__ import annotations

import logging
import re
from asyncio import to_thread
from functools import partial
from urllib.parse import parse_qs

from django.db import InterfaceError, OperationalError, close_old_connections
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rushes.playback.files import FOREVER, file_answer
from rushes.playback.refusals import beyond_the_end, cors, not_found, refusal
from rushes.videos.access import may_watch
from rushes.videos.models import Visibility
from rushes.videos.senders import find_sender
from rushes.videos.store import MediaStore

from .files import picture_name
from .models import Photo

log = logging.getLogger(__name__)

METHODS = ("GET", "HEAD")
_TYPES = {"webp": "image/webp", "jpg": "image/jpeg"}
#: Nothing else is asked of the database, and nothing else becomes a path.
_OURS = re.compile(r"/api/photo/([A-Za-z0-9_-]{1,32})/([0-9a-f]{1,64})/([0-9]{1,5})\.(webp|jpg)")


class PhotoFiles:
    """Answers what `handles` says; the rest of `/api/photo/` is Django's."""

    @staticmethod
    def handles(scope: Scope) -> bool:
        """Whether the request is for a picture."""
        return scope["type"] == "http" and _OURS.fullmatch(scope["path"]) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            answer = await to_thread(_answer, scope)
        except (OperationalError, InterfaceError):
            log.exception("%s could not be answered", scope["path"])
            answer = refusal(503, "unavailable", "The database does not answer. Try again in a moment.")
        answer.headers["x-content-type-options"] = "nosniff"
        await answer(scope, receive, send)


def _answer(scope: Scope) -> Response:
    match = _OURS.fullmatch(scope["path"])
    if match is None:
        return not_found()
    if scope["method"] not in METHODS:
        answer = refusal(405, "method_not_allowed", "This address can only be read.")
        answer.headers["allow"] = ", ".join(METHODS)
        return answer
    public_id, key, long_px, extension = match.groups()
    close_old_connections()
    try:
        photo = Photo.objects.filter(public_id=public_id, key=key).first()
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [None])[0]
        shared = photo is not None and may_watch(photo, None, token)
        if photo is None or not (shared or _is_ones_own(photo, scope)):
            return not_found()
    finally:
        close_old_connections()
    path = MediaStore().path(picture_name(photo.pk, key, f"{long_px}.{extension}"))
    if not path.is_file():
        return not_found()
    private = photo.visibility == Visibility.PRIVATE
    headers = {
        # The key in its address stands for all of its bytes.
        "cache-control": f"{'private' if private else 'public'}, {FOREVER}",
        **(cors() if shared else {}),
    }
    return file_answer(
        scope,
        path,
        media_type=_TYPES[extension],
        etag=f'"{key}-{long_px}-{extension}"',
        headers=headers,
        found=path.stat(),
        beyond=partial(beyond_the_end, headers),
    )


def _is_ones_own(photo: Photo, scope: Scope) -> bool:
    headers = Headers(scope=scope)
    cookie, authorization = headers.get("cookie", ""), headers.get("authorization", "")
    if not cookie and not authorization:
        return False
    return may_watch(photo, find_sender(cookie, authorization, "read"))
