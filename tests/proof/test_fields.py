"""Interlaced video comes out with a frame for each field, in the right order; a film in fields comes out whole."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from rushes.engine.binaries import toolchain
from rushes.engine.examine import examined
from rushes.engine.probe import probe
from rushes.engine.settings import Settings
from rushes.engine.source import Source
from tests.proof.assembled import Work, decode, planned
from tests.proof.counter import Pictures
from tests.proof.kinds import run_ffmpeg
from tests.proof.test_bytes import files

SIZE = (128, 96)
_FLAGS = ("-flags", "+ildct+ilme", "-threads", "1")
H264 = ("-c:v", "libx264", "-preset", "superfast", "-crf", "8", "-g", "50", *_FLAGS)
WHOLE = ("-c:v", "libx264", "-preset", "superfast", "-crf", "8", "-g", "50", "-threads", "1")
MPEG2 = ("-c:v", "mpeg2video", "-q:v", "2", "-g", "12", *_FLAGS)


def moving_bar(
    path: Path,
    rate: str,
    seconds: float,
    filters: str,
    options: tuple[str, ...],
    size: tuple[int, int] = SIZE,
) -> Path:
    """A white bar on dark grey that moves by four pixels a picture to the right, and begins anew at the left."""
    width, height = size
    bar = f"geq=lum='if(lt(mod(X-4*N+{width * 1000},{width}),16),220,60)':cb=128:cr=128"
    # A still texture below: lines that differ, which a careless deinterlacer would blur.
    source = f"color=gray:s={width}x{height}:r={rate}:d={seconds},format=yuv420p,{bar}"
    run_ffmpeg(["-f", "lavfi", "-i", source, "-vf", filters, *options, str(path)])
    return path


def bar_positions(pictures: Pictures) -> list[float]:
    """Where the bar's middle is in each picture, as an angle around the picture's width."""
    width = pictures.shape[2]
    angle = 2 * np.pi * np.arange(width) / width
    rows = np.asarray(pictures, dtype=np.float64).mean(axis=1)
    weight = np.clip(rows - 70, 0, None)
    phase = np.angle((weight * np.exp(1j * angle)).sum(axis=1))
    return list(phase / (2 * np.pi) * width)


def steps(pictures: Pictures) -> np.ndarray:
    """How far the bar moves from picture to picture, modulo the width."""
    positions = np.array(bar_positions(pictures))
    width = pictures.shape[2]
    return (np.diff(positions) + width / 2) % width - width / 2


def combing(pictures: Pictures) -> float:
    """How much neighbouring lines differ where every other line should be alike: 0 in a whole picture of the bar."""
    picture = np.asarray(pictures, dtype=np.float64)
    return float(np.abs(picture[:, 1:-1] - (picture[:, :-2] + picture[:, 2:]) / 2).mean(axis=(1, 2)).max())


def look(path: Path) -> Source:
    return examined(probe(path, toolchain()), toolchain())


def made(source: Path, folder: Path) -> tuple[Work, Pictures]:
    with planned(source, folder / "out", Settings(copy=False)) as work:
        rung = work.plan.rungs[0]
        outcomes = work.make_shuffled([rung])
        assert all(not outcome.warnings for outcome in outcomes)
        assert work.plan.warnings == ()
        return work, decode(work.joined(rung), (rung.width, rung.height)).pictures


@pytest.mark.parametrize(
    ("order", "name", "options"),
    [
        ("tff", "h264.mp4", H264),
        ("bff", "h264.mp4", H264),
        ("tff", "mpeg2.mpg", MPEG2),
        ("bff", "mpeg2.ts", MPEG2),
    ],
)
def test_each_field_becomes_a_frame_in_its_order(
    order: str, name: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    first = "top" if order == "tff" else "bottom"
    filters = f"tinterlace=interleave_{first},setfield={order}"
    source = moving_bar(tmp_path / name, "50", 10, filters, options)
    found = look(source).video
    assert found is not None
    assert (found.scan, found.shown_first) == ("interlaced", order)
    work, pictures = made(source, tmp_path)
    assert work.plan.grid is not None
    assert work.plan.grid.rate == 50
    assert len(pictures) == pytest.approx(500, abs=2)
    # Fields in the wrong order would step back at every second picture: 12, -4, 12, -4.
    moved = steps(pictures)[4:-4]
    np.testing.assert_allclose(moved, 4, atol=1.5)
    assert combing(pictures[4:-4]) < 4


def test_a_wrong_order_in_the_file_is_noticed(tmp_path: Path) -> None:
    source = moving_bar(tmp_path / "wrong.mp4", "50", 4, "tinterlace=interleave_top,setfield=bff", H264)
    found = look(source).video
    assert found is not None
    assert (found.shown_first, found.order_is_forced) == ("tff", True)
    _, pictures = made(source, tmp_path)
    np.testing.assert_allclose(steps(pictures)[4:-4], 4, atol=1.5)


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_tape_whose_file_says_nothing_of_fields_is_noticed(order: str, tmp_path: Path) -> None:
    first = "top" if order == "tff" else "bottom"
    filters = f"tinterlace=interleave_{first},setfield=prog"
    source = moving_bar(tmp_path / "tape.mp4", "50", 5, filters, WHOLE, (128, 576))
    found = look(source).video
    assert found is not None
    assert (found.interlaced, found.scan, found.shown_first) == (True, "interlaced", order)
    work, pictures = made(source, tmp_path)
    assert work.plan.grid is not None
    assert work.plan.grid.rate == 50
    np.testing.assert_allclose(steps(pictures)[4:-4], 4, atol=1.5)
    assert combing(pictures[4:-4]) < 4


def test_film_on_tape_whose_file_says_nothing_of_fields_is_noticed(tmp_path: Path) -> None:
    filters = "telecine=first_field=top:pattern=23,setfield=prog"
    source = moving_bar(tmp_path / "film.mp4", "24000/1001", 5, filters, WHOLE, (128, 480))
    found = look(source).video
    assert found is not None
    assert found.scan == "film"
    _, pictures = made(source, tmp_path)
    assert combing(pictures[4:-4]) < 4


def test_whole_pictures_of_the_size_of_tape_stay_as_they_are(tmp_path: Path) -> None:
    source = moving_bar(tmp_path / "whole.mp4", "25", 5, "null", WHOLE, (128, 576))
    found = look(source).video
    assert found is not None
    assert (found.interlaced, found.scan) == (False, "progressive")


def test_telecined_film_is_put_together_again(tmp_path: Path) -> None:
    filters = "telecine=first_field=top:pattern=23,setfield=tff"
    source = moving_bar(tmp_path / "film.mpg", "24000/1001", 10, filters, MPEG2)
    found = look(source).video
    assert found is not None
    assert found.scan == "film"
    work, pictures = made(source, tmp_path)
    assert work.plan.grid is not None
    assert work.plan.grid.rate == Fraction(30000, 1001)
    # Every picture is one of the film's: it stands still or moves by a whole step.
    moved = steps(pictures)[4:-4]
    assert set(np.round(moved / 4)) == {0, 1}
    assert np.abs(moved - 4 * np.round(moved / 4)).max() < 1
    assert (np.round(moved / 4) == 0).mean() == pytest.approx(0.2, abs=0.03)  # one of five is shown twice
    assert combing(pictures[4:-4]) < 4


def test_a_film_at_25_in_fields_stays_at_25(tmp_path: Path) -> None:
    source = moving_bar(tmp_path / "film.mp4", "25", 10, "setfield=tff", H264)
    found = look(source).video
    assert found is not None
    assert (found.interlaced, found.scan) == (True, "film")
    work, pictures = made(source, tmp_path)
    assert work.plan.grid is not None
    assert work.plan.grid.rate == 25
    np.testing.assert_allclose(steps(pictures)[4:-4], 4, atol=1)


def test_chunks_of_interlaced_video_depend_on_the_plan_alone(tmp_path: Path) -> None:
    source = moving_bar(tmp_path / "h264.mp4", "50", 17, "tinterlace=interleave_top,setfield=tff", H264)
    settings = Settings(rungs=(96, 64), copy=False)
    with planned(source, tmp_path / "ladder", settings) as ladder:
        rungs = ladder.plan.encoded_rungs
        for chunk in range(rungs[0].timeline.chunk_count):
            ladder.make(rungs, chunk)
        shown = decode(ladder.joined(rungs[0]), (rungs[0].width, rungs[0].height)).pictures
    with planned(source, tmp_path / "alone", settings) as alone:
        for rung in reversed(rungs):
            alone.make_shuffled([rung], seed=3)
    assert files(alone, rungs) == files(ladder, rungs)
    # No picture at a seam is a guess from one field.
    np.testing.assert_allclose(steps(shown)[4:-4], 4, atol=1.5)


def test_a_camera_s_fields_that_are_packed_singly_are_planned_at_their_rate(
    real_clip: object, tmp_path: Path
) -> None:
    source = real_clip("metadata-extractor-images__Sony_ILCE-7M3__A7M3_.mts")  # type: ignore[operator]
    with planned(source, tmp_path / "out", Settings(rungs=(240,), copy=False)) as work:
        video = look(work.source.path).video
        assert video is not None
        assert video.picture_gap_s is not None
        grid = work.plan.grid
        assert grid is not None
        assert grid.rate == (2 if video.scan == "interlaced" else 1) / Fraction(
            video.picture_gap_s
        ).limit_denominator(1001)
