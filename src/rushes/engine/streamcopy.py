"""Which streams may be copied as they are, and how a copy is cut. Pure.

A copied rung is there in a fifth of a second whatever the length, and looks exactly like the source; in exchange the
source has to be what an encoder of ours could have made. Each refusal is a sentence for the user.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from .grid import Grid
from .settings import AAC_FRAME_SAMPLES, COPY_CAP_FACTOR, COPY_CHUNK_S, EDGE_TOLERANCE_S, MAX_RATE, cap_bps
from .source import AudioStream, PacketIndex, VideoStream
from .timeline import Timeline

MAX_GOP_S = (
    10  # a segment is at least a GOP; longer ones make seeking slow and are refused by Apple's validator
)
_CONTAINERS = frozenset({"mov", "mp4", "matroska", "webm"})  # in which ffmpeg seeks to a given keyframe
_PROFILES = frozenset({"Constrained Baseline", "Baseline", "Main", "High"})


@dataclass(frozen=True, kw_only=True)
class VideoCut:
    """How a copied video is cut: its time line, and each chunk's first packet (with an end) in decoding order."""

    timeline: Timeline
    chunk_packets: tuple[int, ...]
    delay_ticks: int  # pts - dts of every keyframe: the same, so that one init segment serves all chunks
    peak_bps: int
    average_bps: int


@dataclass(frozen=True, kw_only=True)
class AudioCut:
    """Frames `first_frame` to `first_frame + frames` of the source's AAC track, counted from its `base_pts`."""

    base_pts: int
    first_frame: int
    frames: int
    bitrate_bps: int


def video_cut(
    video: VideoStream,
    packets: PacketIndex,
    formats: frozenset[str],
    grid: Grid,
    *,
    segment_s: Fraction,
    opening_s: Fraction,
) -> VideoCut | str:
    """The cut of an eligible video, or the reason why it has to be encoded."""
    if reason := _stream_refusal(video, packets, formats, grid):
        return reason
    times, order = packets.pts, packets.keyframes
    if not order or order[0] != 0:
        return "it does not begin with a keyframe"
    if grid.origin_s != times[0] * video.time_base:
        return "its sound begins before its picture"
    for first, after in zip(order, [*order[1:], len(times)], strict=True):
        if any(times[i] <= times[first] for i in range(first + 1, after)):
            return "its groups of pictures are open (a picture before a keyframe needs the group before)"
    delay = times[0] - packets.dts[0]
    if any(times[k] - packets.dts[k] != delay for k in order):
        return "its keyframes have different decoding delays"
    ends = [times[k] - times[0] for k in order] + [max(times) - times[0] + packets.last_duration]
    if any((b - a) * video.time_base > MAX_GOP_S for a, b in pairwise(ends)):
        return f"it has more than {MAX_GOP_S} s between two keyframes"
    if abs(ends[-1] * video.time_base - grid.duration_s) > EDGE_TOLERANCE_S:
        return "its sound outlasts its picture"
    timeline, starts = _cut(ends, order, video.time_base, segment_s, opening_s)
    firsts = [*starts, len(times)]
    sizes = [sum(packets.size_bytes[a:b]) * 8 for a, b in pairwise(firsts)]
    rates = [bits / timeline.segment_duration_s(n) for n, bits in enumerate(sizes)]
    average = sum(sizes) / timeline.duration_s
    cap = cap_bps(*video.display_size, grid.rate) * COPY_CAP_FACTOR
    if average > cap or max(rates) > 2 * cap:
        return (
            f"its bitrate is too high for streaming ({round(average / 1000)} kbit/s, cap {round(cap / 1000)})"
        )
    return VideoCut(
        timeline=timeline,
        chunk_packets=tuple(firsts[n] for n in timeline.chunks),
        delay_ticks=delay,
        peak_bps=round(max(rates)),
        average_bps=round(average),
    )


def _stream_refusal(
    video: VideoStream, packets: PacketIndex, formats: frozenset[str], grid: Grid
) -> str | None:
    told, counted = video.average_rate or grid.rate, _pictures_a_second(video, packets)
    checks = (
        (video.codec != "h264", f"its codec is {video.codec}, not H.264"),
        (video.pix_fmt not in ("yuv420p", "yuvj420p"), f"its pixels are {video.pix_fmt}, not 8-bit 4:2:0"),
        (video.profile not in _PROFILES, f"its H.264 profile is {video.profile}"),
        (video.codec_string is None or video.parameter_sets != 1, "it has not exactly one set of parameters"),
        (not formats & _CONTAINERS, "its container has no exact index"),
        (video.time_base.numerator != 1, "its clock does not tick in whole parts of a second"),
        (video.interlaced, "it is interlaced"),
        (video.hdr != "sdr", "it is HDR"),  # playlists say SDR
        (video.rotation_deg != 0 or video.mirrored, "it is rotated"),
        (video.sample_aspect_ratio != 1, "its pixels are not square"),
        (packets.discarded > 0, "an edit list hides a part of it"),
        (packets.corrupt > 0, "parts of it are damaged"),
        (told > MAX_RATE and told > 2 * counted, "its container tells a wrong number of frames a second"),
        (max(told, counted) > MAX_RATE, "it has more than 60 frames a second"),
    )
    return next((reason for refused, reason in checks if refused), None)


