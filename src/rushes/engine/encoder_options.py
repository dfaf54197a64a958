"""What each encoder is told, with each flag's reason beside it: pure functions of a rung.

All of them make groups of exactly `gop` frames that need nothing from each other, a keyframe at the beginning of each
and nowhere else, under the cap that BANDWIDTH promises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from .encoders import codec_of, gpu_of, level_name
from .plan import Rung

#: Where no quality scale is common to all drivers, the average is aimed at this share of the cap.
_AVERAGE_OF_CAP = Fraction(3, 4)


def device_options(rungs: Sequence[Rung]) -> list[str]:
    """Options of the whole run: the device that its encoders need."""
    gpus = {gpu_of(rung.encoder) for rung in rungs if rung.encoder}
    options: list[str] = []
    if "vaapi" in gpus:
        # The first render node; -filter_hw_device tells hwupload which one it means.
        options += ["-init_hw_device", "vaapi=gpu", "-filter_hw_device", "gpu"]
    if "qsv" in gpus:
        options += ["-init_hw_device", "qsv=qs"]  # its encoders take frames in memory, but want the session
    return options


def upload_filters(rung: Rung) -> str | None:
    """What a picture goes through on its way to the encoder; None: nothing."""
    gpu = gpu_of(rung.encoder or "")
    if gpu == "vaapi":
        return "format=nv12,hwupload"  # it takes surfaces only
    return "format=nv12" if gpu == "qsv" else None  # the one layout that it takes


def encoder_options(rung: Rung, gop: int) -> list[str]:
    """The rung's encoder with its settings; `gop`: frames of each group of pictures. Raises ValueError for a copy."""
    if rung.encoder is None or rung.level is None:
        raise ValueError(f"{rung.name} is a copy.")
    return [
        *("-c:v", rung.encoder),
        *_OPTIONS[rung.encoder.rpartition("_")[2]](rung, gop),
        # Apple's players take HEVC only where the parameter sets lie in the sample entry, and this says so.
        *(("-tag:v", "hvc1") if codec_of(rung.encoder) == "hevc" else ()),
    ]


def _x264(rung: Rung, gop: int) -> list[str]:
    params = ":".join(
        (
            f"keyint={gop}",
            f"min-keyint={gop}",  # fixed GOPs: every segment begins with a keyframe ...
            "scenecut=0",  # ... and has no other
            "open-gop=0",  # no picture of a segment needs the segment before
            "stitchable=1",  # SPS and PPS independent of the CRF, so that one init segment serves all chunks
            "8x8dct=1",  # High profile, which CODECS promises: of the presets ultrafast alone goes without
        )
    )
    return [
        *("-preset", str(rung.preset)),
        *("-profile:v", "high"),
        *_level(rung),
        *_capped_crf(rung),
        *("-x264-params", params),
    ]


def _x265(rung: Rung, gop: int) -> list[str]:
    params = ":".join(
        (
            f"keyint={gop}",
            f"min-keyint={gop}",  # fixed GOPs, as for x264
            "scenecut=0",
            "open-gop=0",
            "radl=0",  # no leading pictures: a keyframe is the first that is shown, too
            f"level-idc={level_name('hevc', rung.level or 0)}",  # CODECS is published before the first frame
            "high-tier=0",
            "pools=none",  # one thread, whatever the machine has: the same bytes, and chunks are the parallelism
            "frame-threads=1",
            "wpp=0",  # entropy coding without a break at each row of blocks, which only threads need
            "info=0",  # no SEI with the version and all settings in the init segment
            "log-level=warning",  # x265 has a log of its own on stderr
        )
    )
    return [
        *("-preset", str(rung.preset)),
        *("-profile:v", "main"),
        *_capped_crf(rung),
        *("-x265-params", params),
    ]


def _svt_av1(rung: Rung, gop: int) -> list[str]:
    params = ":".join(
        (
            "lp=1",  # one thread: chunks are the parallelism
            "scd=0",  # no keyframes at cuts
            "enable-overlays=0",
            f"mbr={(rung.maxrate_bps or 0) // 1000}",  # kbit/s: the cap of a constant quality
        )
    )
    return [
        *("-preset", str(rung.preset)),
        *("-crf", str(rung.crf)),
        *("-g", str(gop)),
        *("-svtav1-params", params),
    ]


def _nvenc(rung: Rung, gop: int) -> list[str]:
    return [
        *("-preset", "p5"),  # the quality of x264's medium at several times its speed
        *("-tune", "hq"),
        *_profile(rung),
        *_level(rung),
        *("-rc", "vbr"),
        *("-cq", str(rung.crf)),  # a constant quality ...
        *("-b:v", "0"),  # ... for which no average may be set
        *_cap(rung),
        *("-g", str(gop)),
        *("-strict_gop", "1"),
        *("-no-scenecut", "1"),
        *("-forced-idr", "1"),
        *("-bf", "2"),
    ]


def _vaapi(rung: Rung, gop: int) -> list[str]:
    return [
        *_profile(rung),
        *_level(rung),
        *("-rc_mode", "VBR"),  # the one mode with a cap that Intel's and AMD's drivers both have
        *_average(rung),
        *_cap(rung),
        *("-g", str(gop)),
        *("-idr_interval", "0"),  # every keyframe is an IDR picture
        *("-bf", "2"),
    ]


def _qsv(rung: Rung, gop: int) -> list[str]:
    return [
        *("-preset", "medium"),
        *_profile(rung),
        *("-level:v", level_name(rung.codec, rung.level or 0).replace(".", "")),  # its own form: 31
        *_average(rung),
        *_cap(rung),
        *("-g", str(gop)),
        # Every keyframe is an IDR picture; AV1 has no others.
        *(("-idr_interval", "0") if rung.codec != "av1" else ()),
        *("-adaptive_i", "0"),  # and none at cuts
        *("-bf", "2"),
    ]


def _videotoolbox(rung: Rung, gop: int) -> list[str]:
    return [
        *_profile(rung),
        *_level(rung),
        *_average(rung),
        *_cap(rung),
        *("-g", str(gop)),
        *("-allow_sw", "0"),  # Apple's encoder in software is no better than x264: better to be told
        *("-realtime", "0"),
        *("-bf", "2"),
    ]


_OPTIONS: dict[str, Callable[[Rung, int], list[str]]] = {
    "libx264": _x264,
    "libx265": _x265,
    "libsvtav1": _svt_av1,
    "nvenc": _nvenc,
    "vaapi": _vaapi,
    "qsv": _qsv,
    "videotoolbox": _videotoolbox,
}


def _profile(rung: Rung) -> list[str]:
    # AV1's encoders of hardware have the main profile only, and no option for it.
    names = {"h264": "high", "hevc": "main"}
    return ["-profile:v", names[rung.codec]] if rung.codec in names else []


def _level(rung: Rung) -> list[str]:
    # CODECS is published before the first frame.
    return ["-level:v", level_name(rung.codec, rung.level or 0)]


def _capped_crf(rung: Rung) -> list[str]:
    return ["-crf", str(rung.crf), *_cap(rung)]


def _cap(rung: Rung) -> list[str]:
    # what BANDWIDTH promises
    return ["-maxrate:v", str(rung.maxrate_bps), "-bufsize:v", str(rung.bufsize_bits)]


def _average(rung: Rung) -> list[str]:
    return ["-b:v", str(round((rung.maxrate_bps or 0) * _AVERAGE_OF_CAP))]
