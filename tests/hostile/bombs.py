"""Small files that claim, or unfold into, far more than they are."""

from __future__ import annotations

import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

from rushes.engine.binaries import toolchain
from tests.hostile.dressed import box, element, full, matroska, movie

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_DREF = full(b"dref", struct.pack(">I", 1), full(b"url ", flags=1))


def _ffmpeg(*arguments: str | Path) -> None:
    argv = [str(toolchain().ffmpeg.path), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def pixels(path: Path) -> Path:
    """MJPEG of 16000 x 16000 in 1.5 MB or less."""
    _ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "color=gray:size=16000x16000:rate=1",
        "-frames:v",
        "1",
        "-c:v",
        "mjpeg",
        "-threads",
        "1",
        path,
    )
    return path


def pixels_in_the_stream(path: Path) -> Path:
    """An H.264 file that turns from 64 x 64 to 10000 x 4000 behind its header's back: only its decoder sees it."""
    small, large = path.with_suffix(".small.h264"), path.with_suffix(".large.h264")
    for part, size in ((small, "64x64"), (large, "10000x4000")):
        _ffmpeg("-f", "lavfi", "-i", f"color=gray:size={size}:rate=10", "-frames:v", "2", "-c:v", "libx264",
                "-preset", "ultrafast", "-threads", "1", part)  # fmt: skip
    both = path.with_suffix(".both.h264")
    both.write_bytes(small.read_bytes() * 20 + large.read_bytes())
    _ffmpeg("-r", "10", "-i", both, "-c", "copy", "-t", "4.2", "-f", "mpegts", path)
    return path


def hours_between(path: Path) -> Path:
    """Two frames four hours apart, 1.6 kB."""
    _ffmpeg("-f", "lavfi", "-i", "color=gray:size=64x64:rate=1:duration=2", "-vf", "setpts=N*14400/TB",
            "-fps_mode", "vfr", "-c:v", "mpeg4", path)  # fmt: skip
    return path


def years_long(path: Path) -> Path:
    """Two frames eleven years apart."""
    info = element(0x1549A966, element(0x2AD7B1, (1_000_000).to_bytes(3, "big")))
    late = element(
        0x1F43B675,
        element(0xE7, (346_896_000_000).to_bytes(8, "big")),
        element(0xA3, b"\x81\0\0\x80", bytes(64)),
    )
    path.write_bytes(matroska(info, _picture_track(), _one_cluster(), late))
    return path


def a_month_late(path: Path) -> Path:
    """A picture now and one packet of sound a month later: each stream is short."""
    info = element(0x1549A966, element(0x2AD7B1, (1_000_000).to_bytes(3, "big")))
    picture = element(0xE0, element(0xB0, b"\x10"), element(0xBA, b"\x10"))
    sound = element(0xE1, element(0xB5, bytes.fromhex("40e77000")), element(0x9F, b"\1"))
    kinds = ((b"\1", b"V_MJPEG", picture), (b"\2", b"A_MPEG/L3", sound))
    entries = [
        element(0xAE, element(0xD7, n), element(0x73C5, n), element(0x83, n), element(0x86, codec), details)
        for n, codec, details in kinds
    ]
    tracks = element(0x1654AE6B, *entries)
    packet = element(0xA3, b"\x82\0\0\x80", bytes.fromhex("fffb9064") + bytes(413))
    late = element(0x1F43B675, element(0xE7, (2_499_805_525).to_bytes(8, "big")), packet)
    path.write_bytes(matroska(info, tracks, _one_cluster(), late))
    return path


def tracks(path: Path, *, count: int = 900) -> Path:
    """A sound file whose one track is there `count` times; each would become a rendition."""
    single = path.with_suffix(".single.mp4")
    _ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "sine=duration=1:sample_rate=48000",
        "-c:a",
        "aac",
        "-movflags",
        "+faststart",
        single,
    )
    data = single.read_bytes()
    at = data.index(b"moov") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    moov, rest = data[at + 8 : at + size], data[at + size :]
    begin = moov.index(b"trak") - 4
    end = begin + int.from_bytes(moov[begin : begin + 4], "big")
    trak = bytearray(moov[begin:end])
    number_at = trak.index(b"tkhd") + 4 + 12
    copies = []
    for number in range(1, count + 1):
        trak[number_at : number_at + 4] = number.to_bytes(4, "big")
        copies.append(bytes(trak))
    path.write_bytes(data[:at] + box(b"moov", moov[:begin], *copies, moov[end:]) + rest)
    return path


def words(path: Path, *, tags: int = 30_000, letters: int = 200) -> Path:
    """A Matroska file with more tags than pictures."""
    tag = element(0x67C8, element(0x45A3, b"NAME-%d"), element(0x4487, b"x" * letters))
    body = b"".join(tag.replace(b"NAME-%d", b"N%06d" % number) for number in range(tags))
    info = element(0x1549A966, element(0x2AD7B1, (1_000_000).to_bytes(3, "big")))
    path.write_bytes(
        matroska(
            info,
            _picture_track(),
            element(0x1254C367, element(0x7373, element(0x63C0), body)),
            _one_cluster(),
        )
    )
    return path


