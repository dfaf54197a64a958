"""Files that only name others, under a video's name: what is behind them must neither be read nor asked for.

Each maker takes a `victim`, a file that the uploader may not see, and an `address`, a server that is to be asked.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

Maker = Callable[[Path, str], bytes]

_M3U8 = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n{extra}#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n"
_MPD = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S"
 profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet contentType="video">
<Representation id="0" bandwidth="1000" mimeType="video/mp4"><BaseURL>{target}</BaseURL></Representation>
</AdaptationSet></Period></MPD>
"""
_SVG = """<?xml version="1.0"?>
<!DOCTYPE svg [<!ENTITY x SYSTEM "file://{victim}">]>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="64" height="64">
<image xlink:href="{address}/a.png" width="64" height="64"/><text>&x;</text></svg>
"""
_IMF = """<?xml version="1.0"?>
<AssetMap xmlns="http://www.smpte-ra.org/schemas/429-9/2007/AM"><AssetList><Asset><Id>urn:uuid:1</Id>
<ChunkList><Chunk><Path>{target}</Path></Chunk></ChunkList></Asset></AssetList></AssetMap>
"""
_SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 26\n"
_SMIL = '<smil><body><video src="{address}/a.mp4"/><video src="{victim}"/></body></smil>'
_ASX = '<asx version="3.0"><entry><ref href="{address}/a.mp4"/></entry></asx>'


def _text(pattern: str, *, at: str = "") -> Maker:
    def make(victim: Path, address: str) -> bytes:
        target = at.format(victim=victim, address=address)
        return pattern.format(victim=victim, address=address, target=target, extra="").encode()

    return make


def _hls_key(victim: Path, address: str) -> bytes:
    extra = f'#EXT-X-KEY:METHOD=AES-128,URI="{address}/key"\n#EXT-X-MAP:URI="{victim}"\n'
    return _M3U8.format(extra=extra, target=victim).encode()


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of ISO/IEC 14496-12 or QuickTime."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind: bytes, *parts: bytes, flags: int = 0) -> bytes:
    """A box with version and flags."""
    return box(kind, struct.pack(">I", flags), *parts)


def movie(dref: bytes, *, samples: int = 2) -> bytes:
    """A MOV of one track of raw pictures whose samples lie where `dref`, a data reference, says."""
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    entry = box(
        b"raw ", bytes(6), struct.pack(">H", 1), bytes(16), struct.pack(">HH", 16, 16),
        struct.pack(">IIIH", 0x480000, 0x480000, 0, 1), bytes(32), struct.pack(">Hh", 24, -1),
    )  # fmt: skip
    table = box(
        b"stbl",
        full(b"stsd", struct.pack(">I", 1), entry),
        full(b"stts", struct.pack(">III", 1, samples, 100)),
        full(b"stsc", struct.pack(">IIII", 1, 1, samples, 1)),
        full(b"stsz", struct.pack(">II", 768, samples)),
        full(b"stco", struct.pack(">II", 1, 0)),
    )
    media = box(
        b"mdia",
        full(b"mdhd", struct.pack(">IIIIHH", 0, 0, 1000, 100 * samples, 0, 0)),
        full(b"hdlr", b"mhlr", b"vide", bytes(13)),
        box(b"minf", full(b"vmhd", bytes(8), flags=1), box(b"dinf", dref), table),
    )
    head = struct.pack(">IIII", 0, 0, 1, 0) + struct.pack(">I", 100 * samples) + bytes(16) + matrix
    track = box(b"trak", full(b"tkhd", head, struct.pack(">II", 16 << 16, 16 << 16), flags=7), media)
    header = struct.pack(">IIII", 0, 0, 1000, 100 * samples) + struct.pack(">IH", 0x10000, 0x100) + bytes(10)
    moov = box(b"moov", full(b"mvhd", header, matrix, bytes(24), struct.pack(">I", 2)), track)
    return box(b"ftyp", b"qt  ", bytes(4), b"qt  ") + moov + box(b"mdat", bytes(768 * samples))


def _url_reference(victim: Path, address: str) -> bytes:
    return movie(full(b"dref", struct.pack(">I", 1), full(b"url ", f"{address}/a.mov".encode() + b"\0")))


def _alias_reference(victim: Path, address: str) -> bytes:
    """A Finder alias as QuickTime's `alis`: the path relative and absolute, as ffmpeg's demuxer reads them."""
    path = str(victim).encode()
    name = victim.name.encode()[:63]
    fixed = struct.pack(">4sHH", bytes(4), 150 + len(path), 2) + struct.pack(">H", 0)
    fixed += bytes([4]) + b"disk".ljust(27, b"\0") + bytes(4) + b"H+" + bytes(2) + bytes(4)
    fixed += bytes([len(name)]) + name.ljust(63, b"\0") + bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
    records = b"".join(
        struct.pack(">HH", kind, len(value)) + value + b"\0" * (len(value) % 2)
        for kind, value in ((2, b"disk:" + path.replace(b"/", b":")), (18, path))
    )
    alias = full(b"alis", fixed + records + struct.pack(">HH", 0xFFFF, 0))
    return movie(full(b"dref", struct.pack(">I", 1), alias))


