"""What verification costs beside the encode that it follows: CPU of both, by the same clock, in one run.

Bound: at most 3 % of the encode's CPU (60 s of 1080p30, the default ladder). What is measured is all that finalise
does before it calls a video ready: every checksum, every header, the keyframes and segments that are decoded. Ladders
of one and two rungs cost more, as every joint is decoded in one of so few: they are measured, too, without a bound.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from zlib import crc32

from measuring import ROUNDS, machine, report, source, workshop

from rushes.engine.binaries import toolchain
from rushes.engine.decodable import runs, sample_of, undecodable_chunks
from rushes.engine.plan import Plan
from rushes.engine.prepare import prepared
from rushes.engine.session import Session
from rushes.engine.settings import Settings
from rushes.engine.store import FolderStore
from rushes.engine.verify import verify_offsets, verify_rendition

BOUND = 0.03


def main() -> None:
    """Measure and print."""
    print(f"# bench_verify on {machine()}")
    with workshop() as folder:
        full_hd = source(folder, 60)
        for name, clip, settings, bound in (
            ("all encoded", full_hd, Settings(copy=False), BOUND),
            ("copied 1080p above encoded rungs", full_hd, Settings(), BOUND),
            ("480p and 360p", source(folder, 60, size="854x480", bitrate="2M"), Settings(copy=False), None),
            ("360p alone", source(folder, 60, size="640x360", bitrate="1M"), Settings(copy=False), None),
        ):
            ratios, headers, encodes, walls = [], [], [], []
            for _ in range(ROUNDS):
                out = folder / "out"
                shutil.rmtree(out, ignore_errors=True)
                plan, encode_cpu_s = encoded(clip, settings, folder, out)
                store = FolderStore(out)
                began_s = used_s()
                for name_ in (
                    n for r in plan.renditions for n in map(r.segment_name, range(r.timeline.segment_count))
                ):
                    crc32(store.read(name_))
                verify_headers(plan, store)
                headers_s = used_s() - began_s
                started_s = time.monotonic()
                verify_samples(plan, store, folder)
                walls.append(time.monotonic() - started_s)
                verify_s = used_s() - began_s
                encodes.append(encode_cpu_s)
                ratios.append(verify_s / encode_cpu_s)
                headers.append(headers_s / encode_cpu_s)
            shares = []
            for rendition in plan.renditions:
                sample = sample_of(plan, rendition, clean_source=True)
                whole, keyframes = (
                    len(part) / rendition.timeline.segment_count for part in (sample.whole, sample.keyframes)
                )
                shares.append(f"{rendition.name} {whole:.0%} and {keyframes:.0%}")
            print(f"{name}: segments decoded as a whole, and keyframes: {', '.join(shares)}")
            report(f"{name}: encode, CPU", statistics.median(encodes), unit=" s")
            report(f"{name}: verification / encode, CPU", statistics.median(ratios), bound)
            report(f"{name}: of that the headers", statistics.median(headers))
            report(f"{name}: decoding, wall", statistics.median(walls), unit=" s")


def encoded(clip: Path, settings: Settings, folder: Path, out: Path) -> tuple[Plan, float]:
    """Encode as `rushes encode` does; the plan, and the CPU seconds of everything from the probe on."""
    began_s = used_s()
    with prepared(clip, settings, toolchain(), folder / "scratch") as ready:
        session = Session(ready.plan, ready.path, out, ffmpeg=toolchain().ffmpeg.path)
        session.start()
        session.join()
        session.close()
        return ready.plan, used_s() - began_s


def verify_headers(plan: Plan, store: FolderStore) -> None:
    """What needs no decoder."""
    for rendition in plan.renditions:
        verify_rendition(plan, rendition, store)
    verify_offsets(plan, store)


def verify_samples(plan: Plan, store: FolderStore, folder: Path) -> None:
    """What does."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for rendition in plan.renditions:
            for chunks in runs(rendition.timeline):
                found = undecodable_chunks(
                    plan,
                    rendition,
                    store,
                    chunks,
                    tools=toolchain(),
                    scratch=Path(scratch),
                    clean_source=True,
                )
                assert not found, found


def used_s() -> float:
    """CPU seconds of this process and of all children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(os.times()[:2]) + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
