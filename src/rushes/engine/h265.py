"""HEVC levels: the lowest that a stream keeps, from ITU-T H.265 (09/2023) tables A.8 and A.9, Main tier."""

from __future__ import annotations

from fractions import Fraction

#: general_level_idc (30 times the level): (luma samples/picture, luma samples/s, kbit/s of Main tier)
_LEVELS: dict[int, tuple[int, int, int]] = {
    30: (36_864, 552_960, 128),
    60: (122_880, 3_686_400, 1_500),
    63: (245_760, 7_372_800, 3_000),
    90: (552_960, 16_588_800, 6_000),
    93: (983_040, 33_177_600, 10_000),
    120: (2_228_224, 66_846_720, 12_000),
    123: (2_228_224, 133_693_440, 20_000),
    150: (8_912_896, 267_386_880, 25_000),
    153: (8_912_896, 534_773_760, 40_000),
    156: (8_912_896, 1_069_547_520, 60_000),
    180: (35_651_584, 1_069_547_520, 60_000),
    183: (35_651_584, 2_139_095_040, 120_000),
    186: (35_651_584, 4_278_190_080, 240_000),
}
_SMALLEST_BLOCK = 8  # x265 codes whole blocks of at least 8 luma samples


def level_idc(width: int, height: int, rate: Fraction, maxrate_bps: int) -> int:
    """The lowest general_level_idc (93 for "3.1") of the Main tier; 186 where none suffices."""
    coded = [-(-side // _SMALLEST_BLOCK) * _SMALLEST_BLOCK for side in (width, height)]
    samples = coded[0] * coded[1]
    for idc, (per_picture, per_second, kbps) in _LEVELS.items():
        if (
            samples <= per_picture
            and max(coded) ** 2 <= 8 * per_picture  # A.4.1: neither side over sqrt(8 * MaxLumaPs)
            and samples * rate <= per_second
            and maxrate_bps <= kbps * 1000
        ):
            return idc
    return 186
