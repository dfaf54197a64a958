"""Ten thousand damaged files, and cuts at every hundredth of each kind: what they cost, and that nothing breaks.

HOSTILE_FILES (10000), HOSTILE_SEED (1), HOSTILE_WORKERS (cores). Bounds: no error that is not the engine's, no request,
no read of a file beside the upload, wall 60 s a file, any program's memory 1 GiB, our own 64 MB above where it began.
Then what the sandbox costs: per spawn, and of an encode.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from random import Random

from measuring import Used, in_turn, machine, median_ratio, report, source, timed, workshop

sys.path.insert(0, str(Path(__file__).parent.parent))  # to share with the tests

from rushes.engine import sandbox
from rushes.engine.binaries import toolchain
from rushes.engine.process import run_tool
from rushes.engine.slots import usable_cores
from tests.hostile.bombs import BOMBS, SUFFIXES
from tests.hostile.meeting import listening, meet
from tests.hostile.mutations import make_seeds, mutated, truncated

FILES = int(os.environ.get("HOSTILE_FILES", "10000"))
SEED = int(os.environ.get("HOSTILE_SEED", "1"))
WORKERS = int(os.environ.get("HOSTILE_WORKERS", str(usable_cores())))
ENCODED = 10  # of so many files one is encoded too
SPAWNS = 60
WALL_BOUND_S = 60
CHILD_BOUND_MB, OWN_BOUND_MB = 1024, 64


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one file came to."""

    what: str
    ending: str  # "plan", "refused", "undecodable"; or the error that should not be
    wall_s: float
    child_peak_mb: float  # of the program that held most
    own_growth_mb: float


_seeds: dict[str, bytes] = {}
_began_mb = 0.0


def _begin(folder: str) -> None:
    global _began_mb  # one per worker process
    _seeds.update({path.name: path.read_bytes() for path in Path(folder).iterdir()})
    meet(Path(folder) / "plain.mp4", Path(folder).parent / f"warm-{os.getpid()}")  # what Python loads once
    _began_mb = _own_mb()


def _own_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _one(task: tuple[str, int, str]) -> Result:
    kind, number, folder = task
    if kind == "mutated":
        name, data = mutated(_seeds, SEED * 1_000_000 + number)
        what, encode = f"mutation {number} of seed {SEED} ({name})", number % ENCODED == 0
    else:
        name, data = kind, truncated(_seeds[kind], number)
        what, encode = f"{name} cut at {number} %", number % ENCODED == 0
    place = Path(folder) / str(os.getpid())
    place.mkdir(exist_ok=True)
    path = place / name
    path.write_bytes(data)
    started_s = time.monotonic()
    try:
        met = meet(path, place / "work", encode=encode)
    except Exception as error:
        ending, peak_bytes = f"{type(error).__name__}: {error}"[:300], 0
    else:
        peak_bytes = met.peak_bytes
        ending = "plan" if not met.sentence else "refused" if met.refused else "undecodable"
    return Result(
        what=what,
        ending=ending,
        wall_s=time.monotonic() - started_s,
        child_peak_mb=peak_bytes / 2**20,
        own_growth_mb=_own_mb() - _began_mb,
    )


