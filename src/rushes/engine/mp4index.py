"""The packet index of a plain MP4 or MOV file from its tables, trusted where ffprobe's packets at both ends agree.

To read 600 s of packets is to read the whole file: a second from memory, minutes from a slow disk. The tables are a few
hundred kB. They can lie (H.264's keyframes are known from the pictures alone), so ffprobe reads the first packets and
the last group of pictures, and all that it says of them has to be in the tables: places, times, sizes, flags.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import compress
from pathlib import Path
from typing import Any

from rushes.engine.index import PACKET_ENTRIES, last_duration
from rushes.engine.mp4boxes import NoTables
from rushes.engine.mp4edits import Samples
from rushes.engine.mp4tables import read_tables
from rushes.engine.process import FfmpegFailed, LimitExceeded, iter_tool_lines
from rushes.engine.source import PacketIndex, Stream

_LARGE_BYTES = 16 << 20  # a smaller file is read as soon as its ends are
_HEAD_PACKETS = 300  # 3 s of 30 fps and sound
_TAIL_S = Fraction(1, 2)
_MOST_JUMPS = 4  # of one stream, where one is expected: from the first packets to the last
_EDGES_WALL_LIMIT_S = 60.0  # a group of pictures from a cold disk
_EDGES_BYTES = 16 << 20  # a packet is 45 bytes


def index_of_mp4(
    command: Sequence[str],
    path: Path,
    document: Mapping[str, Any],
    streams: Iterable[Stream],
    *,
    large_bytes: int = _LARGE_BYTES,
) -> dict[int, PacketIndex] | None:
    """The packets of every video and audio stream of an MP4 or MOV; None where all of the file has to be read.

    That is so for a file of less than `large_bytes`, too. `command` is ffprobe with its guards, `document` its
    JSON of streams and format. Raises OSError.
    """
    streams, claims = tuple(streams), document["format"]
    if "mov" not in claims["format_name"].split(",") or "duration" not in claims:
        return None
    if path.stat().st_size < large_bytes:
        return None
    track_ids = {stream["index"]: int(stream["id"], 0) for stream in document["streams"] if "id" in stream}
    end_s = Fraction(claims.get("start_time", 0)) + Fraction(claims["duration"])
    try:
        tables = read_tables(path, streams, track_ids)
        lines = iter_tool_lines(
            [*command, *edge_intervals(end_s), *PACKET_ENTRIES, str(path)],
            wall_limit_s=_EDGES_WALL_LIMIT_S,
            output_limit_bytes=_EDGES_BYTES,
        )
        return index_from_tables(tables, lines, streams)
    except (NoTables, FfmpegFailed, LimitExceeded):  # reading all of it will tell what is wrong with it
        return None


def edge_intervals(duration_s: Fraction) -> tuple[str, ...]:
    """ffprobe's options for the packets at both ends of a file that ends at `duration_s`, on its own clock."""
    return "-read_intervals", f"%+#{_HEAD_PACKETS},{float(max(Fraction(0), duration_s - _TAIL_S)):.3f}%"


def index_from_tables(
    tables: Mapping[int, Samples], lines: Iterable[str], streams: Iterable[Stream]
) -> dict[int, PacketIndex]:
    """The packets of each stream in `tables`, as `read_index` would give them for the whole file.

    `lines` are ffprobe's of both ends (see edge_intervals and PACKET_ENTRIES). Raises NoTables where they differ.
    """
    edges = {str(number): _Edges(samples) for number, samples in tables.items()}
    for line in lines:
        fields = line.split(",")
        if fields[0] in edges and len(fields) >= 7:
            edges[fields[0]].check(fields)
    by_number = {stream.index: stream for stream in streams}
    return {number: edges[str(number)].finish(by_number[number]) for number in tables}


class _Edges:
    """Compares a track's samples with the packets that ffprobe read of it."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._next = self._jumps = 0
        self._claimed: dict[int, int] = {}  # durations that packets claim, by their numbers

    def check(self, fields: list[str]) -> None:
        _, pts, dts, duration, size, position, flags, *_ = fields
        samples, number = self._samples, self._next
        if number >= len(samples) or str(samples.position[number]) != position:
            number = self._number_at(position)
        expected = (samples.pts[number], samples.dts[number], samples.size_bytes[number])
        key, hidden = "K" if samples.is_key[number] else "_", "D" if samples.is_hidden[number] else "_"
        if (pts, dts, size) != tuple(map(str, expected)) or flags[:3] != f"{key}{hidden}_":
            raise NoTables(f"packet {number} is not what the tables say")
        self._claimed[number] = int(duration) if duration != "N/A" else 0
        self._next = number + 1

    def _number_at(self, position: str) -> int:
        self._jumps += 1
        if self._jumps > _MOST_JUMPS:
            raise NoTables("ffprobe reads the packets in another order")
        try:
            return self._samples.position.index(int(position))
        except ValueError:
            raise NoTables(f"there is a packet at {position} that the tables don't have") from None

    def finish(self, stream: Stream) -> PacketIndex:
        samples = self._samples
        if self._next != len(samples):
            raise NoTables("ffprobe found fewer packets than the tables have")
        hidden_keyframe = False
        if any(samples.is_hidden):
            shown = samples.is_hidden.find(0)
            hidden_keyframe = 1 in samples.is_key[:shown]
            samples = _shown(samples)
        latest = max(samples.pts)
        last = len(samples.pts) - 1 - samples.pts[::-1].index(latest)
        at = self._samples.position.index(samples.position[last])
        if at not in self._claimed:
            raise NoTables("the packet presented last is far from the end")
        return PacketIndex(
            stream_index=stream.index,
            pts=samples.pts,
            dts=samples.dts,
            size_bytes=samples.size_bytes,
            position=samples.position,
            keyframes=array("q", (number for number, is_key in enumerate(samples.is_key) if is_key)),
            last_duration=last_duration(stream, samples.dts, self._claimed[at]),
            discarded=len(self._samples) - len(samples),
            hidden_keyframe=hidden_keyframe,
        )


def _shown(samples: Samples) -> Samples:
    """The samples that no edit list hides."""
    shown = bytes(not is_hidden for is_hidden in samples.is_hidden)
    # Straight into arrays: lists of numbers would take several times the memory of all that is kept.
    return Samples(
        pts=array("q", compress(samples.pts, shown)),
        dts=array("q", compress(samples.dts, shown)),
        size_bytes=array(samples.size_bytes.typecode, compress(samples.size_bytes, shown)),
        position=array(samples.position.typecode, compress(samples.position, shown)),
        is_key=bytearray(compress(samples.is_key, shown)),
        is_hidden=bytearray(sum(shown)),
    )
