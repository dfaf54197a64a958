"""What the benchmarks share: sources, timed commands, and lines for RESULTS.md."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rushes.engine.binaries import toolchain

RUSHES = (sys.executable, "-m", "rushes")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))


@dataclass(frozen=True)
class Used:
    """What a finished command used, its children included."""

    wall_s: float
    cpu_s: float


def timed(argv: Sequence[str | os.PathLike[str]]) -> Used:
    """Run a command to its end. Raises CalledProcessError."""
    started_s = time.monotonic()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    if code:
        raise subprocess.CalledProcessError(code, argv, stderr=said)
    return Used(time.monotonic() - started_s, usage.ru_utime + usage.ru_stime)


def in_turn(commands: Sequence[Callable[[], Used]], rounds: int = ROUNDS) -> list[list[Used]]:
    """Every command once a round, A B A B: a machine that gets slower does so for all. One list per command."""
    results: list[list[Used]] = [[] for _ in commands]
    for _ in range(rounds):
        for number, command in enumerate(commands):
            results[number].append(command())
    return results


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios, pair by pair."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def report(
    figure: str, value: float, bound: float | None = None, unit: str = "", *, least: bool = False
) -> None:
    """One line: the figure, its bound (`least`: from below), and whether it is kept."""
    verdict = ""
    if bound is not None:
        kept = value >= bound if least else value <= bound
        verdict = f"  (at {'least' if least else 'most'} {bound:g}{unit}: {'kept' if kept else 'NOT KEPT'})"
    print(f"{figure}: {value:.3f}{unit}{verdict}", flush=True)


def machine() -> str:
    """The machine, for the head of a result."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    ffmpeg = toolchain().ffmpeg
    return f"{model}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, ffmpeg {ffmpeg.version}"


@contextmanager
def playing(clip: Path, *, copied: bool) -> Iterator[str]:
    """A `rushes play` of the clip, ended in the end; the value is its address."""
    options = [] if copied else ["--no-copy"]
    argv = [*RUSHES, "play", clip, "--port", "0", *options]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@contextmanager
def workshop() -> Iterator[Path]:
    """A folder that is gone in the end."""
    with tempfile.TemporaryDirectory(prefix="rushes-bench-") as folder:
        yield Path(folder)


def source(folder: Path, duration_s: int, *, size: str = "1920x1080", bitrate: str = "8M") -> Path:
    """A 30 fps clip with motion, detail and grain, and a tone; H.264 with 2 s GOPs. Made once per folder."""
    path = folder / f"source-{duration_s}s-{size}-{bitrate}.mp4"
    if path.exists():
        return path
    minute = min(duration_s, 60)
    part = folder / f"part-{minute}s-{size}-{bitrate}.mp4"
    if not part.exists():
        _ffmpeg(
            *("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=30:duration={minute}"),
            *("-f", "lavfi", "-i", f"mandelbrot=size=960x540:rate=30:end_pts={minute * 30}"),
            *("-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={minute}"),
            *(
                "-filter_complex",
                "[1]scale=iw*2:-2[m];[0][m]overlay=0:0:shortest=1,noise=alls=6:allf=t,format=yuv420p[v]",
            ),
            *("-map", "[v]", "-map", "2:a", "-t", str(minute), "-c:v", "libx264", "-preset", "superfast"),
            *("-b:v", bitrate, "-maxrate", bitrate, "-bufsize", bitrate, "-g", "60", "-c:a", "aac", part),
        )
    if minute == duration_s:
        return part.rename(path)
    _ffmpeg("-stream_loop", str(duration_s // minute - 1), "-i", part, "-c", "copy", path)
    return path


def _ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(
        [toolchain().ffmpeg.path, "-nostdin", "-v", "error", "-y", *arguments],
        check=True,
        stdin=subprocess.DEVNULL,
    )
