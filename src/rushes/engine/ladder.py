"""The ladder: which sizes a video is offered in. Pure geometry and tables.

Rungs go by the short side, so that a portrait video has the same names. Nothing is upscaled and every size is even.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from .encoders import Codec

#: A source this much above the preset beneath it gets a rung of its own (DESIGN.md, "Videos").
OWN_RUNG_MARGIN = Fraction(11, 10)


def rung_sizes(
    display_size: tuple[int, int], presets: Iterable[int], *, copied: bool = False
) -> tuple[tuple[int, int], ...]:
    """Sizes (width, height) of the encoded rungs, largest first, for a picture of `display_size`.

    With `copied` the source itself is the top rung, and only presets clearly (10 %) beneath it are encoded.
    Never empty unless `copied`.
    """
    short = even(min(display_size))
    steps = sorted(set(presets), reverse=True)
    if copied:
        return tuple(scaled(display_size, p) for p in steps if short > p * OWN_RUNG_MARGIN)
    beneath = [p for p in steps if p <= short]
    sides = list(beneath)
    above_all = bool(steps) and short >= steps[0]
    if not above_all and (not beneath or short > beneath[0] * OWN_RUNG_MARGIN):
        sides.insert(0, short)
    return tuple(scaled(display_size, side) for side in sides)


def scaled(display_size: tuple[int, int], short_side: int) -> tuple[int, int]:
    """`display_size` brought to `short_side`: aspect kept to the nearest even number, never larger."""
    width, height = display_size
    short, long = min(width, height), max(width, height)
    side = min(short_side, even(short))
    other = min(max(2, 2 * round(Fraction(long * side, 2 * short))), even(long))
    return (other, side) if width >= height else (side, other)


def even(length: int) -> int:
    """The even number at or beneath `length`, at least 2: 4:2:0 chroma has no half samples."""
    return max(2, length - length % 2)


def rung_name(size: tuple[int, int], codec: Codec = "h264") -> str:
    """`720p` for 1280x720 and for 720x1280; `720p-hevc` where it is not H.264."""
    return f"{min(size)}p" + ("" if codec == "h264" else f"-{codec}")
