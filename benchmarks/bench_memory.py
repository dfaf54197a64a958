"""Memory of the Python process at 600 s against 10 s, and the scratch that chunks take while they are made.

Bounds: peak RSS at most 1.1x; scratch at most two chunks' output per core.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from pathlib import Path

from measuring import ROUNDS, RUSHES, machine, median_ratio, report, source, workshop

from rushes.engine.binaries import toolchain
from rushes.engine.prepare import prepared
from rushes.engine.scratch import folder_bytes
from rushes.engine.session import Session
from rushes.engine.settings import Settings
from rushes.engine.slots import usable_cores


def peak_rss_bytes(clip: Path, out: Path) -> tuple[int, int]:
    """VmHWM of `rushes encode`'s own process just before its end, and the most that its scratch held."""
    shutil.rmtree(out, ignore_errors=True)
    process = subprocess.Popen([*RUSHES, "encode", clip, "-o", out, "--no-copy"], stdout=subprocess.DEVNULL)
    peak = scratch = 0
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        try:
            lines = status.read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            break
        peak = max([peak, *(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))])
        scratch = max(scratch, folder_bytes(out / ".rushes" / "scratch"))
        time.sleep(0.02)
    assert process.wait() == 0
    return peak, scratch


def largest_chunk_bytes(clip: Path, out: Path, scratch: Path) -> int:
    """The most that one chunk of the whole ladder holds, of what is published in `out`."""
    with prepared(clip, Settings(copy=False), toolchain(), scratch) as ready:
        session = Session(ready.plan, ready.path, out, ffmpeg=toolchain().ffmpeg.path)
        rungs = ready.plan.encoded_rungs
        sizes = {rung.name: session.segment_bytes(rung.name) for rung in rungs}
        timeline = rungs[0].timeline
        return max(
            sum(sizes[rung.name][n] for rung in rungs for n in timeline.chunk_segments(chunk))
            for chunk in range(timeline.chunk_count)
        )


def main() -> None:
    """Measure and print."""
    print(f"# bench_memory on {machine()}")
    with workshop() as folder:
        # Small pictures: it is the number of chunks that could make Python grow, not their size.
        short, long = (source(folder, duration_s, size="640x360", bitrate="1M") for duration_s in (10, 600))
        out = folder / "out"
        shorts, longs = [], []
        for _ in range(ROUNDS):
            shorts.append(peak_rss_bytes(short, out)[0])
            peak, scratch = peak_rss_bytes(long, out)
            longs.append(peak)
        report("peak RSS at 10 s", statistics.median(shorts) / 1e6, unit=" MB")
        report("peak RSS at 600 s", statistics.median(longs) / 1e6, unit=" MB")
        report("peak RSS, 600 s / 10 s", median_ratio(longs, shorts), 1.1)
        chunk = largest_chunk_bytes(long, out, folder / "scratch")
        report("scratch, in chunks' output per core", scratch / chunk / usable_cores(), 2.0)


if __name__ == "__main__":
    main()
