"""Fragmented MP4 as ffmpeg writes it: what its boxes say, and segments of AAC frames.

Boxes are those of ISO/IEC 14496-12; names in quotes there are the four-character codes here. Input is our own ffmpeg's
output, but nothing is trusted: every size is checked against what is there, and what is wrong raises MalformedBoxes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

from . import EngineError

_NON_SYNC = 0x0001_0000  # sample_is_non_sync_sample, 8.8.3.1


class MalformedBoxes(EngineError):
    """What should be boxes is not, or a box that has to be there is missing."""


@dataclass(frozen=True)
class Box:
    """A box within `data`: its body is `data[start:end]`."""

    kind: bytes
    start: int
    end: int


def boxes(data: bytes | memoryview, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes side by side in `data[start:end]`. Raises MalformedBoxes where they do not fill it exactly."""
    end = len(data) if end is None else end
    while start < end:
        if end - start < 8:
            raise MalformedBoxes(f"{end - start} bytes are left over after the last box")
        size, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if size == 1:
            if end - start < 16:
                raise MalformedBoxes("a box ends within its header")
            (size,) = struct.unpack_from(">Q", data, start + 8)
            header = 16
        elif size == 0:
            size = end - start
        if size < header or size > end - start:
            raise MalformedBoxes(f"box {kind!r} claims {size} bytes of {end - start}")
        yield Box(kind, start + header, start + size)
        start += size


def find(data: bytes | memoryview, *path: bytes, within: Box | None = None) -> Box:
    """The first box at that path of kinds. Raises MalformedBoxes where there is none."""
    start, end = (within.start, within.end) if within else (0, len(data))
    found: Box | None = None
    for kind in path:
        found = next((box for box in boxes(data, start, end) if box.kind == kind), None)
        if found is None:
            raise MalformedBoxes(f"there is no {b'/'.join(path).decode('latin-1')} box")
        start, end = found.start, found.end
    if found is None:
        raise ValueError("an empty path names no box")
    return found


@dataclass(frozen=True, kw_only=True)
class FragmentHead:
    """What a moof box says; times in ticks of the track's timescale."""

    base_decode_time: int
    duration: int  # sum of the samples' durations
    sample_sizes: tuple[int, ...]
    starts_with_sync: bool  # by the flags of its first sample
    first_composition_offset: int  # pts - dts of its first sample
    payload_offset: int  # of the first sample, from the beginning of the moof box

    @property
    def sample_count(self) -> int:
        """How many frames it holds."""
        return len(self.sample_sizes)


@dataclass(frozen=True, kw_only=True)
class Fragment(FragmentHead):
    """One (moof, mdat) pair."""

    data: bytes  # both boxes, as they are

    @cached_property
    def payload(self) -> bytes:
        """All samples, one after the other."""
        return self.data[self.payload_offset : self.payload_offset + sum(self.sample_sizes)]


def parse_fragment(moof: bytes, mdat: bytes, defaults: tuple[int, int, int] = (0, 0, 0)) -> Fragment:
    """A fragment of one track; `defaults` are (duration, size, flags) of its trex box. Raises MalformedBoxes."""
    return Fragment(data=moof + mdat, **vars(parse_moof(moof, len(mdat), defaults)))


def parse_moof(moof: bytes, mdat_bytes: int, defaults: tuple[int, int, int] = (0, 0, 0)) -> FragmentHead:
    """As `parse_fragment`, from the moof box alone; `mdat_bytes` is the size of the mdat box behind it."""
    traf = find(moof, b"moof", b"traf")
    duration, size, flags = _fragment_defaults(moof, find(moof, b"tfhd", within=traf), defaults)
    tfdt = find(moof, b"tfdt", within=traf)
    time = _field(moof, tfdt, ">Q" if _field(moof, tfdt, ">B", 0) else ">I", 4)
    sizes: list[int] = []
    total = 0
    first_flags: int | None = None
    first_composition: int | None = None
    first_offset: int | None = None
    for trun in (box for box in boxes(moof, traf.start, traf.end) if box.kind == b"trun"):
        word, count = _field(moof, trun, ">I", 0), _field(moof, trun, ">I", 4)
        at = 8
        if word & 0x1:
            first_offset = _field(moof, trun, ">i", at) if first_offset is None else first_offset
            at += 4
        if word & 0x4:
            first_flags = _field(moof, trun, ">I", at) if first_flags is None else first_flags
            at += 4
        fields = [bit for bit in (0x100, 0x200, 0x400, 0x800) if word & bit]
        if trun.start + at + 4 * len(fields) * count > trun.end:
            raise MalformedBoxes(f"a trun box has no room for its {count} samples")
        if 0x200 not in fields and max(1, size) * count > mdat_bytes:
            raise MalformedBoxes(f"{count} samples of {size} bytes have no room in their mdat box")
        rows = moof[trun.start + at : trun.start + at + 4 * len(fields) * count]
        for row in struct.iter_unpack(f">{len(fields)}I", rows) if fields else repeat((), count):
            values = dict(zip(fields, row, strict=True))
            total += values.get(0x100, duration)
            sizes.append(values.get(0x200, size))
            if first_flags is None:
                first_flags = values.get(0x400, flags)
            if first_composition is None:
                first_composition = _signed(values.get(0x800, 0))
    offset = first_offset if first_offset is not None else len(moof) + 8
    if not sizes or offset < len(moof) + 8 or offset + sum(sizes) > len(moof) + mdat_bytes:
        raise MalformedBoxes("a fragment's samples do not lie in its mdat box")
    return FragmentHead(
        base_decode_time=time,
        duration=total,
        sample_sizes=tuple(sizes),
        starts_with_sync=not (first_flags or 0) & _NON_SYNC,
        first_composition_offset=first_composition or 0,
        payload_offset=offset,
    )


