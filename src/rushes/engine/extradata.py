"""What a codec's global headers tell: ffmpeg calls them extradata. Pure; H.264 only, because only H.264 is copied."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NAL_SPS = 7  # ITU-T H.264 (08/2021) table 7-1
_START_CODE = re.compile(rb"\x00\x00\x01")  # Annex B; a fourth zero before it belongs to the NAL unit before
_DUMP_COLUMNS = slice(10, 50)  # "00000000: 0142 c028 ffe1 0019 6742 c028 da01 e008  .B.(....gB.(...."


@dataclass(frozen=True, kw_only=True)
class H264Headers:
    """The facts of H.264 extradata, in either of its two forms."""

    codec_string: str  # RFC 6381: "avc1." and the hex of profile_idc, constraint flags and level_idc
    parameter_sets: int  # different sequence parameter sets (SPS)


def bytes_of_dump(dump: str) -> bytes:
    """The bytes of ffprobe's `-show_data`: rows of an offset, up to 16 bytes in hex, and the same as text."""
    return b"".join(bytes.fromhex(row[_DUMP_COLUMNS]) for row in dump.splitlines() if row.strip())


def h264_headers(extradata: bytes) -> H264Headers | None:
    """Read avcC (ISO/IEC 14496-15, 5.3.3.1) or Annex B extradata; None where it holds no SPS, or is damaged."""
    sets = list(_sets_of_avcc(extradata) if extradata[:1] == b"\x01" else _sets_of_annex_b(extradata))
    if not sets or len(sets[0]) < 4:
        return None
    return H264Headers(codec_string=f"avc1.{sets[0][1:4].hex()}", parameter_sets=len(set(sets)))


def _sets_of_avcc(extradata: bytes) -> Iterator[bytes]:
    count = extradata[5] & 0x1F if len(extradata) > 5 else 0
    at = 6
    for _ in range(count):
        size = int.from_bytes(extradata[at : at + 2], "big")
        yield extradata[at + 2 : at + 2 + size]
        at += 2 + size


def _sets_of_annex_b(extradata: bytes) -> Iterator[bytes]:
    for unit in _START_CODE.split(extradata)[1:]:
        if unit and unit[0] & 0x1F == _NAL_SPS:
            yield unit.rstrip(b"\x00")
