"""What is done to every decoded picture before it is scaled and encoded: fields to frames, HDR to SDR, colours tagged.

Pure. The decision is part of the plan, so that each chunk of each rung treats its pictures alike.
Colour words are ffmpeg's: `bt709`, `smpte2084`, `tv` (limited range), `pc` (full range).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from .source import Colour, VideoStream

#: The one way out of HDR: what every player and every screen shows alike.
BT709 = Colour(range="tv", matrix="bt709", transfer="bt709", primaries="bt709")
#: Reference white of HDR in nits (ITU-R BT.2408): it becomes SDR's white.
REFERENCE_WHITE_NITS = 203
#: Which signal becomes white, in hundreds of nits: what HDR is usually mastered for, HLG's nominal peak, and what
#: ffmpeg takes for granted once light is linear. Told, because builds differ in reading it from each frame's side data.
_PEAK = 10

# What scale converts; a matrix that it does not know (YCgCo, ICtCp) cannot be told to browsers either.
_MATRICES = {
    "bt709": "bt709",
    "bt470bg": "bt470bg",
    "smpte170m": "smpte170m",
    "smpte240m": "smpte240m",
    "fcc": "fcc",
    "bt2020nc": "bt2020nc",
    "bt2020c": "bt2020nc",  # 8-bit 4:2:0 of it differs by less than anybody sees, and nothing converts it
}
_KEPT_MATRICES = frozenset({"bt709", "bt470bg", "smpte170m", "bt2020nc"})  # every player knows these
_OF_MATRIX = {  # matrix: what is meant where transfer and primaries are not told
    "bt709": ("bt709", "bt709"),
    "bt470bg": ("smpte170m", "bt470bg"),
    "smpte170m": ("smpte170m", "smpte170m"),
    "bt2020nc": ("bt2020-10", "bt2020"),
}
_MATRIX_OF_PRIMARIES = {
    "bt709": "bt709",
    "bt470bg": "bt470bg",
    "smpte170m": "smpte170m",
    "bt2020": "bt2020nc",
}
_RGB_PREFIXES = (
    "rgb",
    "bgr",
    "gbr",
    "argb",
    "abgr",
    "0rgb",
    "0bgr",
    "rgba",
    "bgra",
    "x2rgb",
    "x2bgr",
    "pal8",
)
_ALPHA_PREFIXES = ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ayuv", "vuya", "ya", "pal8")


@dataclass(frozen=True, kw_only=True)
class Deinterlacing:
    """How pictures of two fields become frames."""

    # "fields": each field a frame. "film": fields of one film frame, which a telecine spread over two pictures, are
    # put together again; what does not fit is deinterlaced, a frame a picture.
    into: Literal["fields", "film"]
    order: Literal["tff", "bff"]  # which field is shown first
    force_order: bool  # whether the decoder's own word is missing or wrong


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """From what a decoder gives to 8-bit 4:2:0 of `colour`."""

    decoded_size: tuple[int, int]  # as the filters get it, turned already
    decoded: Colour  # what the decoded pictures are taken for, in scale's words
    colour: Colour  # of every encoded rung
    tone_mapped: bool = False  # HDR to SDR
    deep: bool = False  # more than 10 bits
    flatten: bool = False  # transparency onto black, the colour around any video
    deinterlacing: Deinterlacing | None = None


def treatment_of(video: VideoStream) -> Treatment:
    """The treatment of a video stream."""
    turned = video.rotation_deg in (90, 270)
    decoded, colour = colours(video)
    return Treatment(
        decoded_size=(video.height, video.width) if turned else (video.width, video.height),
        decoded=decoded,
        colour=colour,
        tone_mapped=is_hdr(video),
        deep=video.bit_depth > 10,
        flatten=(video.pix_fmt or "").startswith(_ALPHA_PREFIXES),
        deinterlacing=_deinterlacing(video),
    )


def is_hdr(video: VideoStream) -> bool:
    """Whether its pictures are to be tone-mapped: a Dolby Vision stream may have an SDR base layer, which is used."""
    if video.hdr == "dolby-vision":
        return video.colour.transfer in (None, "smpte2084", "arib-std-b67")
    return video.hdr != "sdr"


def colours(video: VideoStream) -> tuple[Colour, Colour]:
    """What the decoded pictures are, with what is not told filled in, and what is published.

    Range and matrix of SDR are kept. What is not told is told: players guess by the height, so that a small rung of an
    untagged HD video would be shown in other colours than the large one.
    """
    told = video.colour
    if is_hdr(video):
        transfer = told.transfer or "smpte2084"
        return Colour(
            range=told.range or "tv", matrix="bt2020nc", transfer=transfer, primaries="bt2020"
        ), BT709
    pix_fmt = video.pix_fmt or ""
    if pix_fmt.startswith(_RGB_PREFIXES) or told.matrix == "gbr":
        colour = Colour(
            range="tv",
            matrix="bt709",
            transfer=told.transfer or "bt709",
            primaries=told.primaries or "bt709",
        )
        return Colour(
            range="pc", matrix="bt709", transfer=colour.transfer, primaries=colour.primaries
        ), colour
    range_ = told.range or ("pc" if pix_fmt.startswith("yuvj") else "tv")
    matrix = _MATRICES.get(told.matrix or "") or _MATRIX_OF_PRIMARIES.get(told.primaries or "")
    matrix = matrix or _guessed_matrix(video)
    kept = matrix if matrix in _KEPT_MATRICES else "bt709"
    transfer, primaries = _OF_MATRIX[kept]
    decoded = Colour(
        range=range_,
        matrix=matrix,
        transfer=told.transfer or transfer,
        primaries=told.primaries or primaries,
    )
    return decoded, Colour(range=range_, matrix=kept, transfer=decoded.transfer, primaries=decoded.primaries)


def field_filters(treatment: Treatment) -> tuple[str, ...]:
    """Filters of decoded pictures in their own time, before the grid."""
    deinterlacing = treatment.deinterlacing
    if deinterlacing is None:
        return ()
    order = deinterlacing.order
    width, height = treatment.decoded_size
    return (
        # A deinterlacer keeps three pictures of the size that it began with: one of another size is brought to it.
        f"scale={width}:{height}:interl=1:flags=bicubic+accurate_rnd+bitexact",
        *((f"setfield={order}",) if deinterlacing.force_order else ()),
        # Matching loses no line and no movement of a film, whatever the pulldown, and keeps no state beyond two
        # pictures: a chunk can begin anywhere. (Dropping the repeated pictures would count from the first.)
        *((f"fieldmatch=order={order}:combmatch=full",) if deinterlacing.into == "film" else ()),
        # w3fdif with yadif's checks: the sharpest that is quick. Pictures marked as progressive stay as they are.
        f"bwdif=mode=send_{'field' if deinterlacing.into == 'fields' else 'frame'}:deint=interlaced",
    )


def flatten_filters(treatment: Treatment) -> tuple[str, ...]:
    """Filters that put what is transparent onto black."""
    if not treatment.flatten:
        return ()
    width, height = treatment.decoded_size
    planar = (
        "gbrap|gbrap10|gbrap12|gbrap16|yuva420p|yuva422p|yuva444p|yuva422p10|yuva444p10|yuva444p12|yuva444p16"
    )
    return (
        f"scale={width}:{height}:flags=bicubic+accurate_rnd+bitexact",  # as for fields
        f"format={planar}",
        "premultiply=inplace=1",
    )


def scale_options(treatment: Treatment, *, first: bool) -> str:
    """Options of a scale filter that say from which matrix and range to which; `first`: it sees the decoded pictures.

    Each says it: what filters agree upon by themselves depends on what follows them, and so on which rungs are made.
    """
    decoded = treatment.decoded
    # HDR stays what it is until it is small; then `finish_filters` convert it.
    into = decoded if treatment.tone_mapped else treatment.colour
    taken_for = decoded if first else into
    return (
        f":in_color_matrix={taken_for.matrix}:in_range={taken_for.range}"
        f":out_color_matrix={into.matrix}:out_range={into.range}"
    )


def scaled_format(treatment: Treatment) -> str:
    """The pixel format in which rungs are scaled from one another."""
    if not treatment.tone_mapped:
        return "yuv420p"
    return "yuv420p12" if treatment.deep else "yuv420p10"


def finish_filters(treatment: Treatment) -> tuple[str, ...]:
    """Filters of a scaled picture that make it what is encoded."""
    if not treatment.tone_mapped:
        return (_tags(treatment.colour),)
    return (
        _tags(treatment.decoded),  # what zscale goes by
        f"zscale=transfer=linear:npl={REFERENCE_WHITE_NITS}",
        "format=gbrpf32le",  # tonemap wants linear light in floats
        "zscale=primaries=bt709",
        f"tonemap=hable:desat=0:peak={_PEAK}",  # Hable's curve keeps highlights apart
        "zscale=transfer=bt709:matrix=bt709:range=limited",
        "format=yuv420p",
        _tags(treatment.colour),
    )


def _tags(colour: Colour) -> str:
    return (
        f"setparams=range={colour.range}:colorspace={colour.matrix}"
        f":color_trc={colour.transfer}:color_primaries={colour.primaries}"
    )


def _guessed_matrix(video: VideoStream) -> str:
    """What players take an untagged video for: SD is BT.601, anything larger BT.709."""
    short, long = sorted((video.width, video.height))
    if short > 576 or long > 1024:
        return "bt709"
    return "bt470bg" if short in (288, 576) else "smpte170m"  # PAL's lines


def _deinterlacing(video: VideoStream) -> Deinterlacing | None:
    if video.scan == "progressive":
        return None
    return Deinterlacing(
        into="film" if video.scan == "film" else "fields",
        order=video.shown_first,
        force_order=video.order_is_forced,
    )


def picture_rate_factor(video: VideoStream) -> Fraction:
    """How many frames a decoded picture becomes."""
    return Fraction(2 if video.scan == "interlaced" else 1)
