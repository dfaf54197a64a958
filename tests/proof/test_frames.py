"""Chunks in any order, put together, are frame by frame what one process makes of the whole source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.engine.settings import Settings
from tests.proof.comparison import compared
from tests.proof.kinds import KINDS, Kind

#: The whole pictures of the real clips; those over a minute are in benchmarks/, the broken one has no picture.
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
)

#: Pictures at the beginning that refer to what was cut off: no keyframe has come yet when they are shown.
LEADING = {"metadata-extractor-images__Sony_ILCE-7M3__A7M3_.mts": 2}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_assembled_chunks_equal_a_one_process_encode(kind: Kind, tmp_path: Path) -> None:
    found = compared(kind.make(tmp_path), tmp_path)
    found.check_numbers(kind.quarter_turns)
    found.check()


@pytest.mark.parametrize("name", REAL)
def test_assembled_chunks_of_a_real_clip_equal_a_one_process_encode(
    name: str, tmp_path: Path, real_clip: Callable[[str], Path]
) -> None:
    settings = Settings(rungs=(240,), copy=False)
    compared(real_clip(name), tmp_path, settings, leading=LEADING.get(name, 0)).check()
