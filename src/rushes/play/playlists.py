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
from rushes.playback.files import ASK_EACH_TIME, NEVER, unchanged

from .media import not_found, unavailable
from .screening import Screening, Unavailable

HLS = "application/vnd.apple.mpegurl"
DASH = "application/dash+xml"

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(screening: Screening) -> list[Route]:
    """Every address of a playlist; all answer HEAD as well as GET."""

    def served(make: Callable[[Screening, Session, Request], Response]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            try:
                session = await screening.ready()
            except Unavailable as error:
                return unavailable(str(error))
            return make(screening, session, request)

        return endpoint

    return [
        Route("/all.m3u8", served(_whole)),
        Route("/{master:str}.m3u8", served(_public)),
        Route("/manifest.mpd", served(_manifest)),
        Route("/{rendition}/index.m3u8", served(_one_rung)),
        Route("/{rendition}/iframes.m3u8", served(_iframes)),
        Route("/{rendition}/subs.m3u8", served(_text_playlist)),
        Route("/{rendition}/video.m3u8", served(partial(_media_playlist, Rung))),
        Route("/{rendition}/audio.m3u8", served(partial(_media_playlist, AudioTrack))),
    ]


def _public(screening: Screening, session: Session, request: Request) -> Response:
    """Only rungs that can be fed now, of one codec: any player may take any of them."""
    rungs = hls.masters(session.plan, session.fed_rungs()).get(f"{request.path_params['master']}.m3u8")
    if rungs is None:
        return not_found()
    return _changing(hls.multivariant(session.plan, rungs, session.measured(), screening.texts), HLS)


def _whole(_: Screening, session: Session, __: Request) -> Response:
    """For our page: hls.js reads this only once, and events tell which rungs can be fed and of subtitles."""
    names = hls.rungs_for_page(session.plan, session.fed_rungs())
    return _changing(hls.multivariant(session.plan, names, session.measured(), together=True), HLS)


def _manifest(screening: Screening, session: Session, _: Request) -> Response:
    manifest = dash.manifest(session.plan, session.fed_rungs(), session.measured(), screening.texts)
    return _changing(manifest, DASH)


def _one_rung(screening: Screening, session: Session, request: Request) -> Response:
    name = request.path_params["rendition"]
    if name not in {rung.name for rung in session.plan.rungs}:
        return not_found()
    return _changing(hls.rung_playlist(session.plan, name, session.measured(), screening.texts), HLS)


def _iframes(_: Screening, session: Session, request: Request) -> Response:
    """Only of a complete rung: its parts of files are known then."""
    name = request.path_params["rendition"]
    rung = next((rung for rung in session.plan.rungs if rung.name == name), None)
    if rung is None or not session.complete(name):
        return not_found()
    return _changing(hls.iframe_playlist(rung, session.keyframe_bytes(name)), HLS)


def _text_playlist(screening: Screening, session: Session, request: Request) -> Response:
    text = next((text for text in screening.texts if text.name == request.path_params["rendition"]), None)
    if text is None:
        return not_found()
    return _changing(hls.text_playlist(text, session.plan.duration_s), HLS)


def _media_playlist(
    kind: type[Rung | AudioTrack], _: Screening, session: Session, request: Request
) -> Response:
    try:
        rendition = session.plan.rendition(request.path_params["rendition"])
    except KeyError:
        return not_found()
    if not isinstance(rendition, kind):
        return not_found()
    etag = f'"{session.plan.key}-{rendition.key}"'
    # It is the plan's and never changes, but its address serves another video tomorrow.
    headers = {"cache-control": ASK_EACH_TIME, "etag": etag}
    if unchanged(request.scope, etag):
        return Response(status_code=304, headers=headers)
    return Response(hls.media_playlist(rendition), media_type=HLS, headers=headers)


def _changing(text: str, media_type: str) -> Response:
    """An answer that names what can be fed now: another one a minute later."""
    return Response(text, media_type=media_type, headers={"cache-control": NEVER})
