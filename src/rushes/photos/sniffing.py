"""Whether a file is a photo, by its first bytes: before any decoder sees it, and whatever it is called.

A GIF that moves is a video and goes the way of videos; one that does not is a photo. Other formats that can hold
several pictures (WebP, PNG, HEIC, AVIF) are photos in any case: no browser's `<video>` or ffmpeg here plays them.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

#: What people are told that a photo may be.
FORMATS = "JPEG, PNG, WebP, HEIC, AVIF or GIF"

_HEAD_BYTES = 64
_HEIF_BRANDS = frozenset(
    # ISO/IEC 23008-12, annex B, and AVIF 1.1: still images and sequences of them.
    (
        b"heic",
        b"heix",
        b"heim",
        b"heis",
        b"hevc",
        b"hevx",
        b"mif1",
        b"mif2",
        b"msf1",
        b"miaf",
        b"avif",
        b"avis",
    )
)


def is_photo(path: Path) -> bool:
    """Whether the file begins as a photo does. What it says of itself is not yet believed. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if head[:4] == b"GIF8":
            return not _moves(file)
    return (
        head[:3] == b"\xff\xd8\xff"
        or head[:8] == b"\x89PNG\r\n\x1a\n"
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS)
    )


def _moves(file: BinaryIO) -> bool:
    """Whether a GIF has a second picture. Reads block by block, as GIF89a (section 12) has them; nothing is decoded."""
    file.seek(10)
    packed = file.read(1)
    file.seek(13 + _table_bytes(packed))
    pictures = 0
    while (introducer := file.read(1)) in (b"\x21", b"\x2c"):
        if introducer == b"\x21":  # an extension: its label, then blocks
            file.seek(1, 1)
        else:
            pictures += 1
            if pictures == 2:
                return True
            descriptor = file.read(9)
            file.seek(_table_bytes(descriptor[8:]) + 1, 1)  # its own colours, and how the codes begin
        while (length := file.read(1)) not in (b"", b"\x00"):
            file.seek(length[0], 1)
    return False


def _table_bytes(packed: bytes) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << ((packed[0] & 7) + 1) if packed and packed[0] & 0x80 else 0