def _reference_movie(victim: Path, address: str) -> bytes:
    """QuickTime's list of other movies to be played instead of this one."""

    def named(target: str) -> bytes:
        data = target.encode() + b"\0"
        reference = full(b"rdrf", b"url ", struct.pack(">I", len(data)), data)
        return box(b"rmda", reference, full(b"rmdr", struct.pack(">I", 1000)))

    references = box(b"rmra", named(f"{address}/a.mov"), named(f"file://{victim}"), named(str(victim)))
    return box(b"ftyp", b"qt  ", bytes(4), b"qt  ") + box(b"moov", references)


def element(number: int, *parts: bytes) -> bytes:
    """An EBML element, its size in eight bytes."""
    body = b"".join(parts)
    return (
        number.to_bytes((number.bit_length() + 7) // 8, "big")
        + (1 << 56 | len(body)).to_bytes(8, "big")
        + body
    )


def matroska(*elements: bytes) -> bytes:
    """A Matroska file whose segment holds `elements`."""
    head = element(
        0x1A45DFA3, element(0x4286, b"\1"), element(0x42F7, b"\1"), element(0x42F2, b"\4"),
        element(0x42F3, b"\x08"), element(0x4282, b"matroska"), element(0x4287, b"\4"), element(0x4285, b"\2"),
    )  # fmt: skip
    return head + element(0x18538067, *elements)


def _linked_segments(victim: Path, address: str) -> bytes:
    """Matroska's hard and medium linking: what comes before and after, and chapters that live in other files."""
    name = str(victim).encode()
    info = element(
        0x1549A966, element(0x2AD7B1, (1_000_000).to_bytes(3, "big")), element(0x73A4, bytes(range(16))),
        element(0x3CB923, bytes(16)), element(0x3C83AB, name), element(0x3EB923, bytes(16)), element(0x3E83BB, name),
    )  # fmt: skip
    atom = element(
        0xB6, element(0x73C4, b"\1"), element(0x91, b"\0"), element(0x92, b"\x7f"), element(0x6E67, bytes(16))
    )
    chapters = element(0x1043A770, element(0x45B9, element(0x45DD, b"\1"), atom))
    attached = element(
        0x61A7, element(0x466E, f"{address}/font.ttf".encode()), element(0x4660, b"image/svg+xml"),
        element(0x465C, _SVG.format(victim=victim, address=address).encode()), element(0x46AE, b"\1"),
    )  # fmt: skip
    pictures = element(0xE0, element(0xB0, b"\x10"), element(0xBA, b"\x10"))
    track = element(
        0xAE,
        element(0xD7, b"\1"),
        element(0x73C5, b"\1"),
        element(0x83, b"\1"),
        element(0x86, b"V_MJPEG"),
        pictures,
    )
    return matroska(info, element(0x1654AE6B, track), chapters, element(0x1941A469, attached))


#: By the name of the trick.
DRESSED: dict[str, Maker] = {
    "hls, file": _text(_M3U8, at="{victim}"),
    "hls, request": _text(_M3U8, at="{address}/a.ts"),
    "hls, file URL": _text(_M3U8, at="file://{victim}"),
    "hls, subfile": _text(_M3U8, at="subfile,,start,0,end,9,,:{victim}"),
    "hls, concat": _text(_M3U8, at="concat:{victim}|{victim}"),
    "hls, key and map": _hls_key,
    "hls, behind a BOM": lambda victim, address: b"\xef\xbb\xbf" + _M3U8.format(extra="", target=victim).encode(),
    "hls, behind a blank": lambda victim, address: b"\n \n" + _M3U8.format(extra="", target=victim).encode(),
    "hls, behind a box": lambda victim, address: box(b"free", b"\n" + _M3U8.format(extra="", target=victim).encode()),
    "ffconcat": _text("ffconcat version 1.0\nfile '{victim}'\n"),
    "ffconcat, request": _text("ffconcat version 1.0\nfile {address}/a.mp4\n"),
    "ffconcat, options": _text("ffconcat version 1.0\nfile {victim}\noption safe 0\n"),
    "concat without its first line": _text("file '{victim}'\n"),
    "dash": _text(_MPD, at="{victim}"),
    "dash, request": _text(_MPD, at="{address}/a.mp4"),
    "imf": _text(_IMF, at="{victim}"),
    "sdp": _text(_SDP),
    "rtsp text": _text("RTSPtextRTSP://{address}/a\n"),
    "smil": _text(_SMIL),
    "asx": _text(_ASX),
    "pls": _text("[playlist]\nNumberOfEntries=1\nFile1={address}/a.mp4\n"),
    "svg": _text(_SVG),
    "url shortcut": _text("[InternetShortcut]\nURL={address}/a.mp4\n"),
    "vobsub index": _text("# VobSub index file, v7\nid: en, index: 0\ntimestamp: 00:00:00:000, filepos: 0\n"),
    "avisynth script": _text('AviSource("{victim}")\n'),
    "mov, url": _url_reference,
    "mov, alias": _alias_reference,
    "mov, reference movie": _reference_movie,
    "mkv, linked segments": _linked_segments,
}  # fmt: skip
