"""Photos for tests: every format, held in every way, with all that cameras write beside the picture."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()

#: Of the four quarters: top left, top right, bottom left, bottom right.
QUARTERS = ((220, 40, 40), (40, 200, 60), (50, 70, 220), (230, 220, 60))
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "HEIF": ".heic", "AVIF": ".avif", "GIF": ".gif"}
#: How a camera turns a picture that it stores, by the EXIF value that undoes it.
_HELD = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def quarters(size: tuple[int, int] = (720, 480), mode: str = "RGB") -> Image.Image:
    """Four plain quarters: which way is up can be seen."""
    image = Image.new("RGB", (2, 2))
    image.putdata(QUARTERS)
    return image.resize(size, Image.Resampling.NEAREST).convert(mode)


def exif(orientation: int = 1) -> Image.Exif:
    """What a phone writes: a place, a time, a camera."""
    made = Image.Exif()
    made[0x0112] = orientation
    made[0x010F] = "SecretCamera"
    made[0x0132] = "2026:11:21 10:00:00"
    made.get_ifd(0x8825).update({1: "N", 2: (47.0, 22.0, 8.0), 3: "E", 4: (8.0, 32.0, 30.0)})
    return made


def photo(
    path: Path,
    kind: str = "JPEG",
    *,
    size: tuple[int, int] = (720, 480),
    orientation: int = 1,
    mode: str = "RGB",
    plain: tuple[int, int, int] | None = None,
    **options: Any,
) -> Path:
    """Write quarters that are upright when the file is shown as its orientation says, or one `plain` colour."""
    image = quarters(size, mode) if plain is None else Image.new("RGB", size, plain)
    turn = _HELD[orientation]
    if turn is not None:
        image = image.transpose(turn)
    if kind in ("JPEG", "WEBP", "HEIF", "AVIF", "PNG"):
        # As bytes: from those pillow-heif also makes the boxes by which a HEIC says how it was held.
        options.setdefault("exif", exif(orientation).tobytes())
    image.save(path, kind, **options)
    return path


def encoded(kind: str = "JPEG", **options: Any) -> bytes:
    """The same as bytes."""
    data = BytesIO()
    quarters(options.pop("size", (720, 480))).save(data, kind, **options)
    return data.getvalue()


def looks_upright(path: Path) -> bool:
    """Whether the quarters of a picture are where they belong, as nearly as codecs keep colours."""
    with Image.open(path) as image:
        small = image.convert("RGB").resize((4, 4), Image.Resampling.BOX)
        seen = [small.getpixel(corner) for corner in ((0, 0), (3, 0), (0, 3), (3, 3))]
    return all(near(told, wanted) for told, wanted in zip(seen, QUARTERS, strict=True))


def near(told: Any, wanted: tuple[int, ...], by: int = 24) -> bool:
    """Whether two colours are nearly the same."""
    return all(abs(a - b) <= by for a, b in zip(told, wanted, strict=True))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is that large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1 << 16))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def swapped_profile() -> bytes:
    """An ICC profile (version 2, matrix and gamma) of a screen whose red is sRGB's blue, and the other way round."""

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    red, green, blue = (0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    name = b"swapped\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78)
    tags = {
        b"desc": description + bytes(-len(description) % 4),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(*blue),
        b"gXYZ": xyz(*green),
        b"bXYZ": xyz(*red),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        table += tag + struct.pack(">II", at + len(body), len(data))
        body += data
    head = struct.pack(">I", at + len(body)) + b"\0\0\0\0" + b"\x02\x10\0\0" + b"mntrRGB XYZ "
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body
