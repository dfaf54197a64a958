"""A copied rung is the source: the same packets, the same pictures, the same times, from 0."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from rushes.engine.settings import Settings
from tests.proof.assembled import decode, planned
from tests.proof.counter import read_numbers
from tests.proof.kinds import Kind, run_ffmpeg

_FAST = ("-c:v", "libx264", "-preset", "superfast", "-crf", "25")
#: No two neighbours equally far apart, none over 10 s.
_IRREGULAR = (
    "-g",
    "9999",
    "-sc_threshold",
    "0",
    "-force_key_frames",
    "0,1.5,6,6.4,9,15,17.2,26,33,33.1,39,47.7,55,61",
)


# Matroska keeps no decoding times: with B-frames they are guessed, and the source is encoded instead (streamcopy).
@pytest.mark.parametrize(("suffix", "b_frames"), [(".mp4", 0), (".mp4", 2), (".mkv", 0)])
@pytest.mark.parametrize("keyframes", [("-g", "60"), _IRREGULAR], ids=["regular", "irregular"])
def test_a_copy_has_the_packets_pictures_and_times_of_its_source(
    suffix: str, b_frames: int, keyframes: tuple[str, ...], tmp_path: Path
) -> None:
    encoder = (*_FAST, *keyframes, "-bf", str(b_frames))
    kind = Kind("copied", Fraction(25), 1625, (160, 90), suffix, encoder)
    source = kind.make(tmp_path)
    with planned(source, tmp_path / "out", Settings()) as work:
        rung = work.plan.copied_rung
        assert rung is not None, work.plan.copy_refusal
        assert rung.timeline.chunk_count > 1
        work.make_shuffled([rung])
        joined = work.joined(rung)
    assert packets(joined) == packets(source)
    ours, theirs = decode(joined, kind.size), decode(source, kind.size)
    assert ours.times_s[0] == 0
    np.testing.assert_allclose(ours.times_s, theirs.times_s - theirs.times_s[0], atol=1e-4)
    np.testing.assert_array_equal(ours.pictures, theirs.pictures)
    np.testing.assert_array_equal(read_numbers(ours.pictures), np.arange(1625))


def packets(path: Path) -> list[str]:
    """The MD5 of every packet of the video, in decoding order."""
    rows = (
        run_ffmpeg(["-i", str(path), "-map", "0:v", "-c", "copy", "-f", "framemd5", "-"])
        .decode()
        .splitlines()
    )
    return [row.split(",")[-1].strip() for row in rows if not row.startswith("#")]


def test_a_copy_from_a_source_that_begins_late_begins_at_0(tmp_path: Path) -> None:
    kind = Kind(
        "late",
        Fraction(25),
        250,
        suffix=".mkv",
        encoder=(*_FAST, "-g", "60", "-bf", "0"),
        options=("-output_ts_offset", "7.3"),
    )
    source = kind.make(tmp_path)
    with planned(source, tmp_path / "out", Settings()) as work:
        rung = work.plan.copied_rung
        assert rung is not None, work.plan.copy_refusal
        work.make_shuffled([rung])
        ours = decode(work.joined(rung), kind.size)
    assert ours.times_s[0] == 0
    np.testing.assert_array_equal(read_numbers(ours.pictures), np.arange(250))
