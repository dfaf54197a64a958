"""Which pictures are interlaced, and which are a film's, from what ffmpeg's idet says of them."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest

from rushes.engine.examine import FieldCounts, combed, field_counts, may_be_tape, scan_of, with_fields
from rushes.engine.source import Scan, VideoStream
from tests.engine.sources import picture


def counts(tff: int = 0, bff: int = 0, whole: int = 0, unclear: int = 0, repeated: int = 0) -> FieldCounts:
    total = tff + bff + whole + unclear
    return FieldCounts(
        scans=Counter(tff=tff, bff=bff, progressive=whole, undetermined=unclear),
        repeats=Counter(neither=total - repeated, top=repeated // 2, bottom=repeated - repeated // 2),
    )


@pytest.mark.parametrize(
    ("found", "scan"),
    [
        (counts(tff=110, unclear=10), "interlaced"),
        (counts(bff=90, whole=5, unclear=25, repeated=10), "interlaced"),
        (
            counts(tff=117, whole=4, repeated=48),
            "film",
        ),  # 2:3: repeated fields tell, idet's smoothed verdict does not
        (counts(whole=115, tff=5), "film"),  # 25 pictures a second in 50 fields
        (counts(unclear=120), "interlaced"),  # a still picture: the file's word stands
        (counts(), "interlaced"),
        (counts(tff=60, whole=60), "interlaced"),  # half of it: a programme with both
    ],
)
def test_film_is_told_from_fields(found: FieldCounts, scan: Scan) -> None:
    assert scan_of(found) == scan


def test_the_order_that_is_seen_wins_over_the_order_that_is_told() -> None:
    found = with_fields(picture(field_order="tt"), counts(bff=100, tff=3), "tff")
    assert (found.shown_first, found.order_is_forced) == ("bff", True)
    found = with_fields(picture(field_order="bb"), counts(bff=100), "bff")
    assert (found.shown_first, found.order_is_forced) == ("bff", False)


@pytest.mark.parametrize(("told", "first"), [("tt", "tff"), ("bb", "bff"), ("tb", "bff"), ("bt", "tff")])
def test_where_nothing_is_seen_the_file_is_believed(told: str, first: str) -> None:
    assert with_fields(picture(field_order=told), counts(unclear=50), None).shown_first == first


@pytest.mark.parametrize(
    ("found", "first"),
    [
        (counts(tff=100, whole=5, unclear=15), "tff"),
        (counts(bff=48, whole=60, unclear=12, repeated=48), "bff"),  # a film on tape: two pictures in five
        (counts(tff=30, whole=80, unclear=10), None),  # fine lines that move look like that now and then
        (counts(tff=50, bff=40, whole=30), None),
        (counts(unclear=120), None),
        (counts(), None),
    ],
)
def test_combs_that_no_file_tells_of_are_believed_where_they_are_clear(
    found: FieldCounts, first: str | None
) -> None:
    assert combed(found) == first


@pytest.mark.parametrize(
    ("video", "looked_at"),
    [
        (picture((720, 576), average_rate=Fraction(25)), True),
        (picture((720, 480), average_rate=Fraction(30000, 1001), field_order="progressive"), True),
        (picture((720, 576), average_rate=Fraction(50)), False),
        (picture((1920, 1080), average_rate=Fraction(25), codec="h264"), False),
        (picture((1920, 1080), average_rate=Fraction(25), codec="mpeg2video", field_order=None), True),
        (
            picture((1920, 1080), average_rate=Fraction(25), codec="prores", field_order="progressive"),
            False,
        ),
    ],
)
def test_what_looks_like_tape_is_looked_at(video: VideoStream, looked_at: bool) -> None:
    assert may_be_tape(video) is looked_at


def test_verdicts_and_times_are_read_from_ffmpeg_s_lines() -> None:
    lines = [
        "frame:0    pts:0       pts_time:0",
        "lavfi.idet.repeated.current_frame=neither",
        "lavfi.idet.multiple.current_frame=tff",
        "lavfi.idet.multiple.tff=1.00",
        "frame:1    pts:1       pts_time:0.04",
        "lavfi.idet.repeated.current_frame=top",
        "lavfi.idet.multiple.current_frame=progressive",
    ]
    found = field_counts(lines)
    assert found.scans == Counter(tff=1, progressive=1)
    assert found.repeats == Counter(neither=1, top=1)
    assert found.gaps_s == (Fraction(1, 25),)
