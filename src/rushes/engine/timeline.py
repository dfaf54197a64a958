"""A rendition's time line: where its segments begin, and which of them one chunk makes."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

#: x264 has no more B-frames than a group of pictures has room for. Groups shorter than this (3 B-frames and a keyframe)
#: would get other parameter sets and another delay, so a slide show's groups all have the same length.
FEWEST_OPENING_FRAMES = 4


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Segment n lasts from `bounds[n]` to `bounds[n + 1]` ticks; chunk c makes segments `chunks[c]` to `chunks[c + 1]`.

    `bounds` begins at 0 and rises; `chunks` begins at 0, rises and ends at the number of segments.
    """

    timescale: int  # ticks per second
    bounds: tuple[int, ...]
    chunks: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.timescale < 1 or len(self.bounds) < 2 or self.bounds[0] != 0:
            raise ValueError("A time line has a timescale, starts at 0 and has at least one segment.")
        if self.chunks[0] != 0 or self.chunks[-1] != self.segment_count:
            raise ValueError("The chunks of a time line cover all of its segments.")
        for table in (self.bounds, self.chunks):
            if any(b <= a for a, b in pairwise(table)):
                raise ValueError("Segments and chunks are never empty.")

    @property
    def segment_count(self) -> int:
        """How many segments there are."""
        return len(self.bounds) - 1

    @property
    def chunk_count(self) -> int:
        """How many chunks there are."""
        return len(self.chunks) - 1

    @property
    def duration_s(self) -> Fraction:
        """Of all segments."""
        return Fraction(self.bounds[-1], self.timescale)

    def start_s(self, segment: int) -> Fraction:
        """When the segment begins."""
        return Fraction(self.bounds[segment], self.timescale)

    def segment_duration_s(self, segment: int) -> Fraction:
        """How long the segment lasts."""
        return Fraction(self.bounds[segment + 1] - self.bounds[segment], self.timescale)

    def chunk_segments(self, chunk: int) -> range:
        """Numbers of the segments that the chunk makes."""
        return range(self.chunks[chunk], self.chunks[chunk + 1])

    def chunk_ticks(self, chunk: int) -> tuple[int, int]:
        """First tick of the chunk and the tick after its last."""
        return self.bounds[self.chunks[chunk]], self.bounds[self.chunks[chunk + 1]]

    def chunk_of(self, segment: int) -> int:
        """The chunk that makes the segment. Raises IndexError."""
        if not 0 <= segment < self.segment_count:
            raise IndexError(f"There is no segment {segment}; the last is {self.segment_count - 1}.")
        return bisect_right(self.chunks, segment) - 1

    def segment_at(self, time_s: Fraction) -> int:
        """The segment shown at `time_s`; the first or last one outside."""
        return min(max(bisect_right(self.bounds, time_s * self.timescale) - 1, 0), self.segment_count - 1)


def video_timeline(
    frames: int,
    ticks_per_frame: int,
    timescale: int,
    rate: Fraction,
    *,
    segment_s: Fraction,
    opening_s: Fraction,
    chunk_segments: int,
) -> Timeline:
    """Segments of a whole number of frames; the first chunk's are shorter, so that the first picture comes sooner.

    A tail shorter than a segment goes into the last chunk (as a segment of its own): a process of its own for a few
    frames would cost more, and x264 writes another edit list for a stream shorter than its delay.
    """
    segment = max(1, round(segment_s * rate))
    opening = round(opening_s * rate)
    if opening < FEWEST_OPENING_FRAMES:
        opening = segment
    chunk = segment * chunk_segments
    starts = list(range(0, frames, chunk))
    if len(starts) > 1 and frames - starts[-1] < segment:
        starts.pop()
    bounds: list[int] = []
    chunks: list[int] = []
    for start, end in zip(starts, [*starts[1:], frames], strict=True):
        chunks.append(len(bounds))
        bounds.extend(range(start, end, opening if start == 0 else segment))
    return Timeline(
        timescale=timescale,
        bounds=tuple(frame * ticks_per_frame for frame in (*bounds, frames)),
        chunks=(*chunks, len(bounds)),
    )


def audio_timeline(along: Timeline, *, rate_hz: int, frame_samples: int, chunk_segments: int) -> Timeline:
    """Segments of whole audio frames that follow a video time line: each boundary is the nearest frame's.

    The first chunk is as long as the video's: whoever waits for a first picture waits for no more sound than it has.
    The end is rounded up, so that sound never ends before the picture. Where video segments are shorter than an
    audio frame (a picture at the very end), neighbours are merged.
    """

    def frame_at(segment: int) -> int:
        return round(Fraction(along.bounds[segment] * rate_hz, along.timescale * frame_samples))

    end = max(1, -(-along.bounds[-1] * rate_hz // (along.timescale * frame_samples)))
    frames = sorted({frame_at(segment) for segment in range(along.segment_count)} - {end})
    frames = [frame for frame in frames if frame < end]
    bounds = (*frames, end)
    count = len(bounds) - 1
    first = min(along.chunks[1], count)
    return Timeline(
        timescale=rate_hz,
        bounds=tuple(frame * frame_samples for frame in bounds),
        chunks=(0, *range(first, count, chunk_segments), count),
    )


def same_bounds(one: Timeline, other: Timeline) -> bool:
    """Whether the segments of both begin and end at the same times, whatever their clocks."""
    return len(one.bounds) == len(other.bounds) and all(
        a * other.timescale == b * one.timescale for a, b in zip(one.bounds, other.bounds, strict=True)
    )
