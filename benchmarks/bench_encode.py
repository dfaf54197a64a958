"""`rushes encode` against one bare ffmpeg that decodes once, with the same settings and ffmpeg's default threads.

Bounds: wall at most 0.95, CPU at most 1.00; engine overhead at most 3 %; a 1 s 640x360 clip at most 1.5 s.
"""

from __future__ import annotations

import shutil
import statistics
import time
from pathlib import Path

from measuring import RUSHES, Used, in_turn, machine, median_ratio, report, source, timed, workshop

from rushes.engine.binaries import toolchain
from rushes.engine.plan import Plan
from rushes.engine.prepare import prepared
from rushes.engine.session import Session
from rushes.engine.settings import Settings


def bare_command(plan: Plan, clip: Path, folder: Path) -> list[str | Path]:
    """What a good engineer types: decode once, split, scale, encode each rung, threads as ffmpeg likes them."""
    rungs = plan.rungs
    split = f"[0:v]split={len(rungs)}" + "".join(f"[s{n}]" for n in range(len(rungs)))
    scales = [
        f"[s{n}]scale={rung.width}:{rung.height}:flags=bicubic+accurate_rnd+bitexact,format=yuv420p[v{n}]"
        for n, rung in enumerate(rungs)
    ]
    command: list[str | Path] = [toolchain().ffmpeg.path, "-nostdin", "-v", "error", "-y", "-i", clip]
    command += ["-filter_complex", ";".join([split, *scales])]
    for n, rung in enumerate(rungs):
        command += [
            *("-map", f"[v{n}]", "-c:v", "libx264", "-preset", str(rung.preset), "-crf", str(rung.crf)),
            *("-maxrate", str(rung.maxrate_bps), "-bufsize", str(rung.bufsize_bits)),
            *("-g", "120", "-keyint_min", "120", "-sc_threshold", "0"),
            *("-movflags", "frag_keyframe+delay_moov+default_base_moof", folder / f"{rung.name}.mp4"),
        ]
    return [*command, "-map", "0:a", "-c:a", "aac", "-b:a", "128k", folder / "audio.mp4"]


def main() -> None:
    """Measure and print."""
    print(f"# bench_encode on {machine()}")
    with workshop() as folder:
        clip, tiny = source(folder, 60), source(folder, 1, size="640x360", bitrate="1M")
        with prepared(clip, Settings(copy=False), toolchain(), folder / "scratch") as ready:
            plan = ready.plan
        out, bare = folder / "out", folder / "bare"
        bare.mkdir()

        def ours() -> Used:
            shutil.rmtree(out, ignore_errors=True)
            return timed([*RUSHES, "encode", clip, "-o", out, "--no-copy"])

        def theirs() -> Used:
            return timed(bare_command(plan, clip, bare))

        rushes, ffmpeg = in_turn([ours, theirs])
        report(
            "rushes encode / bare ffmpeg, wall",
            median_ratio([u.wall_s for u in rushes], [u.wall_s for u in ffmpeg]),
            0.95,
        )
        report(
            "rushes encode / bare ffmpeg, CPU",
            median_ratio([u.cpu_s for u in rushes], [u.cpu_s for u in ffmpeg]),
            1.0,
        )
        report("rushes encode, 60 s 1080p30, wall", statistics.median(u.wall_s for u in rushes), unit=" s")
        report("bare ffmpeg, 60 s 1080p30, wall", statistics.median(u.wall_s for u in ffmpeg), unit=" s")

        def tiny_encode() -> Used:
            shutil.rmtree(out, ignore_errors=True)
            return timed([*RUSHES, "encode", tiny, "-o", out, "--no-copy"])

        (tinies,) = in_turn([tiny_encode])
        report("1 s of 640x360, command to finished", statistics.median(u.wall_s for u in tinies), 1.5, " s")
        report("engine overhead, one hand, 60 s", overhead(clip, folder), 0.03)


def overhead(clip: Path, folder: Path) -> float:
    """The part of the wall time, from command to finished, in which the only hand runs no ffmpeg."""
    out = folder / "one-hand"
    started_s = time.monotonic()
    with prepared(clip, Settings(copy=False), toolchain(), folder / "scratch") as ready:
        session = Session(ready.plan, ready.path, out, ffmpeg=toolchain().ffmpeg.path, hands=1)
        session.start()
        session.join()
        session.close()
    wall_s = time.monotonic() - started_s
    return (wall_s - session.ffmpeg_wall_s) / wall_s


if __name__ == "__main__":
    main()
