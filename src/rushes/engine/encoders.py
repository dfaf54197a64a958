"""Which encoders there are, what each calls its codec, and how far down its scale each quality lies.

A rung names its encoder as ffmpeg does ("libx264", "hevc_nvenc"): with everything else in the plan that decides its
bytes, so it is in the rung's key. Hardware encoders have been proven on this host (`gpu`) before a plan names them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from . import av1, h264, h265

Codec = Literal["h264", "hevc", "av1"]
Gpu = Literal["nvenc", "vaapi", "qsv", "videotoolbox"]

#: How people say it.
CODEC_NAMES: dict[Codec, str] = {"h264": "H.264", "hevc": "HEVC", "av1": "AV1"}
GPU_NAMES: dict[Gpu, str] = {
    "nvenc": "NVENC",
    "vaapi": "VAAPI",
    "qsv": "Quick Sync Video",
    "videotoolbox": "VideoToolbox",
}
#: Neither x265 nor SVT-AV1 takes smaller pictures, and nobody needs them smaller still.
SMALLEST_SIDE: dict[Codec, int] = {"h264": 2, "hevc": 64, "av1": 64}

X264_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast", "medium"),
    *("slow", "slower", "veryslow", "placebo"),
)


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """An encoder of ffmpeg's. `codec_form` is RFC 6381 with the level left open: `avc1.6400{level:02x}`."""

    name: str
    codec: Codec
    codec_form: str
    gpu: Gpu | None = None

    def codec_string(self, level: int) -> str:
        """What a stream of that level is called in CODECS."""
        return self.codec_form.format(level=level)


SOFTWARE: dict[Codec, Encoder] = {
    # High profile without constraints
    "h264": Encoder(name="libx264", codec="h264", codec_form="avc1.6400{level:02x}"),
    # Main profile, compatible with itself and Main 10, Main tier; progressive frames only
    "hevc": Encoder(name="libx265", codec="hevc", codec_form="hvc1.1.6.L{level}.90"),
    # Main profile, Main tier, 8 bits
    "av1": Encoder(name="libsvtav1", codec="av1", codec_form="av01.0.{level:02}M.08"),
}
_OF_NAME = {encoder.name: encoder.codec for encoder in SOFTWARE.values()}


def codec_of(encoder: str) -> Codec:
    """The codec that an encoder of that name writes. Raises KeyError."""
    found = _OF_NAME.get(encoder) or next(
        (codec for codec in CODEC_NAMES if encoder.startswith(f"{codec}_")), None
    )
    if found is None:
        raise KeyError(encoder)
    return found


def gpu_of(encoder: str) -> Gpu | None:
    """The hardware that an encoder of that name needs; None: it is software."""
    return next((gpu for gpu in GPU_NAMES if encoder.endswith(f"_{gpu}")), None)


def level_of(codec: Codec, size: tuple[int, int], rate: Fraction, cap_bps: int) -> int:
    """The lowest level for a stream, in the numbers of its codec: level_idc, or AV1's seq_level_idx."""
    if codec == "h264":
        return h264.level_idc(*size, rate, cap_bps)
    return h265.level_idc(*size, rate, cap_bps) if codec == "hevc" else av1.level_idx(*size, rate)


def level_name(codec: Codec, level: int) -> str:
    """`3.1` as encoders want to be told."""
    if codec == "av1":
        return f"{2 + level // 4}.{level % 4}"
    return f"{level // 10}.{level % 10}" if codec == "h264" else f"{level // 30}.{level % 30 // 3}"


def parse_codecs(text: str) -> tuple[Codec, ...]:
    """`h264,hevc,av1` as codecs, in the order in which they are made. Raises ValueError."""
    names = [part.strip().lower() for part in text.split(",") if part.strip()]
    unknown = [name for name in names if name not in CODEC_NAMES]
    if unknown or len(set(names)) != len(names):
        raise ValueError(f"write each codec once, of {', '.join(CODEC_NAMES)}")
    if "h264" not in names:
        raise ValueError("h264 has to be among them: it is what every player plays")
    return tuple(codec for codec in CODEC_NAMES if codec in names)
