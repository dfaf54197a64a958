"""The kinds of source that a table in docs/reference/kinds.md is made of: containers, codecs, colours, fields, sizes.

Short films with a chirp as sound, which is like itself at one shift only. What has a name in `kinds` is not repeated.
"""

from __future__ import annotations

from fractions import Fraction

from tests.proof.kinds import NTSC, X264, Kind

PAL = Fraction(25)
CHIRP = "aevalsrc=0.4*sin(2*PI*(150*t+120*t*t)):s=48000"
_S = 13  # seconds: chunks of 8 and 5 s, and so a seam


def _kind(name: str, *, rate: Fraction = PAL, **fields: object) -> Kind:
    told: dict[str, object] = {
        "rate": rate,
        "frames": int(_S * rate),
        "sound_s": float(_S),
        "sound": CHIRP,
    }
    return Kind(name, **(told | fields))  # type: ignore[arg-type]


def _tags(range_: str, matrix: str, transfer: str, primaries: str) -> tuple[str, ...]:
    return (
        *("-color_range", range_, "-colorspace", matrix),
        *("-color_trc", transfer, "-color_primaries", primaries),
    )


def _yuv(range_: str, matrix: str) -> str:
    return f"scale=out_range={range_}:out_color_matrix={matrix}"


_MP2 = ("-c:a", "mp2")
_PCM = ("-c:a", "pcm_s16le", "-ar", "48000")
_MPEG2 = ("-c:v", "mpeg2video", "-q:v", "2", "-g", "12")
_X265 = "log-level=error:pools=none:frame-threads=1:keyint=50"
_HDR = ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "14", "-tag:v", "hvc1", "-x265-params")
_PQ = f"{_X265}:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:hdr10=1:max-cll=1000,400"
_HLG = f"{_X265}:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc"
#: 50 pictures a second to 25 of two fields: tinterlace keeps the top field of the first.
_FIELDS = "tinterlace=interleave_top,setfield=tff"

