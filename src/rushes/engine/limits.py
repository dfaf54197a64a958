"""What a hostile file may cost, and the guards that every ffmpeg and ffprobe command carries.

Pure: figures and argument lists. `child` and `launcher` enforce what ffmpeg does not enforce itself.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike, fspath

# Three 8K decoders' worth, but never so much that the machine would begin to end other programs.
MEMORY_BYTES = min(6 << 30, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 3 // 4)

MAX_PIXELS = 35_389_440  # 8192 x 4320, the largest picture of any camera we expect; 16000 x 16000 took 436 MB

# Demuxers that read one file and nothing else. Left out on purpose, because they open what the uploaded file names:
# hls, dash, concat, imf, sdp, rtsp, image2, webm_dash_manifest, vobsub, avisynth, and devices.
# A name here matches any of a demuxer's names, so "mov" is also mp4, m4a, 3gp, 3g2 and mj2.
INPUT_FORMATS = (
    # containers of video
    *(
        "mov",
        "matroska",
        "avi",
        "flv",
        "mpegts",
        "mpeg",
        "asf",
        "ogg",
        "mxf",
        "gxf",
        "nut",
        "wtv",
        "rm",
        "dv",
        "ivf",
    ),
    *("nsv", "nuv", "gif", "yuv4mpegpipe"),
    # video without a container
    *("h264", "hevc", "m4v", "mpegvideo", "mjpeg", "av1", "obu", "h261", "h263", "vc1", "dirac"),
    # sound
    *(
        "wav",
        "w64",
        "mp3",
        "flac",
        "aac",
        "ac3",
        "eac3",
        "dts",
        "dtshd",
        "truehd",
        "aiff",
        "caf",
        "amr",
        "au",
        "ape",
    ),
    *("wv", "tta", "mpc", "mpc8", "voc", "dsf"),
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one run may use; beyond it the run is ended and `LimitExceeded` raised.

    The defaults are far above what a chunk needs and far below what would hurt a machine.
    """

    wall_s: float = 1800.0
    cpu_s: float = 3600.0  # user and system time of all threads; the kernel counts whole seconds
    output_bytes: int = 4 << 30  # written to the scratch folder by the run, in all
    memory_bytes: int = MEMORY_BYTES  # resident, looked at every 0.25 s
    nice: int = 0  # 0 for what somebody waits for, 10 for background work

    def __post_init__(self) -> None:
        for name in ("wall_s", "cpu_s", "output_bytes", "memory_bytes"):
            if getattr(self, name) <= 0:
                raise ValueError(f"Limits.{name} must be above 0, not {getattr(self, name)}")
        if not 0 <= self.nice <= 19:
            raise ValueError(f"Limits.nice must be from 0 to 19, not {self.nice}")


def input_guards(max_pixels: int = MAX_PIXELS) -> tuple[str, ...]:
    """Options that must stand before every `-i` of ffmpeg, and before the file of ffprobe."""
    return (
        # A playlist dressed as .mp4 is followed to other local files; a protocol list alone does not stop that.
        *("-format_whitelist", ",".join(INPUT_FORMATS)),
        # Nothing that we open is on a network, and no other protocol can hide in a file name.
        *("-protocol_whitelist", "file,pipe"),
        # A pixel bomb is refused before its pictures are allocated; an address-space limit did not stop it.
        *("-max_pixels", str(max_pixels)),
    )


INPUT_GUARDS = input_guards()


def ffmpeg_argv(ffmpeg: str | PathLike[str], body: Sequence[str]) -> tuple[str, ...]:
    """The command of `process.start`: ffmpeg, the options of every run, then `body` (inputs, filters, outputs)."""
    return (
        fspath(ffmpeg),
        "-hide_banner",  # the banner would fill the first lines of every error
        "-nostdin",  # a key press must never steer an encode
        "-nostats",  # the terminal's progress line; -progress is the one for programs
        *("-loglevel", "level+warning"),  # decode errors must be seen; the prefix tells them from warnings
        *("-progress", "pipe:1"),  # machine-readable progress; outputs are files, so stdout is free for it
        *("-stats_period", "0.25"),  # a player waits for segments: half a second between reports is too long
        "-y",  # the scratch folder is the run's own, and -nostdin would answer "no"
        *body,
    )


def check_input_guards(argv: Sequence[str]) -> None:
    """Raise `UnguardedInput` unless the guards (or lavfi, which reads no file) stand before each `-i`."""
    begin = 0
    for at, argument in enumerate(argv):
        if argument != "-i":
            continue
        options = argv[begin:at]
        begin = at + 2
        if ("-f", "lavfi") in pairwise(options):
            continue
        if not {"-format_whitelist", "-protocol_whitelist", "-max_pixels"} <= set(options):
            raise UnguardedInput(
                f"put INPUT_GUARDS before -i {argv[at + 1]}: it would be opened with any demuxer"
            )


class UnguardedInput(ValueError):
    """A command opens a file without the format whitelist: a mistake in our own code."""
