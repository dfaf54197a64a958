"""The kinds of source that the proof runs over: how each is made from a numbered film."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import IO

from rushes.engine.binaries import toolchain
from tests.proof.counter import film

X264 = ("-c:v", "libx264", "-preset", "superfast", "-crf", "12", "-bf", "2", "-g", "48")
NTSC, FILM, PHONE = Fraction(30000, 1001), Fraction(24000, 1001), Fraction(179, 6)


@dataclass(frozen=True)
class Kind:
    """A film of `frames` pictures at `rate`, and what is done to it on its way into the file."""

    name: str
    rate: Fraction = Fraction(30)
    frames: int = 630  # 21 s: chunks of 8, 8 and 5 s
    size: tuple[int, int] = (192, 108)
    suffix: str = ".mp4"
    encoder: tuple[str, ...] = X264
    filters: str = "null"
    timescale: int | None = None  # of the filters' times, where they set any
    video_offset_s: float = 0.0
    sound_s: float | None = None  # None: no sound
    sound: str = "sine=440"  # of lavfi
    pix_fmt: str = "yuv420p"
    options: tuple[str, ...] = ()  # of the output
    # The file is then copied by `ffmpeg <before> -i FILE -c copy <after> COPY`, COPY having `copied_as` as suffix.
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    copied_as: str | None = None
    quarter_turns: int = 0  # counter-clockwise: what makes the numbers legible again

    def lasting(self, duration_s: int, size: tuple[int, int]) -> Kind:
        """The same kind with a film of that length and size; sound is as much longer or shorter than it as before."""
        frames = int(duration_s * self.rate)
        sound_s = self.sound_s
        if sound_s is not None:
            sound_s += float((frames - self.frames) / self.rate)
        return replace(self, frames=frames, size=size, sound_s=sound_s)

    def make(self, folder: Path) -> Path:
        """Write the source below `folder`; returns its path."""
        path = folder / f"{self.name}{self.suffix}"
        sound = () if self.sound_s is None else ("-f", "lavfi", "-i", f"{self.sound}:d={self.sound_s}")
        filters = self.filters if self.timescale is None else f"settb=1/{self.timescale},{self.filters}"
        run_ffmpeg(
            [
                *("-itsoffset", str(self.video_offset_s)),
                *("-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{self.size[0]}x{self.size[1]}"),
                *("-framerate", str(self.rate), "-i", "-"),
                *sound,
                *("-map", "0:v", *(("-map", "1:a") if sound else ())),
                *("-vf", f"{filters},format={'yuvj420p' if 'mjpeg' in self.encoder else self.pix_fmt}"),
                *("-fps_mode", "passthrough", *self.encoder, "-threads", "1"),
                *(("-enc_time_base", f"1:{self.timescale}") if self.timescale else ()),
                *self.options,
                str(path),
            ],
            stdin=film(self.frames, self.size),
        )
        if self.copied_as is None:
            return path
        copy = folder / f"{self.name}-copied{self.copied_as}"
        run_ffmpeg([*self.before, "-i", str(path), "-c", "copy", *self.after, str(copy)])
        return copy


def run_ffmpeg(arguments: Sequence[str], stdin: Iterable[bytes] = ()) -> bytes:
    """Run the bundled ffmpeg on `arguments`, fed with an iterable of bytes; returns its stdout.

    Raises AssertionError with its stderr where it fails.
    """
    argv = [str(toolchain().ffmpeg.path), "-hide_banner", "-v", "error", "-y", *arguments]
    # stderr is short at this level, so that reading it last cannot block the program.
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    feeder = threading.Thread(target=_feed, args=(process.stdin, stdin))
    feeder.start()
    out, said = process.stdout.read(), process.stderr.read()
    feeder.join()
    assert process.wait() == 0, f"{' '.join(argv)}\n{said.decode(errors='replace')}"
    return out


def _feed(pipe: IO[bytes], data: Iterable[bytes]) -> None:
    with suppress(BrokenPipeError), pipe:  # a program that needs no more, or fails: its exit status tells
        for part in data:
            pipe.write(part)


_JITTER = "setpts='(N+0.35*sin(N*N*0.7))/30/TB'"
_GAPS = "setpts='(N+40*gt(N,90)+1.5*gt(N,170)+100*gt(N,230))/30/TB'"
_OPEN = "scenecut=0:open-gop=1:bframes=3:b-adapt=0"
_LONG_GOP = (*X264[:-2], "-g", "9999", "-keyint_min", "9999", "-sc_threshold", "0")
_VPX = ("-deadline", "realtime", "-cpu-used", "8", "-b:v", "3M", "-g")
_MPEG4 = ("-c:v", "mpeg4", "-q:v", "2", "-bf", "2", "-g", "100")
_MPEG2 = ("-c:v", "mpeg2video", "-q:v", "2", "-bf", "2", "-g", "12")


def _open_h264(keyint: int) -> tuple[str, ...]:
    return (*X264[:-2], "-x264-params", f"keyint={keyint}:min-keyint={keyint}:{_OPEN}")


def _open_hevc(keyint: int) -> tuple[str, ...]:
    x265 = f"log-level=error:pools=none:frame-threads=1:keyint={keyint}:min-keyint={keyint}:{_OPEN}"
    return ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "14", "-tag:v", "hvc1", "-x265-params", x265)


KINDS: tuple[Kind, ...] = (
    Kind("29.97fps", NTSC),
    Kind("23.976fps", FILM, 504),
    Kind("60fps", Fraction(60), 1260),
    Kind("25fps", Fraction(25), 525),
    Kind("20fps", Fraction(20), 420),
    Kind("179-6fps", PHONE),
    Kind("vfr-jitter", filters=_JITTER, timescale=90000),
    Kind("vfr-gaps", filters=_GAPS, timescale=90000),
    Kind("25s-gop", Fraction(25), 650, encoder=_LONG_GOP, sound_s=26),
    Kind("open-gop-hevc", Fraction(25), 525, encoder=_open_hevc(25)),  # a keyframe where each chunk begins
    Kind("open-gop-hevc-unaligned", Fraction(25), 525, encoder=_open_hevc(23)),
    Kind("open-gop-hevc-ts", Fraction(25), 525, suffix=".ts", encoder=_open_hevc(23)),
    Kind("open-gop-h264", encoder=_open_h264(30)),
    Kind("open-gop-h264-unaligned", encoder=_open_h264(27)),
    Kind("open-gop-h264-mkv", suffix=".mkv", encoder=_open_h264(110)),
    Kind("open-gop-mpeg2-ts", Fraction(25), 525, suffix=".ts", encoder=_MPEG2),
    Kind(
        "ts-from-1234s",
        Fraction(25),
        525,
        suffix=".ts",
        sound_s=21,
        options=("-output_ts_offset", "1234.567"),
    ),
    Kind("ts-25s-gop", Fraction(25), 650, suffix=".ts", encoder=_LONG_GOP),
    Kind("mp4-from-7s", NTSC, suffix=".mp4", options=("-output_ts_offset", "7.3")),
    Kind("mkv-from-7s", NTSC, suffix=".mkv", sound_s=21, options=("-output_ts_offset", "7.3")),
    # Cut from 1.7 s by copy: an edit list hides the pictures between the keyframe and there.
    Kind("edit-list", copied_as=".mp4", before=("-ss", "1.7")),
    Kind("late-video", Fraction(25), 525, video_offset_s=0.73, sound_s=21.7),
    Kind("short-sound", Fraction(25), 525, sound_s=4),
    Kind("long-sound", Fraction(25), 400, sound_s=21),
    Kind("rotated", before=("-display_rotation", "90"), copied_as=".mp4", quarter_turns=-1),
    Kind("13s", frames=390),  # a last segment of 1 s
    Kind("16s-and-a-frame", frames=481),  # a last segment of one picture
    Kind("odd-sized-vp9", size=(193, 109), suffix=".webm", encoder=(*_VPX, "60", "-c:v", "libvpx-vp9")),
    Kind("anamorphic", filters="setsar=4/3"),
    Kind("mpeg4-avi", Fraction(25), 525, suffix=".avi", encoder=_MPEG4),
    Kind("mpeg4-mp4", Fraction(25), 525, encoder=_MPEG4),
    Kind("mjpeg-avi", suffix=".avi", encoder=("-c:v", "mjpeg", "-q:v", "2")),
    Kind("vp8-webm", suffix=".webm", encoder=(*_VPX, "150", "-c:v", "libvpx")),
    Kind("av1", Fraction(25), 525, encoder=("-c:v", "libsvtav1", "-preset", "12", "-crf", "20", "-g", "75")),
)