ODD_KINDS: tuple[Kind, ...] = (
    # Containers and codecs
    _kind("mov-h264", suffix=".mov"),
    _kind("fragmented-mp4", options=("-movflags", "frag_keyframe+empty_moov")),
    _kind("mkv", suffix=".mkv"),
    _kind(
        "webm-vp9-opus",
        suffix=".webm",
        encoder=(
            "-c:v",
            "libvpx-vp9",
            "-deadline",
            "realtime",
            "-cpu-used",
            "8",
            "-b:v",
            "2M",
            "-c:a",
            "libopus",
        ),
    ),
    _kind(
        "vp8-vorbis",
        suffix=".webm",
        encoder=(
            "-c:v",
            "libvpx",
            "-deadline",
            "realtime",
            "-cpu-used",
            "8",
            "-b:v",
            "2M",
            "-c:a",
            "libvorbis",
        ),
    ),
    _kind("av1", suffix=".mp4", encoder=("-c:v", "libsvtav1", "-preset", "12", "-crf", "20", "-g", "50")),
    _kind("avi-mpeg4-mp3", suffix=".avi", encoder=("-c:v", "mpeg4", "-q:v", "2", "-c:a", "libmp3lame")),
    _kind("avi-mjpeg", suffix=".avi", encoder=("-c:v", "mjpeg", "-q:v", "2", *_PCM)),
    _kind("mpeg-ps-mpeg2", suffix=".vob", encoder=(*_MPEG2, "-bf", "2", *_MP2)),
    _kind(
        "mpeg-ps-mpeg1", suffix=".mpg", encoder=("-c:v", "mpeg1video", "-q:v", "2", *_MP2), size=(352, 288)
    ),
    _kind("mpeg-ts", suffix=".ts"),
    _kind("m2ts-ac3", suffix=".m2ts", encoder=(*X264, "-c:a", "ac3")),
    _kind(
        "flv-sorenson",
        suffix=".flv",
        encoder=("-c:v", "flv1", "-q:v", "2", "-c:a", "libmp3lame", "-ar", "44100"),
    ),
    _kind("3gp-h263", suffix=".3gp", encoder=("-c:v", "h263", "-q:v", "2", "-c:a", "aac"), size=(352, 288)),
    _kind("ogv-theora", suffix=".ogv", encoder=("-c:v", "libtheora", "-q:v", "9", "-c:a", "libvorbis")),
    _kind("wmv", suffix=".wmv", encoder=("-c:v", "wmv2", "-q:v", "2", "-c:a", "wmav2")),
    _kind("mxf-mpeg2-422", suffix=".mxf", encoder=(*_MPEG2, *_PCM), pix_fmt="yuv422p"),
    _kind(
        "mxf-dnxhd",
        suffix=".mxf",
        encoder=("-c:v", "dnxhd", "-profile:v", "dnxhr_sq", *_PCM),
        pix_fmt="yuv422p",
        size=(320, 180),
    ),
    _kind("dv-pal", suffix=".dv", encoder=("-c:v", "dvvideo", *_PCM, "-ac", "2"), size=(720, 576)),
    _kind(
        "gif",
        suffix=".gif",
        encoder=("-c:v", "gif"),
        sound_s=None,
        pix_fmt="gray",
        filters="setpts='(N+gt(N,60)+3*gt(N,120))/25/TB'",
        timescale=100,
    ),
    _kind(
        "mov-prores-422",
        suffix=".mov",
        encoder=("-c:v", "prores_ks", "-profile:v", "3", *_PCM),
        pix_fmt="yuv422p10le",
    ),
    _kind(
        "mov-prores-4444-alpha",
        suffix=".mov",
        encoder=("-c:v", "prores_ks", "-profile:v", "4", *_PCM),
        pix_fmt="yuva444p10le",
    ),
    _kind("mov-animation-rgb", suffix=".mov", encoder=("-c:v", "qtrle", *_PCM), pix_fmt="rgb24"),
    _kind("h264-10-bit", encoder=X264, pix_fmt="yuv420p10le"),
    _kind("h264-422", encoder=X264, pix_fmt="yuv422p"),
    _kind("h264-444", encoder=X264, pix_fmt="yuv444p"),
    _kind("hevc-10-bit", encoder=(*_HDR, _X265), pix_fmt="yuv420p10le"),
    _kind("raw-h264", suffix=".h264", sound_s=None),
    # Colour
    _kind(
        "bt709-full",
        size=(320, 180),
        filters=_yuv("pc", "bt709"),
        options=_tags("pc", "bt709", "bt709", "bt709"),
    ),
    _kind(
        "bt601-full", filters=_yuv("pc", "bt601"), options=_tags("pc", "smpte170m", "smpte170m", "smpte170m")
    ),
    _kind(
        "bt2020-sdr",
        filters=_yuv("tv", "bt2020"),
        pix_fmt="yuv420p10le",
        options=_tags("tv", "bt2020nc", "bt2020-10", "bt2020"),
    ),
    _kind("rgb-h264", encoder=("-c:v", "libx264rgb", "-preset", "ultrafast", "-crf", "8"), pix_fmt="rgb24"),
    _kind("pq", encoder=(*_HDR, _PQ), pix_fmt="yuv420p10le"),
    _kind("hlg", encoder=(*_HDR, _HLG), pix_fmt="yuv420p10le"),
    # Fields
    _kind(
        "interlaced-tff",
        rate=Fraction(50),
        filters=_FIELDS,
        encoder=(*X264, "-flags", "+ildct+ilme"),
        size=(320, 192),
    ),
    _kind(
        "interlaced-bff-mpeg2",
        rate=Fraction(50),
        filters="tinterlace=interleave_bottom,setfield=bff",
        suffix=".mpg",
        encoder=(*_MPEG2, "-flags", "+ildct+ilme", *_MP2),
        size=(320, 192),
    ),
    _kind(
        "telecined-film",
        rate=Fraction(24000, 1001),
        filters="telecine=pattern=23,setfield=tff",
        suffix=".mpg",
        encoder=(*_MPEG2, "-flags", "+ildct+ilme", *_MP2),
        size=(320, 192),
    ),
    _kind(
        "film-25-in-fields", filters="setfield=tff", encoder=(*X264, "-flags", "+ildct+ilme"), size=(320, 192)
    ),
    # Sizes and shapes
    _kind("16x16", size=(16, 16)),
    _kind(
        "8k",
        rate=Fraction(5),
        frames=5,
        size=(7680, 4320),
        sound_s=1.0,
        encoder=("-c:v", "libx264", "-preset", "ultrafast", "-crf", "30"),
    ),
    _kind("odd-size-444", size=(161, 121), pix_fmt="yuv444p"),
    _kind("portrait", size=(108, 192)),
    _kind("rotated", before=("-display_rotation", "90"), copied_as=".mp4"),
    _kind("mirrored", before=("-display_hflip",), copied_as=".mp4"),
    _kind("sar-4-3", filters="setsar=4/3"),
    # Time
    _kind("one-frame", frames=1, sound_s=None),
    _kind("slow-motion-240", rate=Fraction(240), frames=2400),
    _kind(
        "variable-rate", rate=Fraction(30), filters="setpts='(N+0.35*sin(N*N*0.7))/30/TB'", timescale=90000
    ),
    _kind("late-video", video_offset_s=0.73, sound_s=10.7),
    _kind(
        # Not Matroska, whose times are unsigned: ffmpeg reads those below zero as none.
        "negative-times",
        copied_as=".ts",
        before=("-itsoffset", "-0.3"),
        after=("-copyts", "-avoid_negative_ts", "disabled", "-muxdelay", "0", "-muxpreload", "0"),
    ),
    _kind("edit-list", rate=NTSC, copied_as=".mp4", before=("-ss", "1.7")),
    _kind("avi-h264-no-pts", suffix=".avi", encoder=(*X264, "-c:a", "libmp3lame")),
    _kind("data-track", suffix=".mov", options=("-timecode", "01:00:00:00")),
)
