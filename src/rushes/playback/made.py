"""What is made beside the streams, as it lies in the store: download, pictures, storyboard, preview."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from urllib.parse import parse_qs

from starlette.responses import Response

from rushes.videos.store import MediaStore

from .asked import Asked, stat_file, text_answer
from .files import ASK_EACH_TIME, FOREVER, file_answer
from .refusals import beyond_the_end, not_found

#: Sheets say which encode they are of: after a takeover whoever has the old storyboard still finds them.
_SHEET = re.compile(r"storyboard-([0-9]{1,18})-[0-9]{1,4}\.jpg")


def made(asked: Asked) -> Response | None:
    """What is made beside the streams; None where the address is of something else."""
    rest, showing = asked.rest, asked.showing
    if rest == "video.mp4":
        return _download(asked)
    if rest == "poster.jpg":
        return _stored(asked, showing.poster, "image/jpeg")
    if rest == "thumbnail.jpg":
        return _stored(asked, showing.thumbnail, "image/jpeg")
    if rest == "preview.mp4":
        return _stored(asked, showing.preview, "video/mp4")
    if rest == "storyboard.vtt":
        return _storyboard(asked)
    if (sheet := _SHEET.fullmatch(rest)) is not None:
        name = f"images/{showing.video_id}/{int(sheet[1])}/{rest}"
        return _stored(asked, name, "image/jpeg", cache=FOREVER)
    return None


def _storyboard(asked: Asked) -> Response:
    """The file as it was made; of a private video each sheet's address carries the token on."""
    path = MediaStore().path(asked.showing.storyboard) if asked.showing.storyboard else None
    if path is None or stat_file(path) is None:
        return not_found("This video has no storyboard.", asked.headers)
    text, token = path.read_text(), asked.token
    if token is not None:
        text = text.replace(".jpg#", f".jpg?token={token}#")
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    cache = f"{asked.shared}, {ASK_EACH_TIME}"
    return text_answer(asked, text, "text/vtt", cache, etag=f'"{digest}"')


def _download(asked: Asked) -> Response:
    query = parse_qs(asked.scope["query_string"].decode("latin-1"))
    wanted = "download" in query
    stem = re.sub(r'[\\/:*?"<>|\x00-\x1f]+', " ", asked.showing.title).strip() or "video"
    return _stored(asked, asked.showing.mp4, "video/mp4", download_as=f"{stem[:150]}.mp4" if wanted else None)


def _stored(
    asked: Asked,
    name: str,
    media_type: str,
    download_as: str | None = None,
    cache: str = ASK_EACH_TIME,
) -> Response:
    path = MediaStore().path(name) if name else None
    found = stat_file(path) if path is not None else None
    if path is None or found is None:
        return not_found("This is not made yet.", asked.headers)
    headers = {**asked.headers, "cache-control": f"{asked.shared}, {cache}"}
    return file_answer(
        asked.scope,
        path,
        media_type=media_type,
        etag=f'"{found.st_mtime_ns:x}-{found.st_size:x}"',
        headers=headers,
        found=found,
        download_as=download_as,
        beyond=partial(beyond_the_end, asked.headers),
    )
