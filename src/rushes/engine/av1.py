"""AV1 levels: the lowest that a stream keeps, from the AV1 bitstream specification, annex A.3, Main tier."""

from __future__ import annotations

from fractions import Fraction

#: seq_level_idx: (luma samples/picture, widest, highest, luma samples shown/s)
_LEVELS: dict[int, tuple[int, int, int, int]] = {
    0: (147_456, 2_048, 1_152, 4_423_680),
    1: (278_784, 2_816, 1_584, 8_363_520),
    4: (665_856, 4_352, 2_448, 19_975_680),
    5: (1_065_024, 5_504, 3_096, 31_950_720),
    8: (2_359_296, 6_144, 3_456, 70_778_880),
    9: (2_359_296, 6_144, 3_456, 141_557_760),
    12: (8_912_896, 8_192, 4_352, 267_386_880),
    13: (8_912_896, 8_192, 4_352, 534_773_760),
    14: (8_912_896, 8_192, 4_352, 1_069_547_520),
    16: (35_651_584, 16_384, 8_704, 1_069_547_520),
    17: (35_651_584, 16_384, 8_704, 2_139_095_040),
    18: (35_651_584, 16_384, 8_704, 4_278_190_080),
}


def level_idx(width: int, height: int, rate: Fraction) -> int:
    """The lowest seq_level_idx (5 for "3.1"), as SVT-AV1 chooses it: by size and rate, as its caps are far below every
    level's bit rate. 31 ("maximum parameters") where none suffices.
    """
    for idx, (per_picture, widest, highest, per_second) in _LEVELS.items():
        if (
            width * height <= per_picture
            and width <= widest
            and height <= highest
            and width * height * rate <= per_second
        ):
            return idx
    return 31
