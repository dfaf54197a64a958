"""A segment's bytes depend on the plan alone: not on who makes it, beside what, when, or how often."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest

from rushes.engine.cmaf import edit_media_time, track_timescale
from rushes.engine.growing import FragmentReader
from rushes.engine.plan import Rung
from rushes.engine.settings import Settings
from tests.proof.assembled import Work, decode, planned
from tests.proof.counter import read_numbers
from tests.proof.kinds import Kind

#: A ladder of three from a small source.
LADDER = Settings(rungs=(180, 144, 90), copy=False)


def files(work: Work, rungs: Sequence[Rung]) -> dict[str, bytes]:
    """Every published file of the rungs by name."""
    return {
        str(path.relative_to(work.folder)): path.read_bytes()
        for rung in rungs
        for path in sorted((work.folder / rung.folder).iterdir())
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return Kind("ladder", frames=400, size=(320, 180), sound_s=13).make(tmp_path)


def test_a_rung_alone_equals_the_same_rung_of_the_ladder_in_any_order_at_any_niceness(
    source: Path, tmp_path: Path
) -> None:
    with planned(source, tmp_path / "ladder", LADDER) as ladder:
        rungs = ladder.plan.encoded_rungs
        assert len(rungs) == 3
        for chunk in range(rungs[0].timeline.chunk_count):
            ladder.make(rungs, chunk)
    with planned(source, tmp_path / "alone", LADDER) as alone:
        assert alone.plan == ladder.plan
        for rung in reversed(rungs):
            for chunk in reversed(range(rung.timeline.chunk_count)):
                alone.make([rung], chunk, nice=10)
    assert files(alone, rungs) == files(ladder, rungs)


def test_a_chunk_made_twice_has_the_same_bytes(source: Path, tmp_path: Path) -> None:
    with planned(source, tmp_path / "out", LADDER) as work:
        rungs = work.plan.encoded_rungs[-1:]
        work.make_shuffled(rungs)
        once = files(work, rungs)
        for path in (work.folder / rungs[0].folder).glob("*.m4s"):
            path.unlink()  # the init stays: the second run is held against it
        work.make_shuffled(rungs, seed=2)
        assert files(work, rungs) == once


def test_every_chunk_brings_the_same_init_and_absolute_times(source: Path, tmp_path: Path) -> None:
    inits: set[bytes] = set()
    with planned(source, tmp_path / "out") as work:
        rung = work.plan.rungs[0]
        for chunk in range(rung.timeline.chunk_count):
            work.make([rung], chunk)
            init = work.folder / rung.init_name
            inits.add(init.read_bytes())
            init.unlink()  # else the next chunk's would be refused, not seen
        (init_bytes,) = inits
        assert track_timescale(init_bytes) == rung.timeline.timescale
        for number in range(rung.timeline.segment_count):
            joined = tmp_path / "one.mp4"
            joined.write_bytes(init_bytes + (work.folder / rung.segment_name(number)).read_bytes())
            (fragment,) = FragmentReader(joined).read_new()
            assert fragment.base_decode_time == rung.timeline.bounds[number]
            assert fragment.base_decode_time + fragment.duration == rung.timeline.bounds[number + 1]


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 30])
def test_a_video_of_a_few_frames_is_whole_and_begins_at_0(frames: int, tmp_path: Path) -> None:
    source = Kind("short", frames=frames).make(tmp_path)
    with planned(source, tmp_path / "out") as work:
        (rung,) = work.plan.rungs
        work.make_shuffled([rung])
        decoded = decode(work.joined(rung), (rung.width, rung.height))
    assert read_numbers(decoded.pictures).tolist() == list(range(frames))
    assert decoded.times_s == pytest.approx([number / 30 for number in range(frames)], abs=1e-3)


@pytest.mark.parametrize("tail", [1, 2, 3])
def test_a_tail_of_a_few_frames_fits_the_init_of_the_chunks_before(tail: int, tmp_path: Path) -> None:
    """x264 holds no frame back in a stream shorter than its delay, and then wants another edit list (P4)."""
    source = Kind("tail", rate=Fraction(30), frames=2 * 240 + tail).make(tmp_path)
    with planned(source, tmp_path / "out") as work:
        rung = work.plan.rungs[0]
        for chunk in reversed(range(rung.timeline.chunk_count)):
            work.make([rung], chunk)
        assert edit_media_time((work.folder / rung.init_name).read_bytes()) == 2 * 1000
        decoded = decode(work.joined(rung), (rung.width, rung.height))
    assert read_numbers(decoded.pictures).tolist() == list(range(2 * 240 + tail))


@pytest.mark.parametrize(
    "rate", [Fraction(2), Fraction(7, 4), Fraction(1), Fraction(3, 4), Fraction(1, 2), Fraction(1, 5)]
)
def test_every_chunk_of_a_slide_show_brings_the_same_init(rate: Fraction, tmp_path: Path) -> None:
    """x264 has as many B-frames as a group of pictures has room for, and says so in the init."""
    source = Kind("slides", rate=rate, frames=25).make(tmp_path)
    with planned(source, tmp_path / "out") as work:
        rung = work.plan.rungs[0]
        assert rung.timeline.chunk_count > 1
        work.make_shuffled([rung])
        decoded = decode(work.joined(rung), (rung.width, rung.height))
    assert read_numbers(decoded.pictures).tolist() == list(range(25))
    assert decoded.times_s == pytest.approx([float(number / rate) for number in range(25)], abs=1e-3)
