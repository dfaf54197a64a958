"""What all pictures of a video share: from which rung and segments they are taken, and how they become JPEG."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from . import EngineError
from .limits import INPUT_GUARDS
from .plan import Plan, Rung
from .process import Limits

THUMBNAIL_WIDTH = 320

#: JPEG knows the full range only, and decoders take BT.601 for granted.
TO_JPEG = "scale=out_color_matrix=bt601:out_range=full,format=yuvj420p"
#: Nobody waits for pictures: the video plays already.
PICTURE_LIMITS = Limits(wall_s=600.0, output_bytes=256 << 20, nice=10)


class NoPicture(EngineError):
    """Nothing that can be shown came of the segments; the message says what was looked for."""


def rung_for(plan: Plan, long_side: int) -> Rung | None:
    """The smallest rung whose long side is at least so many pixels, else the largest; None: the video has none."""
    large_enough = [rung for rung in plan.rungs if max(rung.width, rung.height) >= long_side]
    return min(large_enough, key=_pixels, default=None) or max(plan.rungs, key=_pixels, default=None)


def sampled_segments(count: int, samples: int) -> list[int]:
    """Numbers of at most `samples` of `count` segments, the middles of equal parts of the video."""
    samples = min(count, samples)
    return [(2 * n + 1) * count // (2 * samples) for n in range(samples)]


def fitted(rung: Rung, long_side: int) -> tuple[int, int]:
    """Width and height, even, of a rung's picture made so small; its shape is kept and it is never larger."""
    factor = min(Fraction(1), Fraction(long_side, max(rung.width, rung.height)))
    return _even(rung.width * factor), _even(rung.height * factor)


def thumbnail_size(width: int, height: int) -> tuple[int, int]:
    """Width and even height of the thumbnail of a picture, which it is never larger than."""
    thumb = min(THUMBNAIL_WIDTH, width)
    return thumb, _even(Fraction(thumb * height, width))


def picture_input(source: str, skip: str) -> list[str]:
    """Input options of pipes with pictures; `skip`: what the decoder need not decode, in ffmpeg's words."""
    return [
        *("-skip_frame", skip),
        *INPUT_GUARDS,
        *("-threads", "1"),  # frame threads would begin pictures that nobody keeps
        *("-i", source),
    ]


def jpeg_output(label: str, output: str, quality: int, *, frames: int | None = 1) -> list[str]:
    """Output options of one JPEG, or (None) of a numbered series; `quality` from 2, the best, to 31."""
    return [
        *("-map", label),
        *(("-frames:v", str(frames)) if frames else ()),
        *("-c:v", "mjpeg"),
        *("-q:v", str(quality)),
        *("-flags:v", "+bitexact"),  # no encoder name in a comment
        *("-fflags", "+bitexact"),
        *("-map_metadata", "-1"),
        *(("-update", "1") if frames else ("-start_number", "0")),  # one file, not a numbered series
        *("-fps_mode:v", "passthrough"),  # as many as the graph gives
        *("-f", "image2"),
        output,
    ]


def read_figures(text: str, prefix: str) -> list[dict[str, float]]:
    """What `metadata=print` wrote of each picture, as {name without prefix: figure}; "nan" is one, too."""
    pictures: list[dict[str, float]] = []
    for line in text.splitlines():
        if line.startswith("frame:"):
            pictures.append({})
        elif line.startswith(prefix) and pictures:
            name, _, figure = line.removeprefix(prefix).partition("=")
            pictures[-1][name] = float(figure)
    return pictures


def check_jpegs(paths: Sequence[tuple[str, bytes]], size: tuple[int, int]) -> None:
    """Check that these files are whole JPEGs of that size. Raises NoPicture."""
    for name, data in paths:
        if jpeg_size(data) != size or not data.rstrip(b"\0").endswith(b"\xff\xd9"):
            raise NoPicture(f"{name} is not a whole picture of {size[0]}x{size[1]}")


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height by the frame header (ITU-T T.81, B.2.2); None where there is none."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in (0xC0, 0xC1, 0xC2):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + length
    return None


def _even(length: Fraction) -> int:
    return max(2, 2 * round(length / 2))


def _pixels(rung: Rung) -> int:
    return rung.width * rung.height
