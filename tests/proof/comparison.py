"""The same source made by chunks in shuffled order and by one process, and what has to be equal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rushes.engine.plan import Plan
from rushes.engine.settings import Settings
from tests.proof.assembled import ENCODED, ONE_MS, Decoded, decode, grid_times_s, one_process, planned
from tests.proof.counter import read_numbers, ssim

MEAN_SSIM, WORST_SSIM = 0.98, 0.93


@dataclass(frozen=True)
class Comparison:
    """The same source made by chunks in shuffled order and by one process."""

    plan: Plan
    ours: Decoded
    theirs: Decoded
    warnings: tuple[str, ...]

    def check(self) -> tuple[float, float]:
        """Count, times and pictures are the same; returns the mean and the worst SSIM. Raises AssertionError."""
        assert self.plan.grid is not None
        assert len(self.ours) == len(self.theirs) == self.plan.grid.frames
        np.testing.assert_allclose(self.ours.times_s, grid_times_s(self.plan), atol=ONE_MS)
        np.testing.assert_allclose(
            self.ours.times_s, self.theirs.times_s - self.theirs.times_s[0], atol=ONE_MS
        )
        likeness = ssim(self.ours.pictures, self.theirs.pictures)
        assert likeness.mean() >= MEAN_SSIM
        assert likeness.min() >= WORST_SSIM, f"picture {likeness.argmin()}"
        assert self.warnings == ()
        return float(likeness.mean()), float(likeness.min())

    def check_numbers(self, quarter_turns: int = 0) -> None:
        """Every picture can be read, once turned counter-clockwise, and is the same one. Raises AssertionError."""
        ours, theirs = (
            read_numbers(np.rot90(decoded.pictures, quarter_turns, axes=(1, 2)))
            for decoded in (self.ours, self.theirs)
        )
        assert (ours >= 0).all()
        np.testing.assert_array_equal(ours, theirs)


def compared(source: Path, folder: Path, settings: Settings = ENCODED, *, leading: int = 0) -> Comparison:
    """Make the smallest rung of `source` both ways below `folder`; `leading` as for `one_process`."""
    with planned(source, folder / "out", settings) as work:
        rung = work.plan.rungs[-1]
        outcomes = work.make_shuffled([rung])
        size = (rung.width, rung.height)
        ours = decode(work.joined(rung), size)
        theirs = decode(one_process(source, work.plan, rung, folder / "bare.mp4", leading=leading), size)
        warnings = tuple(warning for outcome in outcomes for warning in outcome.warnings)
        return Comparison(work.plan, ours, theirs, warnings)
