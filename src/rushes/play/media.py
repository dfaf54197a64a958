"""Segments and init segments as a raw ASGI application: published ones at once, planned ones when they are there."""

from __future__ import annotations

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from rushes.engine.plan import AudioTrack, Plan, Rung, locate
from rushes.engine.session import Session
from rushes.playback import files
from rushes.playback.files import NEVER

from .screening import Screening, Unavailable

METHODS = ("GET", "HEAD")


class MediaApp:
    """Serves `<rendition>/<key>/<number>.m4s`, `init.mp4` and subtitles; only names that the plan has exist."""

    def __init__(self, screening: Screening) -> None:
        self._screening = screening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await (await self._answer(scope, receive))(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        if scope["method"] not in METHODS:
            return Response(status_code=405, headers={"allow": ", ".join(METHODS)})
        try:
            session = await self._screening.ready()
        except Unavailable as error:
            return unavailable(str(error))
        name = scope["path"].removeprefix("/")
        if name.endswith(".vtt"):
            return self._text(scope, session, name)
        try:
            rendition, number = locate(session.plan, name)
        except KeyError:
            return not_found()
        if session.published(name):
            session.want(name)  # it tells where the viewer is, and so where to work ahead
        else:
            outcome = await self._screening.holds.wait(name, receive)
            if outcome.kind != "published":
                return unavailable(outcome.reason)
        etag = segment_etag(session.plan, rendition, number)
        kind = "audio/mp4" if isinstance(rendition, AudioTrack) else "video/mp4"
        headers = {"cache-control": f"public, {files.FOREVER}"}
        return files.file_answer(scope, session.folder / name, media_type=kind, etag=etag, headers=headers)

    def _text(self, scope: Scope, session: Session, name: str) -> Response:
        """Subtitles: of those that players are told of all files are there."""
        for text in self._screening.texts:
            segments = map(text.segment_name, range(text.segment_count))
            if name in (text.whole_name, text.empty_name, *segments):
                return files.file_answer(
                    scope,
                    session.folder / name,
                    media_type="text/vtt; charset=utf-8",
                    etag=f'"{text.key}-{name.rpartition("/")[2]}"',
                    headers={"cache-control": f"public, {files.FOREVER}"},
                )
        return not_found()


def segment_etag(plan: Plan, rendition: Rung | AudioTrack, number: int | None) -> str:
    """Bytes depend on the plan alone: the rendition's key and the number name them."""
    return f'"{rendition.key}-{"init" if number is None else number}"'


def unavailable(reason: str) -> Response:
    """503, never 404: a segment of the plan may come yet, and a player that is told otherwise gives it up."""
    return PlainTextResponse(f"{reason}\n", status_code=503, headers={"cache-control": NEVER})


def not_found() -> Response:
    """404: the plan has nothing of that name."""
    return PlainTextResponse(
        "There is nothing of that name here.\n",
        status_code=404,
        headers={"cache-control": NEVER},
    )
