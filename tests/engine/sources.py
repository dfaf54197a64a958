"""Sources as the probe would describe them, made without a file: for tests of the pure planning."""

from array import array
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from rushes.engine.source import AudioStream, PacketIndex, Source, Stream, VideoStream

MP4 = frozenset({"mov", "mp4"})
TICK = Fraction(1, 90_000)


def picture(
    size: tuple[int, int] = (1280, 720), *, index: int = 0, time_base: Fraction = TICK, **fields: Any
) -> VideoStream:
    """A video stream that may be copied, unless `fields` say otherwise."""
    told: dict[str, Any] = {
        "codec": "h264",
        "pix_fmt": "yuv420p",
        "profile": "High",
        "codec_string": "avc1.64001f",
        "parameter_sets": 1,
        "field_order": "progressive",
    }
    return VideoStream(index=index, time_base=time_base, width=size[0], height=size[1], **told | fields)


def sound(index: int = 1, *, rate_hz: int = 48_000, **fields: Any) -> AudioStream:
    """An AAC track that may be copied, unless `fields` say otherwise; its ticks are samples."""
    told: dict[str, Any] = {"codec": "aac", "profile": "LC", "channels": 2, "time_base": Fraction(1, rate_hz)}
    return AudioStream(index=index, sample_rate_hz=rate_hz, **told | fields)


def packets(
    pts: Iterable[int],
    *,
    index: int = 0,
    last_duration: int = 1,
    keyframes: Sequence[int] = (0,),
    size_bytes: int = 2_000,
    **fields: Any,
) -> PacketIndex:
    """Packets of equal size in the order given; decoded as presented unless `dts` says otherwise."""
    times = array("q", pts)
    return PacketIndex(
        stream_index=index,
        pts=times,
        dts=array("q", fields.pop("dts", times)),
        size_bytes=array("q", [size_bytes] * len(times)),
        position=array("q", [-1] * len(times)),
        keyframes=array("q", keyframes),
        last_duration=last_duration,
        **fields,
    )


def steady(
    rate: Fraction | int,
    frames: int,
    *,
    time_base: Fraction = TICK,
    start_s: Fraction | int = 0,
    gop: int | None = None,
    **fields: Any,
) -> PacketIndex:
    """`frames` packets at a constant rate, times rounded to the time base as a muxer does; a keyframe every `gop`."""
    step = 1 / (rate * time_base)
    start = start_s / time_base
    times = [round(start + n * step) for n in range(frames)]
    keyframes = range(0, frames, gop or max(1, round(Fraction(rate) * 2)))
    return packets(times, last_duration=max(1, round(step)), keyframes=keyframes, **fields)


def aac(
    duration_s: Fraction | float, *, index: int = 1, rate_hz: int = 48_000, first_pts: int = 0
) -> PacketIndex:
    """Frames of 1,024 samples that last at least `duration_s` from 0 on, a tick a sample."""
    count = -(-(round(duration_s * rate_hz) - first_pts) // 1024)
    times = (first_pts + 1024 * n for n in range(count))
    return packets(times, index=index, last_duration=1024, keyframes=range(count), size_bytes=340)


def source(
    video: tuple[VideoStream, PacketIndex] | None = None,
    *audio: tuple[AudioStream, PacketIndex],
    formats: frozenset[str] = MP4,
    key: str = "0123456789abcdef",
    warnings: tuple[str, ...] = (),
) -> Source:
    """A file of these streams."""
    pairs: list[tuple[Stream, PacketIndex]] = [*([video] if video else []), *audio]
    return Source(
        path=Path("source.mp4"),
        key=key,
        size_bytes=1_000_000,
        formats=formats,
        duration_s=None,
        streams=tuple(stream for stream, _ in pairs),
        packets={stream.index: index for stream, index in pairs},
        warnings=warnings,
    )


def film(
    size: tuple[int, int] = (1280, 720),
    *,
    rate: Fraction | int = 30,
    duration_s: Fraction | int = 20,
    tracks: Sequence[AudioStream] = (),
    gop: int | None = None,
    **fields: Any,
) -> Source:
    """A plain film: constant rate, closed groups of two seconds, sound as long as the picture."""
    frames = max(1, round(rate * duration_s))
    video = picture(size, **fields)
    return source(
        (video, steady(rate, frames, gop=gop, time_base=video.time_base)),
        *(
            (track, aac(Fraction(frames) / rate, index=track.index, rate_hz=track.sample_rate_hz))
            for track in tracks
        ),
    )
