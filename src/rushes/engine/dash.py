"""The DASH manifest (ISO/IEC 23009-1) over the same files as the HLS playlists: static, number templates, time lines.

Times in it are those after the init segments' edit lists, which take out the B-frame delay: nothing is offset here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import groupby, pairwise
from xml.etree import ElementTree as ET

from .hls import Measured, rates_of
from .labels import track_labels, track_language
from .plan import AudioTrack, Plan, Rendition, Rung
from .settings import OPENING_SEGMENT_S
from .timeline import Timeline, same_bounds
from .webvtt import TextTrack

_NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
#: Number templates: the profile's name says "live", its static use is what everybody's VOD is.
_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
#: Adaptation sets are numbered: the picture 0, sound as its tracks are, then these.
_SURROUND_IDS, _TEXT_IDS = 1_000, 2_000


def manifest(
    plan: Plan,
    rungs: Collection[str],
    measured: Mapping[str, Measured] | None = None,
    texts: Sequence[TextTrack] = (),
) -> str:
    """`manifest.mpd`: the named rungs, every audio track, and subtitles. `measured` replaces planned rates, by name.

    Each codec is an adaptation set. A copied rung with boundaries of its own is left out, as players switch between
    segments of equal number and time, unless it is the only one of its set.
    Raises KeyError for a name that is no rung, ValueError where a video has no rung named.
    """
    rates = measured or {}
    root = ET.Element(
        "MPD",
        {
            "xmlns": _NAMESPACE,
            "type": "static",
            "profiles": _PROFILE,
            "mediaPresentationDuration": _duration(plan.duration_s),
            # At `bandwidth`, this much in the buffer is always enough: it is the peak over two seconds or more.
            "minBufferTime": _duration(OPENING_SEGMENT_S),
        },
    )
    period = ET.SubElement(root, "Period", {"id": "0", "start": "PT0S"})
    if plan.rungs:
        for number, group in enumerate(_sets(plan, rungs)):
            # Behind those of sound, whose ids are the tracks' numbers.
            _video_set(period, plan, group, rates, 0 if number == 0 else len(plan.audio) + number)
    for track, label in zip(plan.audio, track_labels(plan.audio), strict=True):
        _audio_set(period, track, label, rates)
    for text in texts:
        _text_set(period, text, plan.duration_s)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _sets(plan: Plan, names: Collection[str]) -> list[list[Rung]]:
    """The named rungs by codec: players change between rungs of one set, and choose a set by what they can decode."""
    unknown = set(names) - {rung.name for rung in plan.rungs}
    if unknown:
        raise KeyError(f"{', '.join(sorted(unknown))}: no such rung")
    listed = [rung for rung in plan.rungs if rung.name in names]
    if not listed:
        raise ValueError("A manifest names at least one rung.")
    codecs = dict.fromkeys(rung.codec for rung in listed)
    return [_aligned([rung for rung in listed if rung.codec == codec]) for codec in codecs]


def _aligned(rungs: list[Rung]) -> list[Rung]:
    encoded = next((rung for rung in rungs if rung.method == "encode"), None)
    if encoded is None:
        return rungs
    return [rung for rung in rungs if rung.method == "encode" or same_bounds(rung.timeline, encoded.timeline)]


def _video_set(
    period: ET.Element, plan: Plan, rungs: list[Rung], rates: Mapping[str, Measured], number: int
) -> None:
    assert plan.grid is not None  # a plan with rungs has a grid
    group = ET.SubElement(
        period,
        "AdaptationSet",
        {
            "id": str(number),
            "contentType": "video",
            "mimeType": "video/mp4",
            "segmentAlignment": "true",
            "startWithSAP": "1",  # every segment begins with an IDR picture, and nothing after it is shown before it
        },
    )
    for rung in rungs:
        attributes = {
            "id": rung.name,
            "bandwidth": str(rates_of(rung, rates).peak_bps),
            "codecs": rung.codec_string,
            "width": str(rung.width),
            "height": str(rung.height),
            "frameRate": str(plan.grid.rate),
            "sar": "1:1",
        }
        _segments(ET.SubElement(group, "Representation", attributes), rung, rung.timeline)


def _audio_set(period: ET.Element, track: AudioTrack, label: str, rates: Mapping[str, Measured]) -> None:
    attributes = {
        "id": str(track.number + (_SURROUND_IDS if track.surround else 0)),
        "contentType": "audio",
        "mimeType": "audio/mp4",
        "segmentAlignment": "true",
        "startWithSAP": "1",
    }
    if not track.surround:
        attributes["selectionPriority"] = "2"  # players that would take the most bits start with stereo
    if language := track_language(track):
        attributes["lang"] = language
    group = ET.SubElement(period, "AdaptationSet", attributes)
    ET.SubElement(group, "Label").text = label
    role = "main" if track.default else "alternate"
    ET.SubElement(group, "Role", {"schemeIdUri": "urn:mpeg:dash:role:2011", "value": role})
    representation = ET.SubElement(
        group,
        "Representation",
        {
            "id": track.name,
            "bandwidth": str(rates_of(track, rates).peak_bps),
            "codecs": track.codec_string,
            "audioSamplingRate": str(track.sample_rate_hz),
        },
    )
    scheme = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
    ET.SubElement(
        representation, "AudioChannelConfiguration", {"schemeIdUri": scheme, "value": str(track.channels)}
    )
    _segments(representation, track, track.timeline)


def _text_set(period: ET.Element, text: TextTrack, duration_s: Fraction) -> None:
    """The whole text in one file: every DASH player reads that, few read WebVTT in segments."""
    attributes = {
        "id": str(_TEXT_IDS + int(text.name.split("-")[1])),
        "contentType": "text",
        "mimeType": "text/vtt",
    }
    if text.language:
        attributes["lang"] = text.language
    group = ET.SubElement(period, "AdaptationSet", attributes)
    ET.SubElement(group, "Label").text = text.label
    roles = [
        "forced-subtitle" if text.forced else "caption" if text.hearing_impaired else "subtitle",
        *(["main"] if text.default else []),
    ]
    for role in roles:
        ET.SubElement(group, "Role", {"schemeIdUri": "urn:mpeg:dash:role:2011", "value": role})
    bandwidth_bps = max(1, -(-text.size_bytes * 8 // max(duration_s, Fraction(1))))
    representation = ET.SubElement(
        group, "Representation", {"id": text.name, "bandwidth": str(bandwidth_bps)}
    )
    ET.SubElement(representation, "BaseURL").text = text.whole_name


def _segments(representation: ET.Element, rendition: Rendition, timeline: Timeline) -> None:
    """The template is the representation's own, because the folder's key is; its time line is that of the plan."""
    template = ET.SubElement(
        representation,
        "SegmentTemplate",
        {
            "timescale": str(timeline.timescale),
            "initialization": rendition.init_name,
            "media": f"{rendition.folder}/$Number$.m4s",
            "startNumber": "0",
        },
    )
    along = ET.SubElement(template, "SegmentTimeline")
    start = 0
    for duration, count in _runs(timeline):
        attributes = {"t": str(start)} if start == 0 else {}
        attributes["d"] = str(duration)
        if count > 1:
            attributes["r"] = str(count - 1)
        ET.SubElement(along, "S", attributes)
        start += duration * count


def _runs(timeline: Timeline) -> Iterator[tuple[int, int]]:
    """Durations in ticks, and how many segments in a row have each."""
    durations = (end - start for start, end in pairwise(timeline.bounds))
    for duration, same in groupby(durations):
        yield duration, len(list(same))


def _duration(time_s: Fraction) -> str:
    """ISO 8601: `PT12.345S`, to a microsecond."""
    microseconds = round(time_s * 1_000_000)
    decimals = f"{microseconds % 1_000_000:06d}".rstrip("0")
    return f"PT{microseconds // 1_000_000}{'.' if decimals else ''}{decimals}S"
