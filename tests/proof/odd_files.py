"""Files that are not simply a film: sound alone, attached pictures, damage, lies, and no video at all."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

from tests.proof.kinds import X264, Kind, run_ffmpeg
from tests.proof.odd_kinds import CHIRP

_SOUND = ("-f", "lavfi", "-i", f"{CHIRP}:d=10")
_COVER = ("-f", "lavfi", "-i", "testsrc2=s=640x640:d=0.04")


def _film(name: str, *, suffix: str = ".mp4", options: tuple[str, ...] = (), gop: int = 25) -> Kind:
    return Kind(
        name,
        frames=300,
        suffix=suffix,
        encoder=(*X264[:-1], str(gop)),
        sound_s=10.0,
        sound=CHIRP,
        options=options,
    )


def sound_alone(folder: Path) -> Path:
    """An AAC track in MP4."""
    path = folder / "sound-alone.m4a"
    run_ffmpeg([*_SOUND, "-c:a", "aac", str(path)])
    return path


def sound_with_cover(folder: Path) -> Path:
    """An MP3 with a picture of its cover."""
    path = folder / "sound-with-cover.mp3"
    run_ffmpeg(
        [
            *(
                *_SOUND,
                *_COVER,
                "-map",
                "0:a",
                "-map",
                "1:v",
                "-c:v",
                "mjpeg",
                "-disposition:v",
                "attached_pic",
            ),
            *("-c:a", "libmp3lame", str(path)),
        ]
    )
    return path


def film_with_cover(folder: Path) -> Path:
    """A small film in MP4 with a larger attached picture before it."""
    film, path = _film("covered").make(folder), folder / "film-with-cover.mp4"
    run_ffmpeg(
        [
            *("-i", str(film), *_COVER, "-map", "1:v", "-map", "0:v", "-map", "0:a", "-c", "copy"),
            *("-c:v:0", "mjpeg", "-disposition:v:0", "attached_pic", str(path)),
        ]
    )
    return path


def cut_off(folder: Path) -> Path:
    """An MP4 with its index in front, of which a third is missing."""
    path = _film("cut-off", options=("-movflags", "+faststart")).make(folder)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 2 // 3)
    return path


def cut_off_mkv(folder: Path) -> Path:
    """A Matroska file, which can be read to wherever it ends."""
    path = _film("cut-off-mkv", suffix=".mkv").make(folder)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 2 // 3)
    return path


def holes(folder: Path) -> Path:
    """An MP4 with three holes of noise in its pictures and sound."""
    path = _film("holes", options=("-movflags", "+faststart")).make(folder)
    noise, size = random.Random(3), path.stat().st_size
    with path.open("r+b") as file:
        for place in (0.4, 0.6, 0.8):
            file.seek(int(size * place))
            file.write(noise.randbytes(4_000))
    return path


def lying_duration(folder: Path) -> Path:
    """A Matroska file that says it lasts 40 hours."""
    path = _film("lying-duration", suffix=".mkv").make(folder)
    data = bytearray(path.read_bytes())
    at = data.index(b"\x44\x89\x88") + 3  # Duration: 8 bytes, a float in milliseconds
    data[at : at + 8] = struct.pack(">d", 143_165_000.0)
    path.write_bytes(data)
    return path


def without_index(folder: Path) -> Path:
    """An MP4 that was cut off before its index, which is last."""
    path = _film("without-index").make(folder)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    return path


def joined_recordings(folder: Path) -> Path:
    """Two transport streams one after the other, whose clocks both begin anew."""
    parts = [_film(f"part-{number}", suffix=".ts").make(folder).read_bytes() for number in range(2)]
    path = folder / "joined.ts"
    path.write_bytes(b"".join(parts))
    return path


def begun_in_mid_group(folder: Path) -> Path:
    """A transport stream that begins in the middle of a packet in the middle of a group of pictures."""
    data = _film("whole", suffix=".ts", gop=50).make(folder).read_bytes()
    path = folder / "begun.ts"
    path.write_bytes(data[len(data) // 5 + 77 :])
    return path


def text(folder: Path) -> Path:
    """Words."""
    path = folder / "text.mp4"
    path.write_text("This is no video.\n" * 100)
    return path


def noise(folder: Path) -> Path:
    """Bytes."""
    path = folder / "noise.mp4"
    path.write_bytes(random.Random(1).randbytes(100_000))
    return path


def subtitles_alone(folder: Path) -> Path:
    """A readable file with nothing to play."""
    words, path = folder / "words.srt", folder / "subtitles-alone.mkv"
    words.write_text("1\n00:00:00,000 --> 00:00:02,000\nHello\n")
    run_ffmpeg(["-i", str(words), "-c", "copy", str(path)])
    return path


ODD_FILES: dict[str, Callable[[Path], Path]] = {
    make.__name__.replace("_", "-"): make
    for make in (
        sound_alone,
        sound_with_cover,
        film_with_cover,
        cut_off,
        cut_off_mkv,
        holes,
        lying_duration,
        joined_recordings,
        begun_in_mid_group,
        without_index,
        text,
        noise,
        subtitles_alone,
    )
}
