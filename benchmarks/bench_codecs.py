"""What HEVC and AV1 cost and save beside H.264, per quality: CPU, bits and VMAF of one rung over real clips.

Behind the CRFs and presets of `NEWER_CODECS` and behind `CODEC_COSTS`. Clips: RUSHES_CLIPS, else ../shared/clips.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import get_args

from measuring import machine, report, timed, workshop

from rushes.engine.binaries import toolchain
from rushes.engine.encoder_options import encoder_options
from rushes.engine.encoders import CODEC_NAMES, Codec
from rushes.engine.plan import Rung
from rushes.engine.rungs import encoded_rungs
from rushes.engine.settings import Quality, Settings
from rushes.engine.source import VideoStream
from rushes.engine.timeline import Timeline

CLIPS = (
    "media__long_1080p_lowbitrate.mp4",
    "sample-videos__bottle-detection.mp4",
    "sample-videos__car-detection.mp4",
    "imageio-binaries__cockatoo.mp4",
)
SIZE, RATE, FRAMES = (640, 360), Fraction(30), 240


@dataclass(frozen=True)
class Figures:
    """Of one encode."""

    cpu_s: float
    bits: int
    vmaf: float


def rung_of(codec: Codec, quality: Quality) -> Rung:
    """360p as a plan has it."""
    picture = VideoStream(index=0, time_base=Fraction(1, 90_000), width=SIZE[0], height=SIZE[1], codec="h264")
    along = Timeline(timescale=30_000, bounds=(0, FRAMES * 1000), chunks=(0, 1))
    wanted = Settings(rungs=(SIZE[1],), codecs=tuple(dict.fromkeys(("h264", codec))), quality=quality)  # type: ignore[arg-type]
    return next(
        rung for rung in encoded_rungs(picture, RATE, along, wanted, copied=False) if rung.codec == codec
    )


def figures(clip: Path, rung: Rung, folder: Path) -> Figures:
    """Encode the raw clip as that rung, and compare."""
    output = folder / "out.mp4"
    ffmpeg = (toolchain().ffmpeg.path, "-nostdin", "-v", "error", "-y")
    used = timed([*ffmpeg, "-i", clip, *encoder_options(rung, 120), "-threads", "1", output])
    argv = [
        *(toolchain().ffmpeg.path, "-nostdin", "-hide_banner", "-i", output, "-i", clip),
        *("-lavfi", "[0:v][1:v]libvmaf=n_threads=1:n_subsample=4", "-f", "null", "-"),
    ]
    said = subprocess.run(argv, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stderr
    score = re.search(r"VMAF score: ([0-9.]+)", said)
    assert score is not None, said
    return Figures(used.cpu_s, output.stat().st_size * 8, float(score[1]))


def main() -> None:
    """Measure and print."""
    print(f"# bench_codecs on {machine()}")
    clips = Path(os.environ.get("RUSHES_CLIPS") or Path(__file__).parents[2] / "shared" / "clips")
    with workshop() as folder:
        raws = []
        for name in CLIPS:
            raw = folder / f"{name}.y4m"
            scale = f"fps={RATE},scale={SIZE[0]}:{SIZE[1]}:flags=bicubic,setsar=1,format=yuv420p"
            argv = [toolchain().ffmpeg.path, "-nostdin", "-v", "error", "-i", clips / name, "-an"]
            subprocess.run([*argv, "-vf", scale, "-frames:v", str(FRAMES), raw], check=True)
            raws.append(raw)
        for quality in get_args(Quality):
            base = [figures(raw, rung_of("h264", quality), folder) for raw in raws]
            report(
                f"{quality} h264 CPU of {FRAMES} frames", statistics.mean(f.cpu_s for f in base), unit=" s"
            )
            report(f"{quality} h264 VMAF", statistics.mean(f.vmaf for f in base))
            for codec in [codec for codec in CODEC_NAMES if codec != "h264"]:
                found = [figures(raw, rung_of(codec, quality), folder) for raw in raws]
                pairs = list(zip(found, base, strict=True))
                report(
                    f"{quality} {codec} CPU / h264", statistics.median(a.cpu_s / b.cpu_s for a, b in pairs)
                )
                report(f"{quality} {codec} bits / h264", statistics.median(a.bits / b.bits for a, b in pairs))
                report(f"{quality} {codec} VMAF - h264", statistics.mean(a.vmaf - b.vmaf for a, b in pairs))


if __name__ == "__main__":
    main()
