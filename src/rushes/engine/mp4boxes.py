"""The moov box of an MP4 or MOV file and what is in it, read with every bound checked before anything is believed."""

from __future__ import annotations

import struct
import sys
from array import array
from itertools import islice
from typing import BinaryIO

from rushes.engine import EngineError
from rushes.engine.cmaf import Box, boxes

_MOOV_BYTES = 128 << 20  # 12 h of 60 fps with B-frames, sound beside every frame, are 83 MB
_MOST_BOXES = 256  # side by side; they are walked again for each table


class NoTables(EngineError):
    """The file has no tables, or none that are plain enough: its packets have to be read."""


def read_moov(file: BinaryIO, file_bytes: int) -> bytes:
    """The body of the file's only moov box. Raises NoTables where there is none, or a sign of fragments."""
    at, found = 0, None
    for _ in range(_MOST_BOXES):
        if file_bytes - at < 8:
            break  # ffmpeg takes no notice of a few bytes behind the last box either
        file.seek(at)
        header = file.read(16)
        size, kind = struct.unpack_from(">I4s", header)
        start = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", header, 8)
            start = 16
        elif size == 0:
            size = file_bytes - at
        if size < start or (size > file_bytes - at and kind != b"mdat"):
            raise NoTables("a box is larger than the file")
        if kind in (b"moof", b"sidx", b"meta") or (kind == b"moov" and found):
            raise NoTables(f"there is a {kind.decode()} box")
        if kind == b"moov":
            if size > _MOOV_BYTES:
                raise NoTables("the moov box is too large")
            found = at + start, size - start
        at += size
    else:
        raise NoTables("there are too many boxes")
    if found is None:
        raise NoTables("there is no moov box")
    file.seek(found[0])
    return file.read(found[1])


def children(moov: bytes, box: Box, kind: bytes) -> list[Box]:
    """The boxes of that kind directly in `box`. Raises NoTables, MalformedBoxes."""
    found = list(islice(boxes(moov, box.start, box.end), _MOST_BOXES))
    if len(found) == _MOST_BOXES:
        raise NoTables("there are too many boxes")
    return [child for child in found if child.kind == kind]


def one(moov: bytes, box: Box, *path: bytes) -> Box:
    """The box at that path of kinds, which has no twin and at least 8 bytes. Raises NoTables, MalformedBoxes."""
    for kind in path:
        found = children(moov, box, kind)
        if len(found) != 1 or found[0].end - found[0].start < 8:
            raise NoTables(f"there are {len(found)} {kind.decode()} boxes, or it is too small")
        box = found[0]
    return box


def read_number(moov: bytes, box: Box, form: str, offset: int) -> int:
    """The number at `offset` of the box's body. Raises NoTables where it ends before."""
    at = box.start + offset
    if at + struct.calcsize(form) > box.end:
        raise NoTables(f"a {box.kind.decode('latin-1')} box ends too soon")
    (value,) = struct.unpack_from(form, moov, at)
    return int(value)


def read_words(moov: bytes, box: Box, offset: int, count: int) -> array[int]:
    """`count` unsigned numbers of 32 bits from `offset` of the box's body on. Raises NoTables where it has fewer."""
    at = box.start + offset
    if at + 4 * count > box.end:
        raise NoTables(f"a {box.kind.decode('latin-1')} box has no room for its {count} numbers")
    found = array("I", moov[at : at + 4 * count])
    if sys.byteorder == "little":
        found.byteswap()
    return found