def first_samples(segment: bytes, defaults: tuple[int, int, int] = (0, 0, 0)) -> bytes:
    """A segment with the first sample of each fragment alone: of a rung its keyframes. Raises MalformedBoxes."""
    view = memoryview(segment)
    parts: list[bytes | memoryview] = []
    moof: bytes | None = None
    at = 0  # of the box
    for box in boxes(segment):
        if box.kind == b"moof":
            moof = segment[at : box.end]
        elif box.kind == b"mdat" and moof is not None:
            head = parse_moof(moof, box.end - at, defaults)
            begin = at - len(moof)  # where the moof is, which the payload's place is counted from
            samples = view[begin + len(moof) + 8 : begin + head.payload_offset + head.sample_sizes[0]]
            parts += [_with_one_sample(moof), struct.pack(">I4s", 8 + len(samples), b"mdat"), samples]
            moof = None
        at = box.end
    return b"".join(parts)


def _with_one_sample(moof: bytes) -> bytes:
    """A moof box of which only the first sample counts; what else is told of samples stays, and is not read."""
    changed, count = bytearray(moof), 1
    traf = find(moof, b"moof", b"traf")
    for trun in (box for box in boxes(moof, traf.start, traf.end) if box.kind == b"trun"):
        struct.pack_into(">I", changed, trun.start + 4, count)
        count = 0
    return bytes(changed)


def sample_entry_kind(init: bytes) -> str:
    """The code of the first track's sample entry: `avc1`, `mp4a`. Raises MalformedBoxes."""
    stsd = find(init, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    entry = next(boxes(init, stsd.start + 8, stsd.end), None)
    if entry is None:
        raise MalformedBoxes("a stsd box describes nothing")
    return entry.kind.decode("latin-1")


def track_timescale(init: bytes) -> int:
    """Ticks per second of the first track. Raises MalformedBoxes."""
    box = find(init, b"moov", b"trak", b"mdia", b"mdhd")
    return _field(init, box, ">I", 20 if _field(init, box, ">B", 0) else 12)


def edit_media_time(init: bytes) -> int:
    """Ticks that the edit list takes from every presentation time; 0 where there is none. Raises MalformedBoxes."""
    track = find(init, b"moov", b"trak")
    edits = next((box for box in boxes(init, track.start, track.end) if box.kind == b"edts"), None)
    if edits is None:
        return 0
    box = find(init, b"elst", within=edits)
    if _field(init, box, ">B", 0):
        return _field(init, box, ">q", 16)
    return _field(init, box, ">i", 12)


def audio_segment(
    *, sequence: int, base_decode_time: int, frame_samples: int, frames: Sequence[bytes]
) -> bytes:
    """One moof and mdat that hold these AAC frames of equal length, as CMAF (ISO/IEC 23000-19) wants them."""
    sizes = struct.pack(f">{len(frames)}I", *map(len, frames))
    mfhd = _box(b"mfhd", struct.pack(">II", 0, sequence))
    # default-base-is-moof, default duration, default flags: every AAC frame is a sync sample that depends on none
    tfhd = _box(b"tfhd", struct.pack(">IIII", 0x02_0028, 1, frame_samples, 0x0200_0000))
    tfdt = _box(b"tfdt", struct.pack(">IQ", 0x0100_0000, base_decode_time))
    length = 8 + len(mfhd) + 8 + len(tfhd) + len(tfdt) + 8 + 12 + len(sizes)
    trun = _box(b"trun", struct.pack(">IIi", 0x201, len(frames), length + 8) + sizes)
    moof = _box(b"moof", mfhd + _box(b"traf", tfhd + tfdt + trun))
    return moof + _box(b"mdat", b"".join(frames))


def _field(data: bytes, box: Box, form: str, offset: int) -> int:
    """The number at `offset` of the box's body, which has to hold it. Raises MalformedBoxes."""
    at = box.start + offset
    if at + struct.calcsize(form) > box.end:
        raise MalformedBoxes(f"a {box.kind.decode('latin-1')} box ends too soon")
    (value,) = struct.unpack_from(form, data, at)
    return int(value)


def _signed(word: int) -> int:
    """A field of 32 bits as a signed number; offsets of version 0, which has no sign, are never that large."""
    return word - (1 << 32) if word & 0x8000_0000 else word


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def track_defaults(init: bytes) -> tuple[int, int, int]:
    """(duration, size, flags) that the init segment's trex box gives every sample. Raises MalformedBoxes."""
    trex = find(init, b"moov", b"mvex", b"trex")
    return _field(init, trex, ">I", 12), _field(init, trex, ">I", 16), _field(init, trex, ">I", 20)


def _fragment_defaults(moof: bytes, tfhd: Box, defaults: tuple[int, int, int]) -> tuple[int, int, int]:
    word = _field(moof, tfhd, ">I", 0)
    at = 8 + (8 if word & 0x1 else 0) + (4 if word & 0x2 else 0)
    values = list(defaults)
    for number, bit in enumerate((0x8, 0x10, 0x20)):
        if word & bit:
            values[number] = _field(moof, tfhd, ">I", at)
            at += 4
    return values[0], values[1], values[2]
