"""HLS playlists (RFC 8216) from the plan alone: they are published before anything is encoded, and never change.

URIs are relative to where INTERFACES.md puts each playlist: `master.m3u8` (with `master-hevc.m3u8` and
`master-av1.m3u8` beside it, where there are such rungs), `<res>/index.m3u8`, `<res>/video.m3u8`,
`audio-<n>-<lang>/audio.m3u8`. I-frame playlists (`<res>/iframes.m3u8`) name parts of finished files, so they alone come
when a rung is complete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

from .encoders import Codec
from .hls_groups import TEXT, AudioGroup, attributes, audio_groups, audio_members, quoted, text_members
from .hls_groups import text_segments as _text_segments
from .plan import AudioTrack, Plan, Rendition, Rung
from .timeline import Timeline
from .webvtt import TextTrack

#: fMP4 segments outside of I-frame playlists need 6; 7 is what CMAF streams are labelled with everywhere.
VERSION = 7
#: What a player is given first needs no more than an ordinary line carries: Apple's default for Wi-Fi.
START_BPS = 4_500_000
#: Codecs beside H.264, each with a multivariant playlist of its own.
NEWER: tuple[Codec, ...] = ("hevc", "av1")
#: The names that multivariant playlists and the manifest may have.
ENTRANCES = ("master.m3u8", *(f"master-{codec}.m3u8" for codec in NEWER), "manifest.mpd")
_HEAD = ("#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a finished rendition really needs, in bits per second."""

    peak_bps: int
    average_bps: int
    iframes: Measured | None = None  # of a rung's first pictures alone, where their sizes are known


def measure(
    rendition: Rung | AudioTrack, segment_bytes: Sequence[int], keyframe_bytes: Sequence[int] = ()
) -> Measured:
    """The bit rates of a finished rendition, from its segments' sizes in bytes, in order.

    `keyframe_bytes`: how much of each segment holds its first picture, where that is known.
    Raises ValueError where there is not one size for each segment.
    """
    rates = _rates(rendition.timeline, segment_bytes)
    if len(keyframe_bytes) == len(segment_bytes):
        return replace(rates, iframes=_rates(rendition.timeline, keyframe_bytes))
    return rates


def _rates(timeline: Timeline, segment_bytes: Sequence[int]) -> Measured:
    """The peak is RFC 8216's (4.1): the largest of any contiguous segments of 0.5 to 1.5 target durations together."""
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


def multivariant(
    plan: Plan,
    rungs: Collection[str],
    measured: Mapping[str, Measured] | None = None,
    texts: Sequence[TextTrack] = (),
    *,
    together: bool = False,
) -> str:
    """`master.m3u8`: the named rungs, every audio track, and subtitles. `measured` replaces planned rates, by name.

    A source with surround has each rung twice: with stereo, and with surround, of which players take what they can
    play; `together`: once, with all tracks in one group. Without video, the default audio track is the one variant,
    and `rungs` is not looked at. Raises KeyError for a name that is no rung, ValueError where no rung is named.
    """
    rates = measured or {}
    groups = audio_groups(plan, together=together)
    if not plan.rungs:
        return _text(_audio_only(plan, groups, rates, texts))
    unknown = set(rungs) - {rung.name for rung in plan.rungs}
    if unknown:
        raise KeyError(f"{', '.join(sorted(unknown))}: no such rung")
    listed = [rung for rung in plan.rungs if rung.name in rungs]
    if not listed:
        raise ValueError("A multivariant playlist names at least one rung.")
    first = _start_rung(plan, listed, rates)
    ordered = [first, *(rung for rung in listed if rung is not first)]
    lines = _members(plan, groups, texts, "")
    for group in groups or (None,):
        for rung in ordered:
            lines += [_variant(plan, rung, group, rates, texts), f"{rung.name}/video.m3u8"]
    for rung in listed:
        lines += _iframe_variant(rung, rates, f"{rung.name}/")
    return _text(lines)


