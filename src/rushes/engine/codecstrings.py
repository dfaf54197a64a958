"""What a finished stream is, read from its boxes: its codec string (RFC 6381), and where a decoder can begin.

Records are those of ISO/IEC 14496-15 (avcC, hvcC) and of the AV1 ISOBMFF binding (av1C).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from .cmaf import Box, Fragment, MalformedBoxes, find, sample_entry_kind
from .encoders import Codec

#: Of each sample entry: the box that describes the stream, and how much of it there is at least.
_RECORDS: dict[str, tuple[bytes, int]] = {"avc1": (b"avcC", 7), "hvc1": (b"hvcC", 23), "av01": (b"av1C", 4)}
_VISUAL_ENTRY_BYTES = 78  # before its boxes: ISO/IEC 14496-12, 12.1.3

_AVC_IDR, _AVC_SLICES = 5, range(1, 6)
_HEVC_IDR, _HEVC_SLICES = (19, 20), range(32)
_OBU_SEQUENCE_HEADER, _OBU_FRAME_HEADER, _OBU_FRAME = 1, 3, 6


def codec_string(init: bytes) -> str:
    """`avc1.64001f`, `hvc1.1.6.L93.90`, `av01.0.05M.08`; of sound the sample entry's code alone.

    Raises MalformedBoxes.
    """
    kind = sample_entry_kind(init)
    return _FORMS[kind](decoder_record(init)) if kind in _FORMS else kind


def decoder_record(init: bytes) -> bytes:
    """The avcC, hvcC or av1C record of a video's init segment. Raises MalformedBoxes."""
    kind = sample_entry_kind(init)
    if kind not in _RECORDS:
        raise MalformedBoxes(f"a {kind} sample entry has no record that is known here")
    name, least = _RECORDS[kind]
    stsd = find(init, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    entry = find(init, kind.encode(), within=Box(b"stsd", stsd.start + 8, stsd.end))
    box = find(init, name, within=Box(entry.kind, entry.start + _VISUAL_ENTRY_BYTES, entry.end))
    if box.end - box.start < least:
        raise MalformedBoxes(f"a {name.decode()} box ends too soon")
    return init[box.start : box.end]


def starts_afresh(fragment: Fragment, codec: Codec) -> bool:
    """Whether nothing before its first sample is needed: an IDR picture, or an AV1 key frame with its header.

    The muxer's word for it is not enough: it calls every intra picture a keyframe.
    """
    at = fragment.payload_offset
    sample = memoryview(fragment.data)[at : at + fragment.sample_sizes[0]]
    if codec == "av1":
        return _is_key_frame(sample)
    for nal in _nal_units(sample):
        if codec == "h264" and nal[0] & 0x1F in _AVC_SLICES:
            return nal[0] & 0x1F == _AVC_IDR
        if codec == "hevc" and nal[0] >> 1 & 0x3F in _HEVC_SLICES:
            return nal[0] >> 1 & 0x3F in _HEVC_IDR
    return False


def first_slice_is_idr(file: BinaryIO, sample_bytes: int) -> bool:
    """Whether the H.264 sample that begins where `file` stands is an IDR picture; reads its NAL headers alone."""
    left = sample_bytes
    while left >= 5:
        header = file.read(5)
        if len(header) < 5:
            return False
        (length,) = struct.unpack_from(">I", header)
        nal = header[4] & 0x1F
        if nal in _AVC_SLICES or not 1 <= length <= left - 4:
            return nal == _AVC_IDR
        file.seek(length - 1, os.SEEK_CUR)
        left -= 4 + length
    return False


def _avc(record: bytes) -> str:
    return f"avc1.{record[1:4].hex()}"


def _hevc(record: bytes) -> str:
    """ISO/IEC 14496-15, annex E.3."""
    space, high_tier, profile = record[1] >> 6, record[1] >> 5 & 1, record[1] & 0x1F
    (compatible,) = struct.unpack_from(">I", record, 2)
    parts = [
        f"hvc1.{['', 'A', 'B', 'C'][space]}{profile}",
        f"{int(f'{compatible:032b}'[::-1], 2):X}",  # bits in reverse, as the standard has it
        f"{'H' if high_tier else 'L'}{record[12]}",
        *(f"{byte:X}" for byte in record[6:12].rstrip(b"\0")),
    ]
    return ".".join(parts)


def _av1(record: bytes) -> str:
    tier = "H" if record[2] & 0x80 else "M"
    bits = (12 if record[2] & 0x20 else 10) if record[2] & 0x40 else 8
    return f"av01.{record[1] >> 5}.{record[1] & 0x1F:02}{tier}.{bits:02}"


_FORMS: dict[str, Callable[[bytes], str]] = {"avc1": _avc, "hvc1": _hevc, "av01": _av1}


def _nal_units(sample: memoryview) -> Iterator[memoryview]:
    """Units of a sample with lengths of four bytes; ends where one does not fit."""
    at = 0
    while at + 5 <= len(sample):
        (length,) = struct.unpack_from(">I", sample, at)
        yield sample[at + 4 : at + 4 + max(1, length)]
        at += 4 + length


def _is_key_frame(sample: memoryview) -> bool:
    described, at = False, 0
    while at < len(sample):
        kind, extended, sized = sample[at] >> 3 & 0xF, sample[at] >> 2 & 1, sample[at] >> 1 & 1
        at += 1 + extended
        size = len(sample) - at
        if sized:
            size, at = _leb128(sample, at)
        if kind == _OBU_SEQUENCE_HEADER:
            described = True
        elif kind in (_OBU_FRAME, _OBU_FRAME_HEADER) and at < len(sample):
            # show_existing_frame 0, frame_type KEY_FRAME: AV1 specification, 5.9.2
            return described and sample[at] >> 5 == 0
        at += size
    return False


def _leb128(data: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    value = 0
    for shift in range(0, 56, 7):
        if at >= len(data):
            break
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if not byte & 0x80:
            break
    return value, at
