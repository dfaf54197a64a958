"""Init segment and fragments out of a file that ffmpeg is still writing."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

from .cmaf import Fragment, MalformedBoxes, parse_fragment, track_defaults


class FragmentReader:
    """Reads a file of one track that ffmpeg is still writing.

    `init` is ftyp and moov as they are, None until complete.
    """

    def __init__(self, path: Path) -> None:
        self.init: bytes | None = None
        self._path = path
        self._offset = 0  # of the first byte not taken in yet
        self._head = b""
        self._moof: bytes | None = None
        self._defaults = (0, 0, 0)

    def read_new(self) -> list[Fragment]:
        """The fragments completed since the last call. Raises MalformedBoxes, FileNotFoundError."""
        found: list[Fragment] = []
        with self._path.open("rb") as file:
            while (box := self._next_box(file)) is not None:
                kind, data = box
                if kind in (b"ftyp", b"moov") and self.init is None and self._moof is None:
                    self._head += data
                    if kind == b"moov":
                        self.init, self._defaults = self._head, track_defaults(data)
                elif kind == b"moof" and self.init is not None and self._moof is None:
                    self._moof = data
                elif kind == b"mdat" and self._moof is not None:
                    found.append(parse_fragment(self._moof, data, self._defaults))
                    self._moof = None
                elif kind not in (b"free", b"mfra", b"sidx", b"styp"):
                    raise MalformedBoxes(f"a {kind.decode('latin-1')} box stands where none is expected")
        return found

    def finish(self) -> None:
        """The file is whole now. Raises MalformedBoxes where it ends within a fragment, or never began."""
        left = self._path.stat().st_size - self._offset
        if left or self._moof is not None:
            raise MalformedBoxes(f"the file ends within a box, {left} bytes after the last whole one")
        if self.init is None:
            raise MalformedBoxes("the file holds no init segment: nothing was encoded")

    def _next_box(self, file: BinaryIO) -> tuple[bytes, bytes] | None:
        file.seek(self._offset)
        header = file.read(16)
        if len(header) < 8:
            return None
        size, kind = struct.unpack_from(">I4s", header)
        least = 8
        if size == 1:
            if len(header) < 16:
                return None
            (size,) = struct.unpack_from(">Q", header, 8)
            least = 16
        if size < least:
            raise MalformedBoxes(f"box {kind!r} claims {size} bytes")
        # Asked first: a fragment that is still growing is not read again and again, and no claim takes memory.
        if size > os.fstat(file.fileno()).st_size - self._offset:
            return None
        file.seek(self._offset)
        data = file.read(size)
        if len(data) < size:
            return None
        self._offset += size
        return kind, data
