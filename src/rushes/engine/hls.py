"""HLS playlists (RFC 8216) from the plan alone: they are published before anything is encoded, and never change.

URIs are relative to where INTERFACES.md puts each playlist: `master.m3u8`, `<res>/index.m3u8`, `<res>/video.m3u8`,
`audio-<n>-<lang>/audio.m3u8`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

from .labels import track_labels, track_language
from .plan import AudioTrack, Plan, Rendition, Rung
from .timeline import Timeline

#: fMP4 segments outside of I-frame playlists need 6; 7 is what CMAF streams are labelled with everywhere.
VERSION = 7
#: What a player is given first needs no more than an ordinary line carries: Apple's default for Wi-Fi.
START_BPS = 4_500_000
_AUDIO_GROUP = "audio"
_HEAD = ("#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a finished rendition really needs, in bits per second."""

    peak_bps: int
    average_bps: int


def measure(rendition: Rung | AudioTrack, segment_bytes: Sequence[int]) -> Measured:
    """The bit rates of a finished rendition, from its segments' sizes in bytes, in order.

    The peak is RFC 8216's (4.1): the largest of any contiguous segments that last 0.5 to 1.5 target durations together.
    Raises ValueError where there is not one size for each segment.
    """
    timeline = rendition.timeline
    if len(segment_bytes) != timeline.segment_count:
        raise ValueError(f"{len(segment_bytes)} sizes for {timeline.segment_count} segments.")
    bounds, target = timeline.bounds, target_duration_s(timeline) * timeline.timescale
    sums = [0]
    for size in segment_bytes:
        sums.append(sums[-1] + size)
    average = Fraction(sums[-1] * 8 * timeline.timescale, bounds[-1])
    peak = average  # also where everything together is shorter than half a target duration
    for first in range(timeline.segment_count):
        for end in range(first + 1, timeline.segment_count + 1):
            ticks = bounds[end] - bounds[first]
            if 2 * ticks > 3 * target:
                break
            if 2 * ticks >= target:
                peak = max(peak, Fraction((sums[end] - sums[first]) * 8 * timeline.timescale, ticks))
    return Measured(peak_bps=ceil(peak), average_bps=ceil(average))


def multivariant(plan: Plan, rungs: Collection[str], measured: Mapping[str, Measured] | None = None) -> str:
    """`master.m3u8`: the named rungs and every audio track. `measured` replaces planned rates, by rendition name.

    Without video, the default audio track is the one variant, and `rungs` is not looked at.
    Raises KeyError for a name that is no rung, ValueError where no rung is named.
    """
    rates = measured or {}
    if not plan.rungs:
        return _text(_audio_only(plan, rates))
    unknown = set(rungs) - {rung.name for rung in plan.rungs}
    if unknown:
        raise KeyError(f"{', '.join(sorted(unknown))}: no such rung")
    listed = [rung for rung in plan.rungs if rung.name in rungs]
    if not listed:
        raise ValueError("A multivariant playlist names at least one rung.")
    first = _start_rung(plan, listed, rates)
    ordered = [first, *(rung for rung in listed if rung is not first)]
    lines = list(_audio_group(plan.audio, ""))
    for rung in ordered:
        lines += [_variant(plan, rung, rates), f"{rung.name}/video.m3u8"]
    return _text(lines)


def rung_playlist(plan: Plan, rung: str, measured: Mapping[str, Measured] | None = None) -> str:
    """`<res>/index.m3u8`: a multivariant playlist of that one rung, which plays with sound by itself.

    Raises KeyError for a name that is no rung.
    """
    chosen = next((candidate for candidate in plan.rungs if candidate.name == rung), None)
    if chosen is None:
        raise KeyError(rung)
    return _text([*_audio_group(plan.audio, "../"), _variant(plan, chosen, measured or {}), "video.m3u8"])


def media_playlist(rendition: Rung | AudioTrack) -> str:
    """`video.m3u8` or `audio.m3u8`: every segment of the plan, there or not yet."""
    timeline = rendition.timeline
    lines = [
        f"#EXT-X-TARGETDURATION:{target_duration_s(timeline)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        f'#EXT-X-MAP:URI="{rendition.key}/init.mp4"',
    ]
    # Times are rounded, not durations: over twelve hours the sum of durations stays within half a microsecond.
    times_us = [round(Fraction(bound * 1_000_000, timeline.timescale)) for bound in timeline.bounds]
    for number, (start, end) in enumerate(pairwise(times_us)):
        duration = end - start
        lines += [
            f"#EXTINF:{duration // 1_000_000}.{duration % 1_000_000:06d},",
            f"{rendition.key}/{number}.m4s",
        ]
    return _text([*lines, "#EXT-X-ENDLIST"])


def target_duration_s(timeline: Timeline) -> int:
    """EXT-X-TARGETDURATION: the longest segment, rounded to whole seconds, half up; at least 1."""
    longest = max(end - start for start, end in pairwise(timeline.bounds))
    return max(1, floor(Fraction(longest, timeline.timescale) + Fraction(1, 2)))


