"""The packet index: what is really in a file, because declared durations and counts lie.

ffprobe prints a line a packet; here they become flat arrays, 28 bytes a packet, so that memory follows the length of
a source with a small factor. Pure: lines in, indexes out.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from operator import sub

from rushes.engine import EngineError
from rushes.engine.source import AudioStream, PacketIndex, Stream, VideoStream

#: ffprobe prints these in this order, whatever the order here; 5.1 and 8.1 alike. csv is its fastest writer.
PACKET_ENTRIES = (
    *("-show_entries", "packet=stream_index,pts,dts,duration,size,pos,flags"),
    *("-of", "csv=print_section=0"),
)

# The last picture of a slide show may stay for as long as another did, but a duration in hours is a lie.
_LAST_DURATION_LIMIT_S = 10


class ImpossibleTimes(EngineError):
    """A packet's time does not fit into 64 bits."""


def read_index(lines: Iterable[str], streams: Iterable[Stream]) -> dict[int, PacketIndex]:
    """The packets of every video and audio stream, by stream index, from ffprobe's lines (see PACKET_ENTRIES).

    Packets that an edit list hides (flag D) are counted and left out. A stream without packets has no entry.
    Raises ImpossibleTimes.
    """
    try:
        return _read(lines, streams)
    except OverflowError as error:
        raise ImpossibleTimes("a packet's time does not fit into 64 bits") from error


def _read(lines: Iterable[str], streams: Iterable[Stream]) -> dict[int, PacketIndex]:
    tracks = {str(s.index): _Track(s) for s in streams if isinstance(s, VideoStream | AudioStream)}
    for line in lines:
        fields = line.split(",")
        track = tracks.get(fields[0])
        if track is not None and len(fields) >= 7:
            track.add(fields)
    return {track.stream.index: track.finish() for track in tracks.values() if track.pts}


def with_first_pts(streams: Iterable[Stream], packets: Mapping[int, PacketIndex]) -> tuple[Stream, ...]:
    """The streams, each indexed one with the pts of the packet that is really presented first."""
    return tuple(
        replace(stream, first_pts=_first_pts(stream, packets[stream.index]))
        if stream.index in packets
        else stream
        for stream in streams
    )


def _first_pts(stream: Stream, index: PacketIndex) -> int:
    first = min(index.pts)
    # An edit list may begin within an audio packet; the container's claim knows the sample, the packet does not.
    claimed = stream.first_pts
    if isinstance(stream, AudioStream) and claimed is not None and len(index) > 1:
        return claimed if first < claimed < first + abs(index.pts[1] - index.pts[0]) else first
    return first


def usual_gap(index: PacketIndex) -> int | None:
    """The median time from packet to packet in ticks; None for a single packet."""
    return _median(_gaps(index.dts))


def covered_ticks(index: PacketIndex, pause: int) -> int:
    """How much of its span has packets, none more than `pause` ticks from the next."""
    return min(index.last_duration, pause) + sum(
        gap * count for gap, count in _gaps(index.dts).items() if gap <= pause
    )


def longest_gop_s(index: PacketIndex, time_base: Fraction) -> Fraction:
    """The longest time from a keyframe to the next, or to the end, in seconds. Raises ValueError without a keyframe."""
    times = sorted(index.pts[number] for number in index.keyframes)
    end = max(index.pts) + index.last_duration
    return max(after - before for before, after in zip(times, [*times[1:], end], strict=True)) * time_base


class _Track:
    """Collects the packets of one stream."""

    __slots__ = (
        "_duration", "_latest", "_next", "corrupt", "discarded", "dts", "empty", "hidden_keyframe",
        "keyframes", "position", "pts", "size_bytes", "stream", "untimed",
    )  # fmt: skip

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.pts, self.dts, self.position, self.keyframes = array("q"), array("q"), array("q"), array("q")
        self.size_bytes = array("i")  # a packet of 2 GiB cannot be
        self.discarded = self.corrupt = self.empty = self.untimed = 0
        self.hidden_keyframe = False
        self._next = 0  # where a packet without any time stamp goes: after the one before
        self._latest = -(1 << 63)  # the greatest pts so far, and how long its packet claims to last
        self._duration = 0

    def add(self, fields: list[str]) -> None:
        _, pts_field, dts_field, duration_field, size_field, position_field, flags, *_ = fields
        if "D" in flags:
            self.discarded += 1
            self.hidden_keyframe = self.hidden_keyframe or ("K" in flags and not self.pts)
            return
        duration = int(duration_field) if duration_field != "N/A" else 0
        dts = int(dts_field) if dts_field != "N/A" else None
        if pts_field != "N/A":
            pts = int(pts_field)
        else:
            self.untimed += 1
            pts = dts if dts is not None else self._next
        size = int(size_field)
        if "K" in flags:
            self.keyframes.append(len(self.pts))
        if "C" in flags:
            self.corrupt += 1
        if not size:
            self.empty += 1
        self.pts.append(pts)
        self.dts.append(pts if dts is None else dts)
        self.size_bytes.append(size)
        self.position.append(int(position_field) if position_field != "N/A" else -1)
        self._next = (pts if dts is None else dts) + duration
        if pts >= self._latest:
            self._latest, self._duration = pts, duration

    def finish(self) -> PacketIndex:
        self._undo_the_decoder_s_delay()
        return PacketIndex(
            stream_index=self.stream.index,
            pts=self.pts,
            dts=self.dts,
            size_bytes=self.size_bytes,
            position=self.position,
            keyframes=self.keyframes,
            last_duration=last_duration(self.stream, self.dts, self._duration),
            discarded=self.discarded,
            hidden_keyframe=self.hidden_keyframe,
            corrupt=self.corrupt,
            empty=self.empty,
            untimed=self.untimed,
        )

    def _undo_the_decoder_s_delay(self) -> None:
        """Where the container has no pts, a decoder that holds frames back shows the first one so many frames late.

        The times are then those that ffmpeg gives to decoded frames; which packet has which is not known.
        """
        delay_frames = self.stream.delay_frames if isinstance(self.stream, VideoStream) else 0
        if self.untimed and delay_frames:
            delay = delay_frames * (_median(_gaps(self.dts)) or self._duration)
            self.pts = array("q", (dts + delay for dts in self.dts))


def last_duration(stream: Stream, dts: array[int], claimed: int) -> int:
    """How long the packet presented last is shown, in ticks: as its packet claims (0: not at all), within reason."""
    gaps = _gaps(dts)
    usual = _median(gaps)
    limit = max(gaps) * 2 if gaps else int(_LAST_DURATION_LIMIT_S / stream.time_base)
    # A container without durations (FLV, Matroska) makes ffmpeg guess: 1 ms where it found no rate.
    if max(1, (usual or 0) // 4) <= claimed <= limit:
        return claimed
    if usual is not None:
        return usual
    rate = stream.nominal_rate if isinstance(stream, VideoStream) else None
    return max(1, round(1 / (rate or 25) / stream.time_base))


def _gaps(times: array[int]) -> Counter[int]:
    """How often each distance between neighbours occurs; steps back are damage and do not count."""
    gaps = Counter(map(sub, islice(times, 1, None), times))
    return Counter({gap: count for gap, count in gaps.items() if gap > 0})


def _median(gaps: Counter[int]) -> int | None:
    middle = gaps.total() // 2
    for gap in sorted(gaps):
        middle -= gaps[gap]
        if middle < 0:
            return gap
    return None
