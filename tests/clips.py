"""Clips for tests, made by the bundled ffmpeg: small, and the same bytes every time."""

import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from rushes.engine.binaries import toolchain


def make_clip(
    path: Path,
    *,
    size: tuple[int, int] = (320, 180),
    rate: Fraction | int = 30,
    duration_s: float | Fraction = 2,
    audio_tracks: int = 1,
    codec: str = "libx264",
    audio_codec: str = "aac",
    gop: int | None = None,
    options: Sequence[str] = (),
) -> Path:
    """Write a test picture that moves, with a sine per audio track (440 Hz, 550 Hz, ...), and return `path`.

    size is (width, height) in pixels; rate is in frames per second; gop is in frames. codec and audio_codec are
    ffmpeg's names of encoders; a codec of "" makes a clip without video. options come last, just before the output's
    name, and so win over what this function chooses.
    """
    argv = [str(toolchain().ffmpeg.path), "-hide_banner", "-nostdin", "-v", "error", "-y"]
    maps: list[str] = []
    if codec:
        argv += ["-f", "lavfi", "-i", f"testsrc2=size={size[0]}x{size[1]}:rate={Fraction(rate)}"]
        # One thread: the bytes would otherwise depend on the machine's cores.
        maps += ["-map", "0:v", "-c:v", codec, "-threads:v", "1"]
        if codec == "libx264":
            maps += ["-preset", "ultrafast"]
        if codec not in {"mjpeg", "rawvideo"}:
            maps += ["-pix_fmt", "yuv420p"]
        if gop is not None:
            maps += ["-g", str(gop)]
    first_audio_input = 1 if codec else 0
    for track in range(audio_tracks):
        argv += ["-f", "lavfi", "-i", f"sine=frequency={440 + 110 * track}:sample_rate=48000"]
        maps += ["-map", f"{first_audio_input + track}:a"]
    if audio_tracks:
        maps += ["-c:a", audio_codec]
    argv += [
        *maps,
        "-t",
        f"{float(duration_s):.6f}",
        "-fflags",
        "+bitexact",
        "-flags",
        "+bitexact",
        *options,
        str(path),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return path