def masters(plan: Plan, rungs: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Multivariant playlists by file name, with which of the named rungs each lists; `master.m3u8` is the last.

    One for each codec: Chromium's own HLS player takes rungs of several codecs for one ladder, and fails for good when
    it climbs from H.264 to AV1. What can choose for itself (our page, DASH) is given all of them.
    """
    by_codec: dict[str, tuple[str, ...]] = {
        f"master-{codec}.m3u8": tuple(r.name for r in plan.rungs if r.codec == codec and r.name in rungs)
        for codec in NEWER
    }
    found = {name: listed for name, listed in by_codec.items() if listed}
    return found | {"master.m3u8": tuple(r.name for r in plan.rungs if r.codec == "h264" and r.name in rungs)}


def rungs_for_page(plan: Plan, fed: Collection[str]) -> tuple[str, ...]:
    """What is listed for a page that reads the list once, and is told by events which rungs can be fed.

    Every H.264 rung, and of other codecs those that are fed: hls.js settles on a codec by this list.
    """
    return tuple(rung.name for rung in plan.rungs if rung.codec == "h264" or rung.name in fed)


def rung_playlist(
    plan: Plan,
    rung: str,
    measured: Mapping[str, Measured] | None = None,
    texts: Sequence[TextTrack] = (),
) -> str:
    """`<res>/index.m3u8`: a multivariant playlist of that one rung, which plays with sound by itself.

    Raises KeyError for a name that is no rung.
    """
    chosen = next((candidate for candidate in plan.rungs if candidate.name == rung), None)
    if chosen is None:
        raise KeyError(rung)
    groups, rates = audio_groups(plan), measured or {}
    lines = _members(plan, groups, texts, "../")
    for group in groups or (None,):
        lines += [_variant(plan, chosen, group, rates, texts), "video.m3u8"]
    return _text([*lines, *_iframe_variant(chosen, rates, "")])


def text_playlist(text: TextTrack, duration_s: Fraction) -> str:
    """`subs.m3u8`: segmented WebVTT, as long as the video."""
    return _text(_text_segments(text, duration_s))


def media_playlist(rendition: Rung | AudioTrack) -> str:
    """`video.m3u8` or `audio.m3u8`: every segment of the plan, there or not yet."""
    return _text(_media(rendition, None))


def iframe_playlist(rung: Rung, keyframe_bytes: Sequence[int]) -> str:
    """`iframes.m3u8` of a finished rung: the first picture of each segment, for fast winding and for pictures beside
    the progress bar. Each is a part of the segment's file that begins at its first byte.

    Raises ValueError where there is not one size for each segment.
    """
    if len(keyframe_bytes) != rung.timeline.segment_count:
        raise ValueError(f"{len(keyframe_bytes)} sizes for {rung.timeline.segment_count} segments.")
    return _text(_media(rung, keyframe_bytes))


def _media(rendition: Rung | AudioTrack, keyframe_bytes: Sequence[int] | None) -> Iterator[str]:
    timeline = rendition.timeline
    yield f"#EXT-X-TARGETDURATION:{target_duration_s(timeline)}"
    yield "#EXT-X-MEDIA-SEQUENCE:0"
    yield "#EXT-X-PLAYLIST-TYPE:VOD"
    if keyframe_bytes is not None:
        yield "#EXT-X-I-FRAMES-ONLY"
    yield f'#EXT-X-MAP:URI="{rendition.key}/init.mp4"'
    # Times are rounded, not durations: over twelve hours the sum of durations stays within half a microsecond.
    times_us = [round(Fraction(bound * 1_000_000, timeline.timescale)) for bound in timeline.bounds]
    for number, (start, end) in enumerate(pairwise(times_us)):
        duration = end - start
        yield f"#EXTINF:{duration // 1_000_000}.{duration % 1_000_000:06d},"
        if keyframe_bytes is not None:
            yield f"#EXT-X-BYTERANGE:{keyframe_bytes[number]}@0"
        yield f"{rendition.key}/{number}.m4s"
    yield "#EXT-X-ENDLIST"


def target_duration_s(timeline: Timeline) -> int:
    """EXT-X-TARGETDURATION: the longest segment, rounded to whole seconds, half up; at least 1."""
    longest = max(end - start for start, end in pairwise(timeline.bounds))
    return max(1, floor(Fraction(longest, timeline.timescale) + Fraction(1, 2)))


def rates_of(rendition: Rendition, measured: Mapping[str, Measured]) -> Measured:
    """Measured rates where there are any, else those that the plan promises."""
    promised = Measured(peak_bps=rendition.bandwidth_bps, average_bps=rendition.average_bandwidth_bps)
    return measured.get(rendition.name, promised)


def _start_rung(plan: Plan, listed: Sequence[Rung], rates: Mapping[str, Measured]) -> Rung:
    """The rung that is listed first, which is where players start: one of H.264, which every player plays.

    Of those that are there without a wait (copied, encoded ahead of the viewer, or finished and measured) the best that
    START_BPS carries; where all need more, the smallest.
    """
    listed = [rung for rung in listed if rung.codec == "h264"] or listed
    at_once = [
        rung for rung in listed if rung.method == "copy" or rung == plan.lead_rung or rung.name in rates
    ] or listed
    carried = [rung for rung in at_once if rates_of(rung, rates).peak_bps <= START_BPS]
    if carried:
        return max(carried, key=lambda rung: rung.width * rung.height)
    return min(at_once, key=lambda rung: rates_of(rung, rates).peak_bps)


def _members(plan: Plan, groups: Sequence[AudioGroup], texts: Sequence[TextTrack], root: str) -> list[str]:
    lines = [line for group in groups for line in audio_members(plan, group, root)]
    return [*lines, *text_members(texts, root)]


def _variant(
    plan: Plan,
    rung: Rung,
    group: AudioGroup | None,
    measured: Mapping[str, Measured],
    texts: Sequence[TextTrack],
) -> str:
    assert plan.grid is not None  # a plan with rungs has a grid
    tracks = group.tracks if group else ()
    sound = [rates_of(track, measured) for track in tracks]
    rates = rates_of(rung, measured)
    codecs = dict.fromkeys([rung.codec_string, *(track.codec_string for track in tracks)])
    told: dict[str, object] = {
        # A player adds one of the tracks to the picture: the loudest counts (RFC 8216, 4.3.4.2).
        "BANDWIDTH": rates.peak_bps + max((s.peak_bps for s in sound), default=0),
        "AVERAGE-BANDWIDTH": rates.average_bps + max((s.average_bps for s in sound), default=0),
        "CODECS": quoted(",".join(codecs)),
        "RESOLUTION": f"{rung.width}x{rung.height}",
        "FRAME-RATE": f"{float(plan.grid.rate):.3f}",
        "VIDEO-RANGE": "SDR",
    }
    if group is not None:
        told["AUDIO"] = quoted(group.name)
    return "#EXT-X-STREAM-INF:" + attributes(told | _captions(texts))


def _captions(texts: Sequence[TextTrack]) -> dict[str, object]:
    subtitles: dict[str, object] = {"SUBTITLES": quoted(TEXT)} if texts else {}
    # Without it Shaka reads the first, middle and last segment in search of captions before it starts.
    return subtitles | {"CLOSED-CAPTIONS": "NONE"}


def _iframe_variant(rung: Rung, measured: Mapping[str, Measured], root: str) -> Iterator[str]:
    """The line of the rung's I-frame playlist, where that can be made; `root` is the way to the rung's folder."""
    rates = measured.get(rung.name)
    if rates is not None and rates.iframes is not None:
        told = {
            "BANDWIDTH": rates.iframes.peak_bps,
            "AVERAGE-BANDWIDTH": rates.iframes.average_bps,
            "CODECS": quoted(rung.codec_string),
            "RESOLUTION": f"{rung.width}x{rung.height}",
            "VIDEO-RANGE": "SDR",
            "URI": quoted(f"{root}iframes.m3u8"),
        }
        yield "#EXT-X-I-FRAME-STREAM-INF:" + attributes(told)


def _audio_only(
    plan: Plan,
    groups: Sequence[AudioGroup],
    measured: Mapping[str, Measured],
    texts: Sequence[TextTrack],
) -> Iterator[str]:
    # One track alone is the variant itself; a group would make some players read it twice.
    grouped = len(plan.audio) > 1
    yield from _members(plan, groups if grouped else (), texts, "")
    default = next(track for track in plan.stereo if track.default)
    for group in groups:
        rates = [rates_of(track, measured) for track in group.tracks]
        told: dict[str, object] = {
            "BANDWIDTH": max(rate.peak_bps for rate in rates),
            "AVERAGE-BANDWIDTH": max(rate.average_bps for rate in rates),
            "CODECS": quoted(",".join(dict.fromkeys(track.codec_string for track in group.tracks))),
        }
        if grouped:
            told["AUDIO"] = quoted(group.name)
        yield "#EXT-X-STREAM-INF:" + attributes(told | _captions(texts))
        track = next(track for track in group.tracks if track.number == default.number)
        yield f"{track.name}/audio.m3u8"


def _text(lines: Sequence[str] | Iterator[str]) -> str:
    return "\n".join((*_HEAD, *lines)) + "\n"
