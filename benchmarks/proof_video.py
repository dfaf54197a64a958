"""The proof of the picture at full length: every kind of tests/proof/ for ten minutes, and the long real clips.

Slow, and says the same as the short versions unless something drifts: errors of a tick a chunk, seeks far into a file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from measuring import workshop

from rushes.engine.settings import Settings
from tests.proof.comparison import Comparison, compared
from tests.proof.kinds import KINDS, Kind, run_ffmpeg

DURATION_S = int(os.environ.get("BENCH_PROOF_S", "600"))


@dataclass(frozen=True)
class Case:
    """A source to be made, and how its pictures are turned back."""

    name: str
    make: Callable[[Path], Comparison]
    quarter_turns: int | None  # None: no numbers in the pictures


def made(kind: Kind) -> Case:
    """A kind at full length and small, odd-sized where it was."""
    odd = kind.size[0] % 2
    long = kind.lasting(DURATION_S, (160 + odd, 90 + odd))
    return Case(kind.name, lambda folder: compared(long.make(folder), folder), kind.quarter_turns)


def real(name: str, loops: int = 1) -> Case:
    """A clip of RUSHES_CLIPS, as it is or so many times in a row (P1)."""

    def make(folder: Path) -> Comparison:
        source = Path(os.environ["RUSHES_CLIPS"]).absolute() / name
        if loops > 1:
            looped = folder / f"looped{source.suffix}"
            run_ffmpeg(
                ["-stream_loop", str(loops - 1), "-i", str(source), "-map", "0:v", "-c", "copy", str(looped)]
            )
            source = looped
        return compared(source, folder, Settings(rungs=(240,), copy=False))

    return Case(f"{name} x{loops}", make, None)


def main() -> int:
    """Run all; the number of kinds that failed."""
    cases = [made(kind) for kind in KINDS]
    if os.environ.get("RUSHES_CLIPS"):
        cases += [
            real("media__long_1080p_lowbitrate.mp4"),
            real("sample-videos__one-by-one-person-detection.mp4"),
            real("imageio-binaries__cockatoo.mp4", 4),
        ]
    failed = 0
    for case in cases:
        started_s = time.monotonic()
        with workshop() as folder:
            try:
                found = case.make(folder)
                if case.quarter_turns is not None:
                    found.check_numbers(case.quarter_turns)
                mean, worst = found.check()
                verdict = f"{len(found.ours)} pictures, SSIM {mean:.4f}, worst {worst:.4f}"
            except AssertionError as error:
                failed += 1
                verdict = f"FAILED: {error}"
        print(f"{case.name}: {verdict} ({time.monotonic() - started_s:.0f} s)", flush=True)
    return failed
