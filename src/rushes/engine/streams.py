"""ffprobe's JSON to typed streams. Pure. Verified with ffprobe 5.1 and 8.1."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from rushes.engine.source import (
    AudioStream,
    Colour,
    Hdr,
    OtherStream,
    Stream,
    SubtitleStream,
    VideoStream,
)

Json = Mapping[str, Any]

# The digits of "yuv420p10le", "p010le", "y210le", "gray12be", "gbrpf32le"; without such digits a component has 8 bits.
_DEEP_PIXELS = re.compile(r"[pyf][0-4]?(9|10|12|14|16|32)(?:le|be)$")
_DEEP_PACKED = {
    **dict.fromkeys(("x2rgb10", "x2bgr10", "nv20"), 10),
    **dict.fromkeys(("rgb48", "bgr48", "rgba64", "bgra64", "ayuv64"), 16),
}
_PICTURE_DISPOSITIONS = frozenset({"attached_pic", "timed_thumbnails"})
_TITLE_CHARACTERS = 200  # a menu shows a few dozen; the plan and every playlist would carry the rest
_UNKNOWN = frozenset({"unknown", "unspecified", "reserved", "N/A", ""})


def parse_streams(streams: Iterable[Json]) -> tuple[Stream, ...]:
    """The streams of `ffprobe -show_streams -of json`, in its order.

    `first_pts` is the container's claim, until the packet index gives a better one.
    """
    return tuple(parse_stream(stream) for stream in streams)


def parse_stream(stream: Json) -> Stream:
    """One stream; what no decoder can show or play becomes an OtherStream."""
    tags = {name.lower(): value for name, value in stream.get("tags", {}).items()}
    language = tags.get("language")
    common: dict[str, Any] = {
        "index": stream["index"],
        "codec": stream.get("codec_name", "unknown"),
        "time_base": _fraction(stream.get("time_base")) or Fraction(1),
        "first_pts": stream.get("start_pts"),
        "language": None if language in (None, "", "und", "unk") else language,
        "title": tags.get("title", "")[:_TITLE_CHARACTERS] or None,
        "dispositions": frozenset(name for name, is_set in stream.get("disposition", {}).items() if is_set),
    }
    kind = stream.get("codec_type", "unknown")
    if kind == "video" and common["dispositions"] & _PICTURE_DISPOSITIONS:
        return OtherStream(kind="picture", **common)
    known = (
        common["codec"] not in _UNKNOWN
    )  # a phone's spatial sound has a name that only its maker's players know
    if kind == "video" and known and stream.get("width") and stream.get("height"):
        return _video(stream, common)
    if kind == "audio" and known and int(stream.get("sample_rate", 0)) > 0 and stream.get("channels", 0) > 0:
        return _audio(stream, common)
    if kind == "subtitle":
        return SubtitleStream(**common)
    return OtherStream(kind="unknown" if kind in ("video", "audio") else kind, **common)


def _video(stream: Json, common: dict[str, Any]) -> VideoStream:
    side_data = stream.get("side_data_list", [])
    rotation_deg, mirrored = _orientation(side_data)
    pix_fmt = stream.get("pix_fmt")
    colour = Colour(
        range=_known(stream.get("color_range")),
        matrix=_known(stream.get("color_space")),
        transfer=_known(stream.get("color_transfer")),
        primaries=_known(stream.get("color_primaries")),
    )
    return VideoStream(
        **common,
        width=stream["width"],
        height=stream["height"],
        pix_fmt=pix_fmt,
        bit_depth=bit_depth(pix_fmt),
        profile=_known(stream.get("profile")),
        nominal_rate=_fraction(stream.get("r_frame_rate")),
        average_rate=_fraction(stream.get("avg_frame_rate")),
        # 0:1 and N/A stand for "not said", which every player takes for square.
        sample_aspect_ratio=_fraction(stream.get("sample_aspect_ratio", "").replace(":", "/")) or Fraction(1),
        rotation_deg=rotation_deg,
        mirrored=mirrored,
        field_order=_known(stream.get("field_order")),
        colour=colour,
        hdr=_hdr(colour, side_data),
        dolby_vision_profile=next((d["dv_profile"] for d in side_data if "dv_profile" in d), None),
        delay_frames=stream.get("has_b_frames", 0),
    )


def _audio(stream: Json, common: dict[str, Any]) -> AudioStream:
    bitrate = stream.get("bit_rate", "")
    return AudioStream(
        **common,
        sample_rate_hz=int(stream["sample_rate"]),
        channels=stream["channels"],
        layout=_known(stream.get("channel_layout")),
        profile=_known(stream.get("profile")),
        bitrate_bps=int(bitrate) if bitrate.isdigit() else None,
    )


def bit_depth(pix_fmt: str | None) -> int:
    """Bits per component of a pixel format's name; 8 where the name says nothing."""
    if pix_fmt is None:
        return 8
    packed = _DEEP_PACKED.get(pix_fmt.removesuffix("le").removesuffix("be"))
    if packed is not None:
        return packed
    deep = _DEEP_PIXELS.search(pix_fmt)
    return int(deep[1]) if deep else 8


def _orientation(side_data: Iterable[Json]) -> tuple[int, bool]:
    """How a player must turn the picture, in degrees clockwise, and whether the display matrix mirrors it."""
    for datum in side_data:
        if "rotation" not in datum:
            continue
        # ffprobe counts counter-clockwise, from -180 to 180; a phone's 89.9 is a right angle.
        rotation_deg = round(-float(datum["rotation"]) / 90) * 90 % 360
        rows = [line.partition(":")[2].split() for line in datum.get("displaymatrix", "").split("\n") if line]
        if len(rows) < 2:
            return rotation_deg, False
        (a, b), (c, d) = ((int(row[0]), int(row[1])) for row in rows[:2])
        return rotation_deg, a * d - b * c < 0
    return 0, False


def _hdr(colour: Colour, side_data: Iterable[Json]) -> Hdr:
    if any(datum.get("side_data_type") == "DOVI configuration record" for datum in side_data):
        return "dolby-vision"
    if colour.transfer == "arib-std-b67":
        return "hlg"
    return "pq" if colour.transfer == "smpte2084" else "sdr"


def _known(value: str | None) -> str | None:
    return None if value is None or value in _UNKNOWN else value


def _fraction(text: str | None) -> Fraction | None:
    """A ratio above zero as ffprobe writes it, "30000/1001"; None for 0/0, 0/1, N/A and nothing."""
    numerator, _, denominator = (text or "").partition("/")
    if not (numerator.isdigit() and denominator.isdigit() and int(numerator) and int(denominator)):
        return None
    return Fraction(int(numerator), int(denominator))
