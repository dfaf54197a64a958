"""Pictures are taken from a rung that is large enough, from all over the video, and are whole."""

from dataclasses import replace

import pytest

from rushes.engine.stills import (
    NoPicture,
    check_jpegs,
    fitted,
    read_figures,
    rung_for,
    sampled_segments,
    thumbnail_size,
)
from tests.engine.finished import Finished


def test_the_smallest_rung_that_is_large_enough_is_taken(film: Finished) -> None:
    base = film.plan.rungs[0]
    sizes = [(1920, 1080), (1280, 720), (640, 360), (426, 240)]
    rungs = tuple(replace(base, name=f"{h}p", width=w, height=h) for w, h in sizes)

    def name(long_side: int, *named: str) -> str | None:
        rung = rung_for(replace(film.plan, rungs=tuple(r for r in rungs if r.name in named)), long_side)
        return rung.name if rung else None

    assert name(640, "1080p", "720p", "360p", "240p") == "360p"
    assert name(1280, "1080p", "720p", "360p", "240p") == "720p"
    assert name(640, "240p") == "240p"
    assert name(640) is None


@pytest.mark.parametrize("count", [1, 2, 3, 11, 12, 13, 1000])
def test_samples_are_spread_over_the_whole_video(count: int) -> None:
    samples = sampled_segments(count, 12)
    assert len(samples) == len(set(samples)) == min(count, 12)
    assert samples == sorted(samples)
    assert all(0 <= number < count for number in samples)
    assert samples[0] <= count // 12
    assert samples[-1] >= count - 1 - count // 12


def test_shapes_are_kept_and_nothing_is_made_larger(film: Finished) -> None:
    def shaped(size: tuple[int, int]) -> tuple[int, int]:
        return fitted(replace(film.plan.rungs[0], width=size[0], height=size[1]), 192)

    assert [shaped(size) for size in ((1920, 1080), (1080, 1920), (640, 480), (100, 50), (4000, 16))] == [
        *((192, 108), (108, 192), (192, 144), (100, 50), (192, 2)),
    ]
    assert [thumbnail_size(*size) for size in ((640, 360), (720, 1280), (160, 90))] == [
        *((320, 180), (320, 568), (160, 90)),
    ]


def test_figures_are_read_of_each_picture() -> None:
    text = "frame:0    pts:0 pts_time:0\nlavfi.a.X=4\nlavfi.blur=-nan\nframe:1 pts:1\nlavfi.a.X=5.5\n"
    assert read_figures(text, "lavfi.a.") == [{"X": 4.0}, {"X": 5.5}]


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xc0\x00\x11\x08"])
def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(NoPicture, match="not a whole picture of 2x2"):
        check_jpegs([("0.jpg", data)], (2, 2))
