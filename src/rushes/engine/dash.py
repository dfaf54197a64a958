"""A static DASH manifest over the same files as HLS (ISO/IEC 23009-1, live profile: segments by number)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction
from itertools import groupby
from xml.etree import ElementTree as ET

from .hls import Measured
from .plan import AudioTrack, Plan, Rung
from .timeline import Timeline

_NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"


def manifest(plan: Plan, rungs: Collection[str], measured: Mapping[str, Measured] | None = None) -> str:
    """`manifest.mpd` with `rungs`, and every audio track.

    A copied rung has boundaries of its own, which an adaptation set must not mix: it is left out unless it is alone.
    """
    mpd = ET.Element(
        "MPD",
        {
            "xmlns": _NAMESPACE,
            "type": "static",
            "profiles": "urn:mpeg:dash:profile:isoff-live:2011",
            "minBufferTime": "PT4S",
            "mediaPresentationDuration": _duration(plan.duration_s),
        },
    )
    period = ET.SubElement(mpd, "Period", {"id": "0", "start": "PT0S"})
    video = [rung for rung in plan.rungs if rung.name in rungs]
    if any(rung.method == "encode" for rung in video):
        video = [rung for rung in video if rung.method == "encode"]
    if video:
        assert plan.grid is not None
        rate = plan.grid.rate
        attributes = {
            "id": "video",
            "contentType": "video",
            "mimeType": "video/mp4",
            "segmentAlignment": "true",
            "startWithSAP": "1",
            "frameRate": f"{rate.numerator}/{rate.denominator}"
            if rate.denominator > 1
            else str(rate.numerator),
        }
        adaptation = ET.SubElement(period, "AdaptationSet", attributes)
        for rung in video:
            extra = {"width": str(rung.width), "height": str(rung.height), "sar": "1:1"}
            _representation(adaptation, rung, measured or {}, extra)
    for track in plan.audio:
        _audio(period, track, measured or {})
    ET.indent(mpd)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(mpd, encoding="unicode") + "\n"


def _audio(period: ET.Element, track: AudioTrack, measured: Mapping[str, Measured]) -> None:
    adaptation = ET.SubElement(
        period,
        "AdaptationSet",
        {
            "id": track.name,
            "contentType": "audio",
            "mimeType": "audio/mp4",
            "lang": track.language or "und",
            "segmentAlignment": "true",
            "startWithSAP": "1",
        },
    )
    ET.SubElement(
        adaptation,
        "Role",
        {"schemeIdUri": "urn:mpeg:dash:role:2011", "value": "main" if track.default else "alternate"},
    )
    if track.title:
        label = ET.SubElement(adaptation, "Label")
        label.text = "".join(c for c in track.title if c.isprintable())
    extra = {"audioSamplingRate": str(track.sample_rate_hz)}
    representation = _representation(adaptation, track, measured, extra)
    configuration = ET.Element(
        "AudioChannelConfiguration",
        {
            "schemeIdUri": "urn:mpeg:dash:23003:3:audio_channel_configuration:2011",
            "value": str(track.channels),
        },
    )
    representation.insert(0, configuration)


def _representation(
    adaptation: ET.Element,
    rendition: Rung | AudioTrack,
    measured: Mapping[str, Measured],
    extra: Mapping[str, str],
) -> ET.Element:
    found = measured.get(rendition.name)
    bandwidth = found.peak_bps if found else rendition.bandwidth_bps
    attributes = {
        "id": rendition.name,
        "codecs": rendition.codec_string,
        "bandwidth": str(bandwidth),
        **extra,
    }
    representation = ET.SubElement(adaptation, "Representation", attributes)
    template = ET.SubElement(
        representation,
        "SegmentTemplate",
        {
            "timescale": str(rendition.timeline.timescale),
            "startNumber": "0",
            "initialization": rendition.init_name,
            "media": f"{rendition.folder}/$Number$.m4s",
        },
    )
    _timeline(template, rendition.timeline)
    return representation


def _timeline(template: ET.Element, timeline: Timeline) -> None:
    """Equal neighbours are written once, with a count."""
    element = ET.SubElement(template, "SegmentTimeline")
    lengths = [b - a for a, b in zip(timeline.bounds, timeline.bounds[1:], strict=False)]
    time = 0
    for length, run in groupby(lengths):
        count = sum(1 for _ in run)
        attributes = {"d": str(length)} | ({"r": str(count - 1)} if count > 1 else {})
        ET.SubElement(element, "S", ({"t": "0"} if time == 0 else {}) | attributes)
        time += length * count


def _duration(seconds: Fraction) -> str:
    return f"PT{float(seconds):.6f}".rstrip("0").rstrip(".") + "S"