def rates_of(rendition: Rendition, measured: Mapping[str, Measured]) -> Measured:
    """Measured rates where there are any, else those that the plan promises."""
    promised = Measured(peak_bps=rendition.bandwidth_bps, average_bps=rendition.average_bandwidth_bps)
    return measured.get(rendition.name, promised)


def _start_rung(plan: Plan, listed: Sequence[Rung], rates: Mapping[str, Measured]) -> Rung:
    """The rung that is listed first, which is where players start.

    Of those that are there without a wait (copied, encoded ahead of the viewer, or finished and measured) the best that
    START_BPS carries; where all need more, the smallest.
    """
    at_once = [
        rung for rung in listed if rung.method == "copy" or rung == plan.lead_rung or rung.name in rates
    ] or listed
    carried = [rung for rung in at_once if rates_of(rung, rates).peak_bps <= START_BPS]
    if carried:
        return max(carried, key=lambda rung: rung.width * rung.height)
    return min(at_once, key=lambda rung: rates_of(rung, rates).peak_bps)


def _variant(plan: Plan, rung: Rung, measured: Mapping[str, Measured]) -> str:
    assert plan.grid is not None  # a plan with rungs has a grid
    sound = [rates_of(track, measured) for track in plan.audio]
    rates = rates_of(rung, measured)
    codecs = dict.fromkeys([rung.codec_string, *(track.codec_string for track in plan.audio)])
    attributes = {
        # A player adds one of the tracks to the picture: the loudest counts (RFC 8216, 4.3.4.2).
        "BANDWIDTH": rates.peak_bps + max((s.peak_bps for s in sound), default=0),
        "AVERAGE-BANDWIDTH": rates.average_bps + max((s.average_bps for s in sound), default=0),
        "CODECS": _quoted(",".join(codecs)),
        "RESOLUTION": f"{rung.width}x{rung.height}",
        "FRAME-RATE": f"{float(plan.grid.rate):.3f}",
        "VIDEO-RANGE": "SDR",
    }
    if plan.audio:
        attributes["AUDIO"] = _quoted(_AUDIO_GROUP)
    # Without it Shaka reads the first, middle and last segment in search of captions before it starts.
    attributes["CLOSED-CAPTIONS"] = "NONE"
    return "#EXT-X-STREAM-INF:" + _attributes(attributes)


def _audio_only(plan: Plan, measured: Mapping[str, Measured]) -> Iterator[str]:
    default = next(track for track in plan.audio if track.default)
    rates = [rates_of(track, measured) for track in plan.audio]
    attributes: dict[str, object] = {
        "BANDWIDTH": max(rate.peak_bps for rate in rates),
        "AVERAGE-BANDWIDTH": max(rate.average_bps for rate in rates),
        "CODECS": _quoted(",".join(dict.fromkeys(track.codec_string for track in plan.audio))),
    }
    if (
        len(plan.audio) > 1
    ):  # one track alone is the variant itself; a group would make some players read it twice
        yield from _audio_group(plan.audio, "")
        attributes["AUDIO"] = _quoted(_AUDIO_GROUP)
    attributes["CLOSED-CAPTIONS"] = "NONE"
    yield "#EXT-X-STREAM-INF:" + _attributes(attributes)
    yield f"{default.name}/audio.m3u8"


def _audio_group(tracks: Sequence[AudioTrack], root: str) -> Iterator[str]:
    """A member per track; `root` is the way from the playlist to the folder of renditions."""
    by_default = [track for track in tracks if track.default]
    languages = {track_language(track) for track in by_default}
    for track, label in zip(tracks, track_labels(tracks), strict=True):
        language = track_language(track)
        # Of those that a player may choose by itself no two have the same language (RFC 8216, 4.3.4.1.1).
        chosen_alone = track.default or (language is not None and language not in languages)
        languages.add(language)
        attributes: dict[str, object] = {
            "TYPE": "AUDIO",
            "GROUP-ID": _quoted(_AUDIO_GROUP),
            "NAME": _quoted(label),
        }
        if language is not None:
            attributes["LANGUAGE"] = _quoted(language)
        attributes |= {
            "DEFAULT": "YES" if track.default else "NO",
            "AUTOSELECT": "YES" if chosen_alone else "NO",
            "CHANNELS": _quoted(str(track.channels)),
            "URI": _quoted(f"{root}{track.name}/audio.m3u8"),
        }
        yield "#EXT-X-MEDIA:" + _attributes(attributes)


def _attributes(attributes: Mapping[str, object]) -> str:
    return ",".join(f"{name}={value}" for name, value in attributes.items())


def _quoted(text: str) -> str:
    """A quoted-string, which holds no quotation marks or line breaks: `labels.plain` has taken them out of titles."""
    if any(c in text for c in '"\r\n'):
        raise ValueError(f"{text!r} cannot be an attribute of a playlist.")
    return f'"{text}"'


def _text(lines: Sequence[str] | Iterator[str]) -> str:
    return "\n".join((*_HEAD, *lines)) + "\n"
