"""What a user may choose about an encode, and the one table of rungs, caps and qualities that everything reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import exp, log, sqrt
from typing import Literal

from .encoders import SOFTWARE, Codec, Encoder
from .presets import RungChange

Quality = Literal["economy", "standard", "best"]

#: Bumped whenever a command line changes in a way that changes bytes: it is part of every rendition's key.
COMMAND_VERSION = 4

#: Frames per second; more is a slow-motion source, shown at a whole fraction of its rate.
MAX_RATE = Fraction(60)
#: Apple's authoring guide asks 6, players start sooner with 4; 2 s GOPs cost 3 % more bits.
SEGMENT_S = Fraction(4)
OPENING_SEGMENT_S = Fraction(2)  # the first chunk only: the first picture is there in half the time
CHUNK_SEGMENTS = 2  # 8 s: 17 % less CPU than 4 s chunks, about what 12 s chunks need
AUDIO_CHUNK_SEGMENTS = 8  # 32 s: encoded in well under a second, and segments are published as they come
COPY_CHUNK_S = Fraction(32)  # a copy is bound by the disk: fewer processes
AUDIO_RATE_HZ = 48_000
SURROUND_CHANNELS = 6  # 5.1: a source with so many or more is heard in surround, too
AAC_FRAME_SAMPLES = 1_024  # ISO/IEC 14496-3, AAC-LC
EDGE_TOLERANCE_S = Fraction(1, 10)  # how far sound may lead or outlast the picture before it counts

#: Cap in bits per second at 30 fps for 16:9, by the short side. Near YouTube's and Apple's ladders.
CAPS_BPS: dict[int, int] = {
    144: 160_000,
    240: 400_000,
    360: 800_000,
    480: 1_400_000,
    720: 2_800_000,
    1080: 5_000_000,
    1440: 9_000_000,
    2160: 16_000_000,
    4320: 48_000_000,
}

#: A source under this multiple of its rung's cap is fine as it is. Phones record at 3 to 4 times: those are encoded.
COPY_CAP_FACTOR = Fraction(5, 2)


@dataclass(frozen=True, kw_only=True)
class QualityLevel:
    """What a quality means for x264: a CRF, a preset, and a factor on the caps."""

    crf: int
    x264_preset: str
    cap_factor: Fraction


#: CRF 20 to 27 gave VMAF 93 over five clips: the middle is standard.
QUALITIES: dict[Quality, QualityLevel] = {
    "economy": QualityLevel(crf=26, x264_preset="veryfast", cap_factor=Fraction(7, 10)),
    "standard": QualityLevel(crf=23, x264_preset="veryfast", cap_factor=Fraction(1)),
    "best": QualityLevel(crf=20, x264_preset="medium", cap_factor=Fraction(3, 2)),
}


@dataclass(frozen=True, kw_only=True)
class NewerCodec:
    """What a codec beside H.264 needs for the same quality, on its own scales; its share of H.264's caps."""

    crf: Mapping[Quality, int]
    preset: Mapping[Quality, str]
    cap_factor: Fraction


#: CRFs that give the VMAF of H.264's at six tenths of its bits or less (benchmarks/bench_codecs.py).
NEWER_CODECS: dict[Codec, NewerCodec] = {
    "hevc": NewerCodec(
        crf={"economy": 28, "standard": 25, "best": 21},
        preset={"economy": "superfast", "standard": "veryfast", "best": "fast"},
        cap_factor=Fraction(7, 10),
    ),
    "av1": NewerCodec(
        crf={"economy": 45, "standard": 39, "best": 30},
        preset={"economy": "11", "standard": "10", "best": "8"},
        cap_factor=Fraction(6, 10),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A user's choices. `rungs` are short sides in lines, highest first.

    Raises ValueError for a rung that is not an even number of lines from 16 to 4320, and for codecs without H.264.
    """

    rungs: tuple[int, ...] = (1080, 720, 480, 360)
    quality: Quality = "standard"
    copy: bool = True  # whether an eligible source becomes the top rung as it is
    audio_bitrate_bps: int = 128_000
    codecs: tuple[Codec, ...] = ("h264",)  # further ones are added to H.264, which every player plays
    changes: Mapping[str, RungChange] = field(default_factory=dict)  # by rung: see `presets`
    encoders: tuple[Encoder, ...] = ()  # proven hardware ones; for other codecs the software's
    warnings: tuple[str, ...] = ()  # of the choice of these, for whoever made it

    def __post_init__(self) -> None:
        for lines in self.rungs:
            if not 16 <= lines <= 4320 or lines % 2:
                raise ValueError(f"A rung is an even number of lines from 16 to 4320, not {lines}.")
        if not self.rungs:
            raise ValueError("At least one rung is needed.")
        if "h264" not in self.codecs:
            raise ValueError("H.264 has to be among the codecs.")
        object.__setattr__(self, "rungs", tuple(sorted(set(self.rungs), reverse=True)))

    def encoder_of(self, codec: Codec) -> Encoder:
        """What encodes that codec: proven hardware, else software."""
        return next((encoder for encoder in self.encoders if encoder.codec == codec), SOFTWARE[codec])


def cap_bps(width: int, height: int, rate: Fraction, quality: Quality = "standard") -> int:
    """The cap for a picture of this size and rate: the table, interpolated over pixels on log-log axes.

    Above 30 fps it grows with the square root of the rate: neighbouring frames differ less.
    """
    points = [(round(short * short * 16 / 9), bps) for short, bps in CAPS_BPS.items()]
    pixels = min(max(width * height, points[0][0]), points[-1][0])
    for (low, low_bps), (high, high_bps) in pairwise(points):
        if pixels <= high:
            t = log(pixels / low) / log(high / low)
            base = exp(log(low_bps) + t * (log(high_bps) - log(low_bps)))
            break
    factor = sqrt(max(1.0, float(rate / 30))) * float(QUALITIES[quality].cap_factor)
    return round(base * factor / 1000) * 1000
