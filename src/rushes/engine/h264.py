"""H.264 levels: the lowest that a stream keeps, from ITU-T H.264 (08/2021) table A-1."""

from __future__ import annotations

from fractions import Fraction

#: level_idc: (macroblocks/s, macroblocks/frame, DPB macroblocks, kbit/s of Main profile)
_LEVELS: dict[int, tuple[int, int, int, int]] = {
    10: (1_485, 99, 396, 64),
    11: (3_000, 396, 900, 192),
    12: (6_000, 396, 2_376, 384),
    13: (11_880, 396, 2_376, 768),
    20: (11_880, 396, 2_376, 2_000),
    21: (19_800, 792, 4_752, 4_000),
    22: (20_250, 1_620, 8_100, 4_000),
    30: (40_500, 1_620, 8_100, 10_000),
    31: (108_000, 3_600, 18_000, 14_000),
    32: (216_000, 5_120, 20_480, 20_000),
    40: (245_760, 8_192, 32_768, 20_000),
    41: (245_760, 8_192, 32_768, 50_000),
    42: (522_240, 8_704, 34_816, 50_000),
    50: (589_824, 22_080, 110_400, 135_000),
    51: (983_040, 36_864, 184_320, 240_000),
    52: (2_073_600, 36_864, 184_320, 240_000),
    60: (4_177_920, 139_264, 696_320, 240_000),
    61: (8_355_840, 139_264, 696_320, 480_000),
    62: (16_711_680, 139_264, 696_320, 800_000),
}
_HIGH_PROFILE_BITRATE = Fraction(5, 4)  # table A-2: High may use 1.25 times Main's rate
REFERENCE_FRAMES = 4  # the most that x264's presets up to `medium` keep, with B-frames as references


def level_idc(width: int, height: int, rate: Fraction, maxrate_bps: int) -> int:
    """The lowest level_idc (31 for "3.1") for High profile at this size, rate and cap; 62 where none suffices."""
    across, down = -(-width // 16), -(-height // 16)
    frame = across * down
    for idc, (per_second, per_frame, dpb, kbps) in _LEVELS.items():
        if (
            frame <= per_frame
            and max(across, down) ** 2 <= 8 * per_frame  # A.3.1: neither side over sqrt(8 * MaxFS)
            and frame * rate <= per_second
            and frame * REFERENCE_FRAMES <= dpb
            and maxrate_bps <= kbps * 1000 * _HIGH_PROFILE_BITRATE
        ):
            return idc
    return 62