def chapters(path: Path, *, count: int = 100_000) -> Path:
    """A Matroska file with a hundred thousand chapters."""
    atoms = b"".join(
        element(
            0xB6,
            element(0x73C4, number.to_bytes(4, "big")),
            element(0x91, (number * 1000).to_bytes(8, "big")),
            element(0x80, element(0x85, b"chapter %d" % number)),
        )
        for number in range(1, count + 1)
    )
    info = element(0x1549A966, element(0x2AD7B1, (1_000_000).to_bytes(3, "big")))
    path.write_bytes(
        matroska(info, _picture_track(), element(0x1043A770, element(0x45B9, atoms)), _one_cluster())
    )
    return path


def deep_boxes(path: Path, *, depth: int = 50_000) -> Path:
    """Boxes in boxes: each level may cost its reader a stack frame."""
    size = 8 * depth
    path.write_bytes(
        box(b"ftyp", b"isom", bytes(4))
        + b"".join(
            struct.pack(">I4s", size - 8 * level, b"moov" if level == 0 else b"udta")
            for level in range(depth)
        )
    )
    return path


def deep_elements(path: Path, *, depth: int = 20_000) -> Path:
    """The same in Matroska: tags in tags."""
    inner = b""
    for _ in range(depth):
        inner = element(0x67C8, inner) if len(inner) < 1 << 18 else inner
    path.write_bytes(matroska(element(0x1254C367, element(0x7373, inner)), _picture_track(), _one_cluster()))
    return path


def billions_of_samples(path: Path) -> Path:
    """A MOV whose tables claim four milliards of samples in a few bytes each."""
    path.write_bytes(
        movie(_DREF, samples=2).replace(struct.pack(">II", 768, 2), struct.pack(">II", 768, 0xFFFF_FFF0))
    )
    return path


def compressed_index(path: Path, *, size: int = 400 << 20) -> Path:
    """QuickTime's compressed moov box: 400 kB of zlib that unfold into 400 MB of nothing."""
    packed = zlib.compressobj(9)
    data = b"".join([*(packed.compress(bytes(1 << 20)) for _ in range(size >> 20)), packed.flush()])
    cmov = box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", struct.pack(">I", size), data))
    path.write_bytes(box(b"ftyp", b"qt  ", bytes(4), b"qt  ") + box(b"moov", cmov) + box(b"mdat", bytes(16)))
    return path


def compressed_frames(path: Path, *, frames: int = 200, size: int = 9 << 20) -> Path:
    """Matroska frames that zlib unfolds a thousandfold."""
    encoding = element(
        0x6D80, element(0x6240, element(0x5031, b"\0"), element(0x5032, b"\1"), element(0x5033, b"\0"),
                        element(0x5034, element(0x4254, b"\0")))
    )  # fmt: skip
    frame = zlib.compress(bytes(size), 9)
    blocks = [element(0xA3, b"\x81" + number.to_bytes(2, "big") + b"\x80", frame) for number in range(frames)]
    info = element(0x1549A966, element(0x2AD7B1, (1_000_000).to_bytes(3, "big")))
    path.write_bytes(
        matroska(info, _picture_track(encoding), element(0x1F43B675, element(0xE7, b"\0"), *blocks))
    )
    return path


def thousands_a_second(path: Path) -> Path:
    """An AVI that claims a million frames a second."""
    _ffmpeg("-f", "lavfi", "-i", "color=gray:size=64x64:rate=25:duration=1", "-c:v", "mjpeg", path)
    data = bytearray(path.read_bytes())
    at = data.index(b"strh") + 8 + 20
    data[at : at + 8] = struct.pack("<II", 1, 1_000_000)
    path.write_bytes(data)
    return path


def _picture_track(*more: bytes) -> bytes:
    size = element(0xE0, element(0xB0, b"\x10"), element(0xBA, b"\x10"))
    track = element(
        0xAE,
        element(0xD7, b"\1"),
        element(0x73C5, b"\1"),
        element(0x83, b"\1"),
        element(0x86, b"V_MJPEG"),
        size,
        *more,
    )
    return element(0x1654AE6B, track)


def _one_cluster() -> bytes:
    return element(0x1F43B675, element(0xE7, b"\0"), element(0xA3, b"\x81\0\0\x80", bytes(64)))


#: By name: what makes it below a path.
BOMBS: dict[str, Callable[[Path], Path]] = {
    "pixels": pixels,
    "pixels in the stream": pixels_in_the_stream,
    "hours between": hours_between,
    "years long": years_long,
    "a month late": a_month_late,
    "tracks": tracks,
    "words": words,
    "chapters": chapters,
    "deep boxes": deep_boxes,
    "deep elements": deep_elements,
    "billions of samples": billions_of_samples,
    "compressed index": compressed_index,
    "compressed frames": compressed_frames,
    "a million frames a second": thousands_a_second,
}  # fmt: skip

SUFFIXES = {
    "pixels": ".avi",
    "pixels in the stream": ".ts",
    "hours between": ".mp4",
    "a million frames a second": ".avi",
}
