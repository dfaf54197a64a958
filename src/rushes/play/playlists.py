"""Playlists and the manifest, made from the plan on request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rushes.engine import dash, hls
from rushes.engine.plan import AudioTrack, Rung
from rushes.engine.session import Session

from .media import NEVER, not_found, unavailable
from .screening import Screening, Unavailable

HLS = "application/vnd.apple.mpegurl"
DASH = "application/dash+xml"
#: A rendition's playlist is the plan's and never changes, but its address serves another video tomorrow.
ASK_EACH_TIME = "no-cache"

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(screening: Screening) -> list[Route]:
    """Every address of a playlist; all answer HEAD as well as GET."""

    def served(make: Callable[[Session, Request], Response]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            try:
                session = await screening.ready()
            except Unavailable as error:
                return unavailable(str(error))
            return make(session, request)

        return endpoint

    return [
        Route("/master.m3u8", served(_public)),
        Route("/all.m3u8", served(_whole)),
        Route("/manifest.mpd", served(_manifest)),
        Route("/{rendition}/index.m3u8", served(_one_rung)),
        Route("/{rendition}/video.m3u8", served(partial(_media_playlist, Rung))),
        Route("/{rendition}/audio.m3u8", served(partial(_media_playlist, AudioTrack))),
    ]


def _public(session: Session, _: Request) -> Response:
    """Only rungs that can be fed now: any player may take any of them."""
    return _changing(hls.multivariant(session.plan, session.fed_rungs(), _measured(session)), HLS)


def _whole(session: Session, _: Request) -> Response:
    """Every rung, for our page: it is told by events which can be fed, as hls.js reads this only once."""
    return _changing(hls.multivariant(session.plan, _every_rung(session), _measured(session)), HLS)


def _manifest(session: Session, _: Request) -> Response:
    return _changing(dash.manifest(session.plan, session.fed_rungs(), _measured(session)), DASH)


def _measured(session: Session) -> dict[str, hls.Measured]:
    """Of what is complete; the rest is promised by its caps."""
    return {
        rendition.name: hls.measure(rendition, session.segment_bytes(rendition.name))
        for rendition in session.plan.renditions
        if session.complete(rendition.name)
    }


def _every_rung(session: Session) -> tuple[str, ...]:
    return tuple(rung.name for rung in session.plan.rungs)


def _one_rung(session: Session, request: Request) -> Response:
    name = request.path_params["rendition"]
    if name not in _every_rung(session):
        return not_found()
    return _changing(hls.rung_playlist(session.plan, name, _measured(session)), HLS)


def _media_playlist(kind: type[Rung | AudioTrack], session: Session, request: Request) -> Response:
    try:
        rendition = session.plan.rendition(request.path_params["rendition"])
    except KeyError:
        return not_found()
    if not isinstance(rendition, kind):
        return not_found()
    etag = f'"{session.plan.key}-{rendition.key}"'
    headers = {"cache-control": ASK_EACH_TIME, "etag": etag}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(hls.media_playlist(rendition), media_type=HLS, headers=headers)


def _changing(text: str, media_type: str) -> Response:
    """An answer that names what can be fed now: another one a minute later."""
    return Response(text, media_type=media_type, headers={"cache-control": NEVER})
