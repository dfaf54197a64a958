"""What players get of a video: its playlists, and which of its files may be asked for. Read by playback and the API."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rushes.engine import dash, hls
from rushes.engine.plan import AudioTrack, Plan, Rung
from rushes.engine.plan import locate as locate_in_plan
from rushes.engine.webvtt import TextTrack
from rushes.videos.models import Chunk, Encode, EncodeState, Rendition, Video

from .plans import is_readable, plan_of
from .publishing import keyframes_of, measure
from .subtitles import text_tracks

Uri = Callable[[str], str]

_URI_ATTRIBUTE = re.compile(r'URI="([^"]*)"')
_MPD = "urn:mpeg:dash:schema:mpd:2011"


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One encode as it is now. `fed` are rungs that may be promised to players, `failed` what will never come."""

    encode_id: int
    video_id: int
    public_id: str
    plan: Plan
    fed: tuple[str, ...]
    complete: frozenset[str]
    measured: Mapping[str, hls.Measured] = field(default_factory=dict)
    texts: tuple[TextTrack, ...] = ()
    failed: Mapping[tuple[str, int], str] = field(default_factory=dict)


def load_stream(public_id: str) -> Stream | None:
    """The active encode of a video; None where there is no such video, or no plan yet, or one that is not readable."""
    videos = Video.objects.select_related("active_encode").defer("active_encode__plan_json")
    video = videos.filter(public_id=public_id).first()
    if video is None or video.active_encode is None:
        return None
    return _stream(video.active_encode, public_id)


def retired_stream(public_id: str, rendition: str, key: str) -> Stream | None:
    """A retired encode of the video whose segments of that rendition are kept for players that began with it."""
    row = (
        Rendition.objects.filter(
            encode__video__public_id=public_id,
            encode__state=EncodeState.RETIRED,
            name=rendition,
            key=key,
        )
        .select_related("encode")
        .defer("encode__plan_json")
        .order_by("-pk")
        .first()
    )
    return None if row is None else _stream(row.encode, public_id)


def _stream(encode: Encode, public_id: str) -> Stream | None:
    if not is_readable(encode):
        return None
    plan = plan_of(encode.pk)
    complete = frozenset(row.name for row in encode.renditions.all() if row.complete)
    failed = Chunk.objects.filter(rendition__encode=encode, state="failed")
    return Stream(
        encode_id=encode.pk,
        video_id=encode.video_id,
        public_id=public_id,
        plan=plan,
        fed=fed_rungs(plan, complete),
        complete=complete,
        measured=measure(encode, plan) if complete else {},
        texts=text_tracks(encode.video_id, encode.pk),
        failed={
            (name, index): reason
            for name, index, reason in failed.values_list("rendition__name", "index", "reason")
        },
    )


def fed_rungs(plan: Plan, complete: frozenset[str]) -> tuple[str, ...]:
    """Names of the rungs that may be promised to players: the copied one, the lead, and complete ones."""
    lead = plan.lead_rung
    return tuple(
        rung.name for rung in plan.rungs if rung.method == "copy" or rung == lead or rung.name in complete
    )


def locate(stream: Stream, name: str) -> tuple[Rung | AudioTrack, int | None]:
    """Rendition and segment number of "720p/<key>/3.m4s" (None: the init segment). Raises KeyError outside the plan."""
    return locate_in_plan(stream.plan, name)


def master(stream: Stream, uri: Uri = str, name: str = "master.m3u8") -> str:
    """The multivariant playlist of that name: of the fed rungs of one codec. Raises KeyError where there is none."""
    rungs = hls.masters(stream.plan, stream.fed)[name]
    return with_uris(hls.multivariant(stream.plan, rungs, stream.measured, stream.texts), uri)


def page_master(stream: Stream, uri: Uri = str) -> str:
    """For a page that is told which rungs are fed, and of subtitles, whenever they come; it offers all sound."""
    rungs = hls.rungs_for_page(stream.plan, stream.fed)
    return with_uris(hls.multivariant(stream.plan, rungs, stream.measured, together=True), uri)


def rung_playlist(stream: Stream, rung: str, uri: Uri = str) -> str:
    """`<res>/index.m3u8`. Raises KeyError for a name that is no rung."""
    return with_uris(hls.rung_playlist(stream.plan, rung, stream.measured, stream.texts), uri)


def media_playlist(stream: Stream, rendition: str, uri: Uri = str) -> str:
    """`video.m3u8` or `audio.m3u8`. Raises KeyError for a name that is no rendition."""
    return with_uris(hls.media_playlist(stream.plan.rendition(rendition)), uri)


def text_playlist(stream: Stream, name: str, uri: Uri = str) -> str:
    """`subs.m3u8`. Raises KeyError for a name that is no track."""
    return with_uris(hls.text_playlist(text_track(stream, name), stream.plan.duration_s), uri)


def text_track(stream: Stream, name: str) -> TextTrack:
    """The subtitles of that folder name. Raises KeyError."""
    for text in stream.texts:
        if text.name == name:
            return text
    raise KeyError(name)


def iframe_playlist(stream: Stream, rung: str, uri: Uri = str) -> str:
    """`iframes.m3u8` of a complete rung; asks the database. Raises KeyError where there is none, or none yet."""
    planned = next((planned for planned in stream.plan.rungs if planned.name == rung), None)
    row = Rendition.objects.filter(encode=stream.encode_id, name=rung).values_list("pk", flat=True).first()
    if planned is None or row is None or rung not in stream.measured:
        raise KeyError(rung)
    if stream.measured[rung].iframes is None:
        raise KeyError(rung)
    return with_uris(hls.iframe_playlist(planned, keyframes_of(row)), uri)


def manifest(stream: Stream, uri: Uri = str) -> str:
    """`manifest.mpd` of the fed rungs."""
    text = dash.manifest(stream.plan, stream.fed, stream.measured, stream.texts)
    if uri is str:
        return text
    ET.register_namespace("", _MPD)
    root = ET.fromstring(text)
    for template in root.iter(f"{{{_MPD}}}SegmentTemplate"):
        for attribute in ("initialization", "media"):
            template.set(attribute, uri(template.get(attribute, "")))
    for address in root.iter(f"{{{_MPD}}}BaseURL"):
        address.text = uri(address.text or "")
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def with_uris(playlist: str, uri: Uri) -> str:
    """The playlist with every address in it mapped."""
    if uri is str:
        return playlist
    lines = [
        _URI_ATTRIBUTE.sub(lambda match: f'URI="{uri(match[1])}"', line)
        if line.startswith("#") or not line
        else uri(line)
        for line in playlist.split("\n")
    ]
    return "\n".join(lines)