def meet_all(folder: Path) -> None:
    """Every file, on all cores."""
    (folder / "seeds").mkdir()
    names = sorted(make_seeds(folder / "seeds"))
    tasks = [("mutated", number, str(folder)) for number in range(FILES)]
    tasks += [(name, percent, str(folder)) for name in names for percent in range(100)]
    if FILES < 10_000:  # a part of all, spread
        tasks = Random(SEED).sample(tasks, min(len(tasks), FILES + FILES * len(names) * 100 // 10_000))
    endings: Counter[str] = Counter()
    strange: list[Result] = []
    slowest: list[Result] = []
    child_mb = own_mb = 0.0
    started_s = time.monotonic()
    with (
        listening() as listener,
        ProcessPoolExecutor(WORKERS, get_context("spawn"), _begin, (str(folder / "seeds"),)) as pool,
    ):
        for done, result in enumerate(pool.map(_one, tasks, chunksize=20), 1):
            endings[result.ending if result.ending in ("plan", "refused", "undecodable") else "STRANGE"] += 1
            if result.ending not in ("plan", "refused", "undecodable"):
                strange.append(result)
                print(f"{result.what}: {result.ending}", flush=True)
            if result.child_peak_mb > child_mb:
                child_mb = result.child_peak_mb
                print(f"# {done} {result.what}: a program held {child_mb:.0f} MB", flush=True)
            own_mb = max(own_mb, result.own_growth_mb)
            slowest = list(islice(sorted([*slowest, result], key=lambda one: -one.wall_s), 5))
        heard = len(listener.heard)
    print(f"{len(tasks)} files in {time.monotonic() - started_s:.0f} s, seed {SEED}: {dict(endings)}")
    for result in slowest:
        print(f"# {result.wall_s:.1f} s: {result.what}, {result.ending}")
    report("errors that are not the engine's", len(strange), 0)
    report("requests heard", heard, 0)
    report("slowest file", slowest[0].wall_s, WALL_BOUND_S, " s")
    report("most memory of a program", child_mb, CHILD_BOUND_MB, " MB")
    report("growth of our own process", own_mb, OWN_BOUND_MB, " MB")


def meet_bombs(folder: Path) -> None:
    """Each bomb alone: what it costs and what its uploader is told."""
    results: list[tuple[float, int]] = []
    for name, make in BOMBS.items():
        place = folder / name
        place.mkdir()
        bomb = make(place / f"upload{SUFFIXES.get(name, '.mkv')}")
        met = meet(bomb, place / "work")
        told = met.sentence or f"played, {float(met.plan.duration_s) if met.plan else 0:g} s"
        cost = f"{met.wall_s:.1f} s, {met.peak_bytes / 2**20:.0f} MB"
        print(f"# {name}, {bomb.stat().st_size / 1000:.0f} kB: {cost}: {told}", flush=True)
        results.append((met.wall_s, met.peak_bytes))
    report("slowest bomb", max(wall_s for wall_s, _ in results), WALL_BOUND_S, " s")
    report("most memory of a bomb", max(peak for _, peak in results) / 2**20, CHILD_BOUND_MB, " MB")


def spawn_ms(held: sandbox.Tightness) -> float:
    """Milliseconds from the wish to the end of `ffmpeg -version`."""
    program = str(toolchain().ffmpeg.path)
    sandbox.loosen(program, held)
    started_s = time.perf_counter()
    run_tool([program, "-version"])
    return (time.perf_counter() - started_s) * 1000


def sandbox_costs(folder: Path) -> None:
    """The same with and without, in turn."""
    print(f"# sandbox: {sandbox.abilities()}")
    pairs = [(spawn_ms("full"), spawn_ms("off")) for _ in range(SPAWNS)]
    within, without = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"spawn within {within:.2f} ms, without {without:.2f} ms")
    report("a spawn costs more by", statistics.median(a - b for a, b in pairs), 3, " ms")
    clip = source(folder, 20, size="640x360", bitrate="1M")

    def encode(*before: str) -> Used:
        script = (
            f"from rushes.engine import sandbox as s; {''.join(before)} from rushes.cli import main; main()"
        )
        argv = [sys.executable, "-c", script, "encode", clip, "-o", folder / "out", "--no-copy"]
        shutil.rmtree(folder / "out", ignore_errors=True)
        return timed(argv)

    off = "s.abilities = lambda: s.Abilities(landlock_abi=0, seccomp=False);"
    held, free = in_turn([encode, lambda: encode(off)])
    report(
        "CPU of an encode, within / without",
        median_ratio([u.cpu_s for u in held], [u.cpu_s for u in free]),
        1.03,
    )
    report(
        "wall of an encode, within / without",
        median_ratio([u.wall_s for u in held], [u.wall_s for u in free]),
        1.03,
    )


def main() -> None:
    """Measure and print."""
    print(f"# bench_hostile on {machine()}")
    with workshop() as folder:
        sandbox_costs(folder)
        meet_bombs(folder)
        meet_all(folder)


if __name__ == "__main__":
    main()
