"""HLS playlists from the plan alone: published before anything is encoded, and never changed.

RFC 8216 and its successor, Apple's authoring specification, and what players were seen to need (docs/explanation).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from .plan import AudioTrack, Plan, Rung

AUDIO_GROUP = "audio"
_VERSION = 7  # EXT-X-MAP with fragmented MP4


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Bit rates of a finished rendition, from its segments' sizes."""

    peak_bps: int
    average_bps: int


def measure(rendition: Rung | AudioTrack, segment_bytes: Sequence[int]) -> Measured:
    """Average, and peak over every run of segments that lasts 0.5 to 1.5 target durations (RFC 8216bis, 4.4.6.2).

    Raises ValueError unless there is a size for each segment.
    """
    timeline = rendition.timeline
    if len(segment_bytes) != timeline.segment_count:
        raise ValueError(f"{len(segment_bytes)} sizes for {timeline.segment_count} segments")
    target = target_duration_s(rendition) * timeline.timescale
    sums = [0, *accumulate(segment_bytes)]
    average = sums[-1] * 8 / timeline.duration_s
    peak = Fraction(0)
    for first, start in enumerate(timeline.bounds[:-1]):
        last = bisect_left(timeline.bounds, start + target * Fraction(1, 2), first + 1)
        while last < len(timeline.bounds) and timeline.bounds[last] - start <= target * Fraction(3, 2):
            bits = (sums[last] - sums[first]) * 8
            peak = max(peak, Fraction(bits * timeline.timescale, timeline.bounds[last] - start))
            last += 1
    return Measured(peak_bps=-(-(peak or average) // 1), average_bps=-(-average // 1))


def target_duration_s(rendition: Rung | AudioTrack) -> int:
    """The longest segment, rounded to whole seconds as EXT-X-TARGETDURATION wants it; at least 1."""
    timeline = rendition.timeline
    longest = max(b - a for a, b in zip(timeline.bounds, timeline.bounds[1:], strict=False))
    return max(1, int(Fraction(longest, timeline.timescale) + Fraction(1, 2)))


def media_playlist(rendition: Rung | AudioTrack) -> str:
    """The whole time line of one rendition, as a VOD playlist; URIs relative to the rendition's folder."""
    timeline = rendition.timeline
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{_VERSION}",
        f"#EXT-X-TARGETDURATION:{target_duration_s(rendition)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{rendition.key}/init.mp4"',
    ]
    # Players add durations up: each is the difference of rounded boundaries, so that the sum never drifts.
    micros = [round(Fraction(bound * 1_000_000, timeline.timescale)) for bound in timeline.bounds]
    for number, (start, end) in enumerate(zip(micros, micros[1:], strict=False)):
        lines += [f"#EXTINF:{(end - start) / 1_000_000:.6f},", f"{rendition.key}/{number}.m4s"]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def multivariant(plan: Plan, rungs: Collection[str], measured: Mapping[str, Measured] | None = None) -> str:
    """The multivariant playlist that names `rungs`; with `measured` (by rendition name) in place of the caps."""
    listed = [rung for rung in plan.rungs if rung.name in rungs]
    return _multivariant(plan, listed, measured or {}, prefix="")


def rung_playlist(plan: Plan, rung: str, measured: Mapping[str, Measured] | None = None) -> str:
    """`<res>/index.m3u8`: a multivariant playlist of one rung with its sound. Raises KeyError."""
    listed = [found for found in plan.rungs if found.name == rung]
    if not listed:
        raise KeyError(rung)
    return _multivariant(plan, listed, measured or {}, prefix="../")


def _multivariant(plan: Plan, rungs: Sequence[Rung], measured: Mapping[str, Measured], prefix: str) -> str:
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{_VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS", ""]
    if not plan.rungs:
        for track in sorted(plan.audio, key=lambda track: not track.default):
            lines += [
                _tag("EXT-X-STREAM-INF", _rates([track], measured) | {"CODECS": _quoted(track.codec_string)}),
                f"{prefix}{track.name}/audio.m3u8",
            ]
        return "\n".join([*lines, ""])
    names = _unique_names(plan.audio)
    for track, name in zip(plan.audio, names, strict=True):
        lines.append(_tag("EXT-X-MEDIA", _audio_attributes(track, name, f"{prefix}{track.name}/audio.m3u8")))
    loudest = max(plan.audio, key=lambda track: _bps(track, measured).peak_bps, default=None)
    for rung in _first_pick_first(plan, rungs):
        assert plan.grid is not None
        with_sound = [rung, *([loudest] if loudest else [])]
        attributes = _rates(with_sound, measured) | {
            "CODECS": _quoted(",".join(dict.fromkeys(part.codec_string for part in with_sound))),
            "RESOLUTION": f"{rung.width}x{rung.height}",
            "FRAME-RATE": f"{float(plan.grid.rate):.3f}",
            "VIDEO-RANGE": "SDR",
            # Without it Shaka reads the first, the middle and the last segment for captions before it starts.
            "CLOSED-CAPTIONS": "NONE",
        }
        if loudest:
            attributes["AUDIO"] = _quoted(AUDIO_GROUP)
        lines += [_tag("EXT-X-STREAM-INF", attributes), f"{prefix}{rung.name}/video.m3u8"]
    return "\n".join([*lines, ""])


def _first_pick_first(plan: Plan, rungs: Sequence[Rung]) -> list[Rung]:
    """What a player starts with comes first: the lead rung, which is sure to be fed and to get through any line."""
    lead = plan.lead_rung
    return sorted(rungs, key=lambda rung: lead is None or rung.name != lead.name)


def _rates(parts: Sequence[Rung | AudioTrack], measured: Mapping[str, Measured]) -> dict[str, str]:
    rates = [_bps(part, measured) for part in parts]
    return {
        "BANDWIDTH": str(sum(rate.peak_bps for rate in rates)),
        "AVERAGE-BANDWIDTH": str(sum(rate.average_bps for rate in rates)),
    }


def _bps(part: Rung | AudioTrack, measured: Mapping[str, Measured]) -> Measured:
    promised = Measured(peak_bps=part.bandwidth_bps, average_bps=part.average_bandwidth_bps)
    return measured.get(part.name, promised)


def _audio_attributes(track: AudioTrack, name: str, uri: str) -> dict[str, str]:
    language = {"LANGUAGE": _quoted(track.language)} if track.language else {}
    return {
        "TYPE": "AUDIO",
        "GROUP-ID": _quoted(AUDIO_GROUP),
        "NAME": _quoted(name),
        **language,
        "DEFAULT": "YES" if track.default else "NO",
        "AUTOSELECT": "YES",
        "CHANNELS": _quoted(str(track.channels)),
        "URI": _quoted(uri),
    }


def _unique_names(audio: Sequence[AudioTrack]) -> list[str]:
    """What a viewer chooses by: title, else language, else number; no two alike, as a group's members must be."""
    names: list[str] = []
    for track in audio:
        name = _plain(track.title or "") or _plain(track.language or "") or f"Audio {track.number}"
        names.append(name if name not in names else f"{name} ({track.number})")
    return names


def _tag(name: str, attributes: Mapping[str, str]) -> str:
    return f"#{name}:{','.join(f'{key}={value}' for key, value in attributes.items())}"


def _quoted(text: str) -> str:
    return f'"{_plain(text)}"'


def _plain(text: str) -> str:
    """Without what a quoted string must not hold (RFC 8216, 4.2): quotes and line breaks; no other controls either."""
    return "".join(c if c.isprintable() else " " for c in text.replace('"', "'")).strip()
