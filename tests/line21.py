"""CEA-608 captions put into H.264 pictures, as broadcasters do: `ffmpeg` reads them, but writes none."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from rushes.engine.binaries import toolchain

_RATE = 30
_PAIR_OF_NOTHING = (0x80, 0x80)
_RESUME_LOADING, _ROW_15, _END_OF_CAPTION, _ERASE_SHOWN = (
    (0x14, 0x20),
    (0x14, 0x70),
    (0x14, 0x2F),
    (0x14, 0x2C),
)


def make_captioned_clip(
    path: Path, captions: Sequence[tuple[float, float, str]], duration_s: float = 6
) -> Path:
    """A clip of 30 fps whose picture has pop-on captions: (from, until, text) in seconds, apart by a second or so."""
    raw = path.with_suffix(".h264")
    ffmpeg = [str(toolchain().ffmpeg.path), "-hide_banner", "-nostdin", "-v", "error", "-y"]
    picture = ["-f", "lavfi", "-i", f"testsrc2=size=320x180:rate={_RATE}", "-t", str(duration_s)]
    # No B-frames: pictures are stored in the order in which they are shown.
    encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-pix_fmt", "yuv420p", "-threads", "1"]
    subprocess.run([*ffmpeg, *picture, *encoder, "-f", "h264", str(raw)], check=True)
    raw.write_bytes(_captioned(raw.read_bytes(), _pairs(captions, round(duration_s * _RATE))))
    source = ["-f", "h264", "-framerate", str(_RATE), "-i", str(raw)]
    subprocess.run([*ffmpeg, *source, "-c", "copy", str(path)], check=True)
    raw.unlink()
    return path


def _pairs(captions: Sequence[tuple[float, float, str]], frames: int) -> list[tuple[int, int]]:
    """Two bytes a frame; a caption is sent ahead, so that its last command falls on the frame where it appears."""
    line = [_PAIR_OF_NOTHING] * frames
    for begin_s, end_s, text in captions:
        padded = text if len(text) % 2 == 0 else text + " "
        letters = [(ord(a), ord(b)) for a, b in zip(padded[::2], padded[1::2], strict=True)]
        sent = [
            _RESUME_LOADING,
            _RESUME_LOADING,
            _ROW_15,
            _ROW_15,
            *letters,
            _END_OF_CAPTION,
            _END_OF_CAPTION,
        ]
        shown = round(begin_s * _RATE)
        line[shown + 2 - len(sent) : shown + 2] = sent
        erased = round(end_s * _RATE)
        line[erased : erased + 2] = [_ERASE_SHOWN, _ERASE_SHOWN]
    return line


def _captioned(stream: bytes, pairs: Sequence[tuple[int, int]]) -> bytes:
    """The Annex B stream with a caption message (SEI, ATSC A/53) before each picture."""
    starts = [match.start() for match in re.finditer(rb"\x00\x00\x01", stream)] + [len(stream)]
    made, frame = [stream[: starts[0]]], 0
    for begin, end in pairwise(starts):
        first_slice = stream[begin + 3] & 0x1F in (1, 5) and stream[begin + 4] & 0x80
        if first_slice:
            made.append(_message(pairs[frame]))
            frame += 1
        made.append(stream[begin:end])
    return b"".join(made)


def _message(pair: tuple[int, int]) -> bytes:
    data = bytes((0xFC, *(_odd(byte) for byte in pair)))
    payload = b"\xb5\x00\x31GA94\x03" + bytes((0x40 | 1, 0xFF)) + data + b"\xff"
    nal = bytes((0x06, 0x04, len(payload))) + payload + b"\x80"
    return b"\x00\x00\x01" + re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", nal)


def _odd(byte: int) -> int:
    """With the parity bit that makes the number of ones odd."""
    byte &= 0x7F
    return byte | 0x80 if byte.bit_count() % 2 == 0 else byte
