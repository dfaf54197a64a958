"""Damaged files, thousands of them, the same from the same seed."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from random import Random

from tests.clips import make_clip

#: One tiny clip for each demuxer that people's files go through.
SEEDS: dict[str, dict[str, object]] = {
    "plain.mp4": {},
    "fast.mp4": {"options": ("-movflags", "+faststart", "-bf", "2")},
    "fragments.mp4": {"options": ("-movflags", "+frag_keyframe+empty_moov")},
    "hevc.mov": {"codec": "libx265", "options": ("-preset", "ultrafast", "-x265-params", "log-level=error")},
    "vp9.webm": {"codec": "libvpx-vp9", "audio_codec": "libopus", "options": ("-deadline", "realtime")},
    "h264.mkv": {"audio_codec": "libvorbis"},
    "mpeg4.avi": {"codec": "mpeg4", "audio_codec": "libmp3lame"},
    "h264.ts": {},
    "h264.flv": {},
    "theora.ogv": {"codec": "libtheora", "audio_codec": "libvorbis"},
    "mpeg2.mpg": {"codec": "mpeg2video", "audio_codec": "mp2"},
    "wmv.asf": {"codec": "wmv2", "audio_codec": "wmav2"},
    "pictures.gif": {"codec": "gif", "audio_tracks": 0, "options": ("-pix_fmt", "rgb8")},
}  # fmt: skip

_EXTREMES = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\0\1",
    b"\xff\xff\xff\xfe",
)


def make_seeds(folder: Path) -> dict[str, bytes]:
    """The clips by name: half a second of 96 x 64 and a tone."""
    found = {}
    for name, made in SEEDS.items():
        wanted = {"size": (96, 64), "rate": Fraction(10), "duration_s": 0.5, **made}
        found[name] = make_clip(folder / name, **wanted).read_bytes()  # type: ignore[arg-type]
    return found


def mutated(seeds: dict[str, bytes], seed: int) -> tuple[str, bytes]:
    """One damaged file and its name; of the same seeds the same."""
    random = Random(seed)
    name = random.choice(sorted(seeds))
    data = bytearray(seeds[name])
    for _ in range(random.choice((1, 1, 2, 4, 16, 64))):
        random.choice(_WAYS)(data, random)
    return name, bytes(data)


def truncated(data: bytes, percent: int) -> bytes:
    """The first so many hundredths."""
    return data[: len(data) * percent // 100]


def _place(data: bytearray, random: Random) -> int:
    """Headers are small and matter most: half of the damage is in the first and last two kilobytes."""
    if not data:
        return 0
    edge = random.choice((0, 1, None, None))
    if edge is None:
        return random.randrange(len(data))
    near = random.randrange(min(2048, len(data)))
    return near if edge == 0 else len(data) - 1 - near


def _flip(data: bytearray, random: Random) -> None:
    if data:
        data[_place(data, random)] ^= 1 << random.randrange(8)


def _overwrite(data: bytearray, random: Random) -> None:
    at = _place(data, random)
    data[at : at + 4] = random.choice(_EXTREMES)


def _noise(data: bytearray, random: Random) -> None:
    at, length = _place(data, random), random.randrange(1, 256)
    data[at : at + length] = random.randbytes(length)


def _remove(data: bytearray, random: Random) -> None:
    at = _place(data, random)
    del data[at : at + random.choice((1, 4, 188, 4096))]


def _insert(data: bytearray, random: Random) -> None:
    at = _place(data, random)
    data[at:at] = random.randbytes(random.choice((1, 4, 64)))


def _repeat(data: bytearray, random: Random) -> None:
    at, length = _place(data, random), random.choice((8, 188, 4096))
    data[at:at] = data[at : at + length]


def _exchange(data: bytearray, random: Random) -> None:
    one, two, length = _place(data, random), _place(data, random), random.choice((4, 64, 1024))
    data[one : one + length], data[two : two + length] = data[two : two + length], data[one : one + length]


def _near_a_size(data: bytearray, random: Random) -> None:
    """The four bytes before a box's name, or behind a chunk's: sizes and counts."""
    names = (
        b"moov",
        b"trak",
        b"stbl",
        b"stts",
        b"stsz",
        b"stco",
        b"elst",
        b"moof",
        b"trun",
        b"LIST",
        b"strh",
        b"idx1",
    )
    at = data.find(random.choice(names))
    if at >= 4:
        at += random.choice((-4, 4, 8, 12))
        data[at : at + 4] = random.choice((*_EXTREMES, random.randbytes(4)))


_WAYS: tuple[Callable[[bytearray, Random], None], ...] = (
    *(_flip, _overwrite, _noise, _remove, _insert, _repeat, _exchange, _near_a_size, _near_a_size),
)