def _pictures_a_second(video: VideoStream, packets: PacketIndex) -> Fraction:
    """Counted: a Matroska file may say a thousand of itself, and takes such a frame for all that its last one lasts."""
    span_s = (max(packets.pts) - min(packets.pts)) * video.time_base if len(packets) else 0
    return Fraction(round((len(packets) - 1) / span_s) if span_s else 0)


def _cut(
    ends: list[int], keyframes: Sequence[int], tick: Fraction, segment_s: Fraction, opening_s: Fraction
) -> tuple[Timeline, list[int]]:
    """Segments from keyframe to keyframe, each the shortest that reaches its target; chunks of about 32 s.

    A tail shorter than half a segment belongs to the segment before it.
    """
    bounds, starts = [0], [keyframes[0]]
    while True:
        target = (opening_s if len(bounds) <= 2 else segment_s) / tick
        # A GOP a hair under the target (3.97 s at 29.97) is as good as the target itself.
        at = bisect_left(ends, bounds[-1] + target * Fraction(95, 100), lo=1)
        if at >= len(ends) - 1:
            break
        bounds.append(ends[at])
        starts.append(keyframes[at])
    if len(bounds) > 1 and (ends[-1] - bounds[-1]) * tick < segment_s / 2:
        # A tail that is little more than its keyframe would have a bit rate far above the rest, and need a request.
        bounds.pop()
        starts.pop()
    bounds.append(ends[-1])
    chunks = [0]
    for segment in range(1, len(bounds) - 1):
        if (bounds[segment] - bounds[chunks[-1]]) * tick >= COPY_CHUNK_S:
            chunks.append(segment)
    return (
        Timeline(timescale=tick.denominator, bounds=tuple(bounds), chunks=(*chunks, len(bounds) - 1)),
        starts,
    )


def audio_cut(
    audio: AudioStream,
    packets: PacketIndex,
    formats: frozenset[str],
    origin_s: Fraction,
    duration_s: Fraction,
) -> AudioCut | str:
    """The cut of an eligible AAC track, or the reason why it has to be encoded."""
    rate = audio.sample_rate_hz
    checks = (
        (audio.codec != "aac", f"its codec is {audio.codec}, not AAC"),
        (audio.profile != "LC", f"its AAC profile is {audio.profile}, not LC"),
        (audio.channels not in (1, 2), f"it has {audio.channels} channels"),
        (rate not in (44_100, 48_000), f"its sample rate is {rate} Hz"),
        (not formats & _CONTAINERS, "its container has no exact index"),
        (packets.corrupt > 0, "parts of it are damaged"),
    )
    if reason := next((reason for refused, reason in checks if refused), None):
        return reason
    base = packets.pts[0]
    frame_ticks = Fraction(AAC_FRAME_SAMPLES, rate) / audio.time_base
    if any(abs(pts - base - i * frame_ticks) > 1 for i, pts in enumerate(packets.pts)):
        return "its frames are not evenly spaced"
    offset_frames = (origin_s / audio.time_base - base) / frame_ticks
    first = round(offset_frames)
    if first < 0:
        return "it begins after the picture"
    if abs(offset_frames - first) * AAC_FRAME_SAMPLES * 1000 > rate:
        return "its frames do not fall on the beginning of the picture"
    wanted = -(-duration_s * rate // AAC_FRAME_SAMPLES)
    frames = min(wanted, len(packets) - first)
    if frames < 1 or (wanted - frames) * AAC_FRAME_SAMPLES > EDGE_TOLERANCE_S * rate:
        return "it ends before the picture"
    bits = sum(packets.size_bytes) * 8
    bitrate = round(bits * rate / (len(packets) * AAC_FRAME_SAMPLES))
    if bitrate > 330_000:
        return f"its bitrate is {bitrate // 1000} kbit/s"
    return AudioCut(base_pts=base, first_frame=first, frames=int(frames), bitrate_bps=bitrate)
