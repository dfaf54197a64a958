"""Chunks in any order, put together, are frame by frame what one process makes of the whole source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from rushes.engine.plan import Plan
from rushes.engine.settings import Settings
from tests.proof.assembled import ENCODED, ONE_MS, Decoded, decode, grid_times_s, one_process, planned
from tests.proof.counter import read_numbers, ssim
from tests.proof.kinds import KINDS, Kind

MEAN_SSIM, WORST_SSIM = 0.98, 0.93

#: The whole pictures of the real clips; the long one is in benchmarks/, the broken one has no picture.
REAL = (
    "ffmpeg-normalize__test.mp4",
    "imageio-binaries__cockatoo.mp4",
    "imageio-binaries__cockatoo_yuv420.mp4",
    "imageio-binaries__realshort.mp4",
    "media__bear-vp9-odd-dimensions.webm",
    "media__h265_with_metadata_track.mp4",
    "media__hdr10-video-with-sdr-container.mp4",
    "media__sample.flv",
    "media__sample.video.mp4",
    "media__sample_with_ass_subtitles.mkv",
    "mediaelement-files__echo-hereweare.webm",
    "metadata-extractor-images__FLIR_Thermal.mp4",
    "metadata-extractor-images__MVI_4823.AVI",
    "metadata-extractor-images__Sony_ILCE-7M3__A7M3_.mts",
    "metadata-extractor-images__with-gps.mov",
    "mp4parse-rust__hevc_white_frame.mp4",
    "sample-videos__bottle-detection.mp4",
    "sample-videos__car-detection.mp4",
    "sample-videos__one-by-one-person-detection.mp4",
)

#: Pictures at the beginning that refer to what was cut off: no keyframe has come yet when they are shown.
LEADING = {"metadata-extractor-images__Sony_ILCE-7M3__A7M3_.mts": 2}


@dataclass(frozen=True)
class Comparison:
    """The same source made by chunks in shuffled order and by one process."""

    plan: Plan
    ours: Decoded
    theirs: Decoded
    warnings: tuple[str, ...]

    def check(self) -> None:
        """Count, times and pictures are the same."""
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


def compared(source: Path, folder: Path, settings: Settings = ENCODED, *, leading: int = 0) -> Comparison:
    with planned(source, folder / "out", settings) as work:
        rung = work.plan.rungs[-1]
        outcomes = work.make_shuffled([rung])
        size = (rung.width, rung.height)
        ours = decode(work.joined(rung), size)
        theirs = decode(one_process(source, work.plan, rung, folder / "bare.mp4", leading=leading), size)
        warnings = tuple(warning for outcome in outcomes for warning in outcome.warnings)
        return Comparison(work.plan, ours, theirs, warnings)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_assembled_chunks_equal_a_one_process_encode(kind: Kind, tmp_path: Path) -> None:
    found = compared(kind.make(tmp_path), tmp_path)
    ours, theirs = (
        read_numbers(np.rot90(decoded.pictures, kind.quarter_turns, axes=(1, 2)))
        for decoded in (found.ours, found.theirs)
    )
    assert (ours >= 0).all()
    np.testing.assert_array_equal(ours, theirs)
    found.check()


@pytest.mark.parametrize("name", REAL)
def test_assembled_chunks_of_a_real_clip_equal_a_one_process_encode(
    name: str, tmp_path: Path, real_clip: Callable[[str], Path]
) -> None:
    settings = Settings(rungs=(240,), copy=False)
    compared(real_clip(name), tmp_path, settings, leading=LEADING.get(name, 0)).check()
