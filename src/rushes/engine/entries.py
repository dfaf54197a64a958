"""Where decoding enters the source for each chunk. Pure.

The nearest keyframe is enough and saves the decoding of seconds that nobody sees: a quarter of it with the 2 s groups
of pictures of phones. Pictures shown at or after a keyframe and decoded after it need nothing before it.
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction

from .grid import Grid
from .source import PacketIndex, VideoStream
from .timeline import Timeline

#: In which ffmpeg lands exactly on the keyframe that it is told (measured: see remux); elsewhere it is told earlier.
_EXACT_FORMATS = frozenset({"mov", "mp4", "matroska", "webm"})
_EARLY_S = Fraction(2)  # past it every reference is there, also with indexes by decode time
#: Decoders complain of the pictures before the keyframe of an open group, and so loudly that errors of the chunk itself
#: would not be heard: enter so many keyframes earlier that they have fallen silent.
_OPEN_KEYFRAMES = 3
#: Deinterlacing and field matching look at the pictures before: a full round of a telecine is five.
_FIELDS_EARLY_S = Fraction(1, 2)
_COMPLAINING = frozenset({"h264", "mpeg1video", "mpeg2video", "mpeg4"})


def chunk_entries(
    video: VideoStream, packets: PacketIndex, formats: frozenset[str], grid: Grid, timeline: Timeline
) -> tuple[int, ...]:
    """For each chunk of an encoded rung the time to seek to, in ticks of the video's time base (absolute)."""
    tick = video.time_base
    starts = [
        int((grid.origin_s + timeline.start_s(timeline.chunks[chunk])) / tick // 1)
        for chunk in range(timeline.chunk_count)
    ]
    if video.scan != "progressive":
        starts = [start - int(_FIELDS_EARLY_S / tick) for start in starts]
    keys = sorted(packets.pts[number] for number in packets.keyframes)
    if not formats & _EXACT_FORMATS or not keys or packets.untimed:
        return tuple(start - int(_EARLY_S / tick) for start in starts)
    back = _OPEN_KEYFRAMES if video.codec in _COMPLAINING and _has_open_groups(packets) else 1
    return tuple(keys[max(0, bisect_right(keys, start) - back)] for start in starts)


def _has_open_groups(packets: PacketIndex) -> bool:
    """Whether any keyframe but the first is followed, in decoding order, by pictures that are shown before it."""
    later = list(packets.keyframes)[1:]
    return any(
        number + 1 < len(packets.pts) and packets.pts[number + 1] < packets.pts[number] for number in later
    )
