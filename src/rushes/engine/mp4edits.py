"""What an edit list of one entry makes of a track's samples, as ffmpeg's demuxer does it. Pure.

ffmpeg begins with the keyframe before the entry (a second earlier for sound), flags what is only needed for decoding,
and moves all times so that what is shown first lies where the entry lies.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

from rushes.engine import EngineError
from rushes.engine.source import AudioStream, Stream


class Unclear(EngineError):
    """An edit list of which it is not certain what ffmpeg makes."""


@dataclass(frozen=True, kw_only=True)
class Samples:
    """A track's packets in decoding order; arrays of the same length, times in ticks of the track."""

    pts: array[int]
    dts: array[int]
    size_bytes: array[int]
    position: array[int]  # byte offset in the file
    is_key: bytearray  # 1 or 0
    is_hidden: bytearray  # 1 where an edit list hides it
    reordered: bool = False  # whether the track has a table of composition times
    shift: int = 0  # by so much every dts was moved to lie before its pts

    def __len__(self) -> int:
        return len(self.pts)


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Shows `duration` from `media_time` on, after a pause of `delay`; ticks of the track."""

    delay: int
    media_time: int
    duration: int


def edited(samples: Samples, edit: Edit, stream: Stream, timescale: int) -> Samples:
    """The samples that are read for the edit, those it hides flagged, times moved. Raises Unclear."""
    sound = isinstance(stream, AudioStream)
    if sound and (samples.reordered or stream.codec == "vorbis"):
        raise Unclear("the edit list is of a kind of sound that is read in another way")
    # Two clocks: the tables' own, in which the edit is given, and ffmpeg's, whose dts lie `shift` earlier.
    begin = _first_read(samples, edit, timescale, sound)
    past = _first_not_read(samples, edit, sound, begin)
    start, end = edit.media_time, edit.media_time + edit.duration
    dts, pts = samples.dts[begin:past], samples.pts[begin:past]
    hidden = bytearray(len(pts))
    if min(pts) < start or max(pts) >= end:
        hidden = bytearray(not start <= time < end for time in pts)
    origin = edit.delay - samples.shift
    shown = hidden.find(0)
    if sound and shown != 0:
        partly = len(pts) - 1 if shown < 0 else shown - 1
        length = dts[partly + 1] - dts[partly] if partly + 1 < len(dts) else edit.duration
        if pts[partly] < start < pts[partly] + length:  # the entry begins within this packet
            hidden[partly], shown = 0, partly
            origin -= start - pts[partly]
    if shown < 0:
        raise Unclear("the edit list shows nothing")
    move = origin - dts[shown]
    if not sound:
        first = min((time for time, is_hidden in zip(pts, hidden, strict=True) if not is_hidden)) + move
        if first < 0:
            raise Unclear("the edit list begins before its first sample")
        move -= max(0, first - edit.delay)
    return replace(
        samples,
        pts=_moved(pts, move),
        dts=_moved(dts, move),
        size_bytes=samples.size_bytes[begin:past],
        position=samples.position[begin:past],
        is_key=samples.is_key[begin:past],
        is_hidden=hidden,
    )


def _first_read(samples: Samples, edit: Edit, timescale: int, sound: bool) -> int:
    """The sample with which decoding begins: a keyframe that is shown, and decoded, no later than the entry begins."""
    begin = max(edit.media_time - timescale, samples.dts[0]) if sound else edit.media_time
    wanted = begin - samples.shift
    number = bisect_right(samples.dts, wanted) - 1
    nearest = samples.is_key.rfind(1, 0, number + 1)
    while samples.reordered and nearest >= 0 and samples.pts[nearest] - samples.shift > wanted:
        nearest = samples.is_key.rfind(1, 0, nearest)
    if nearest < 0 and not samples.reordered:
        nearest = number
    return max(0, nearest)


def _first_not_read(samples: Samples, edit: Edit, sound: bool, begin: int) -> int:
    """The sample before which reading ends: after the first key sample past the entry, or the second, for B-frames."""
    end, last = edit.media_time + edit.duration, len(samples) - 1
    numbers: Iterable[int] = range(begin, last + 1)
    if not sound:
        numbers = (number for number in numbers if samples.is_key[number])
    seen = 0
    hidden_keys = 1 if samples.reordered else 0
    for number in numbers:
        length = samples.dts[number + 1] - samples.dts[number] if number < last else edit.duration
        if samples.pts[number] + length >= end:
            seen += 1
            if seen > hidden_keys:
                return number + 1
    return last + 1


def _moved(times: array[int], ticks: int) -> array[int]:
    return array("q", (time + ticks for time in times)) if ticks else times
