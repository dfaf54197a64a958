"""Segments and chunks tile the time line, and sound follows the picture's boundaries in whole AAC frames."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rushes.engine.grid import Grid
from rushes.engine.settings import (
    AAC_FRAME_SAMPLES,
    AUDIO_CHUNK_SEGMENTS,
    CHUNK_SEGMENTS,
    OPENING_SEGMENT_S,
    SEGMENT_S,
)
from rushes.engine.timeline import Timeline, audio_timeline, video_timeline

rates = st.fractions(min_value=1, max_value=60, max_denominator=1001)
frame_counts = st.one_of(st.integers(1, 1500), st.integers(1, 12 * 3600 * 60))
sample_rates = st.sampled_from([44_100, 48_000])


def video_of(rate: Fraction | int, frames: int) -> Timeline:
    grid = Grid(rate=Fraction(rate), frames=frames, origin_s=Fraction(0), constant=True)
    return video_timeline(
        frames,
        grid.ticks_per_frame,
        grid.timescale,
        grid.rate,
        segment_s=SEGMENT_S,
        opening_s=OPENING_SEGMENT_S,
        chunk_segments=CHUNK_SEGMENTS,
    )


def audio_of(along: Timeline, rate_hz: int = 48_000) -> Timeline:
    return audio_timeline(
        along, rate_hz=rate_hz, frame_samples=AAC_FRAME_SAMPLES, chunk_segments=AUDIO_CHUNK_SEGMENTS
    )


def seconds(timeline: Timeline) -> list[float]:
    return [float(Fraction(bound, timeline.timescale)) for bound in timeline.bounds]


def assert_tiled(timeline: Timeline) -> None:
    """Every segment belongs to one chunk, in order, without a gap."""
    made = [segment for chunk in range(timeline.chunk_count) for segment in timeline.chunk_segments(chunk)]
    assert made == list(range(timeline.segment_count))
    ends = [timeline.chunk_ticks(chunk) for chunk in range(timeline.chunk_count)]
    assert ends[0][0] == 0
    assert ends[-1][1] == timeline.bounds[-1]
    assert all(before[1] == after[0] for before, after in pairwise(ends))


def test_twenty_seconds_at_30() -> None:
    timeline = video_of(30, 600)
    assert seconds(timeline) == [0, 2, 4, 6, 8, 12, 16, 20]
    assert timeline.chunks == (0, 4, 6, 7)


def test_a_tail_shorter_than_a_segment_goes_into_the_last_chunk() -> None:
    timeline = video_of(30, 16 * 30 + 1)
    assert seconds(timeline)[-3:-1] == [12, 16]
    assert timeline.chunks == (0, 4, 7)


@settings(deadline=None, max_examples=60)
@given(rates, frame_counts)
@example(Fraction(60), 12 * 3600 * 60)
@example(Fraction(30000, 1001), 1)
@example(Fraction(1), 9)
def test_video_segments_tile_all_frames(rate: Fraction, frames: int) -> None:
    timeline = video_of(rate, frames)
    assert_tiled(timeline)
    assert timeline.duration_s == frames / rate
    ticks = Fraction(timeline.timescale) / rate
    assert ticks.denominator == 1
    assert all(bound % ticks.numerator == 0 for bound in timeline.bounds)
    longest = max(end - start for start, end in pairwise(timeline.bounds))
    assert longest <= max(round(4 * rate), 1) * ticks


@settings(deadline=None, max_examples=25)
@given(rates, frame_counts, sample_rates)
@example(Fraction(60), 12 * 3600 * 60, 44_100)
@example(Fraction(60), 481, 48_000)  # a last picture of 17 ms: less than an AAC frame
@example(Fraction(60), 1, 44_100)
@example(Fraction(1), 1, 48_000)
def test_sound_follows_the_picture_in_whole_frames(rate: Fraction, frames: int, rate_hz: int) -> None:
    along = video_of(rate, frames)
    timeline = audio_of(along, rate_hz)
    assert_tiled(timeline)
    assert all(bound % AAC_FRAME_SAMPLES == 0 for bound in timeline.bounds)
    frame_s = Fraction(AAC_FRAME_SAMPLES, rate_hz)
    assert along.duration_s <= timeline.duration_s < along.duration_s + frame_s
    video_bounds = {Fraction(bound, along.timescale) for bound in along.bounds}
    nearest = iter(sorted(video_bounds))
    wanted = next(nearest)
    for bound in timeline.bounds[:-1]:
        at = Fraction(bound, rate_hz)
        while abs(at - wanted) > frame_s / 2:  # each of ours is the nearest frame to one of the picture's
            wanted = next(nearest)


def test_without_a_short_tail_sound_has_a_segment_for_each_of_the_picture() -> None:
    along = video_of(Fraction(30000, 1001), 100_000)
    assert audio_of(along).segment_count == along.segment_count


def test_segments_are_found_by_time_and_chunks_by_segment() -> None:
    timeline = video_of(30, 600)
    assert [timeline.segment_at(Fraction(t)) for t in (-1, 0, 2, 7, 19, 20, 99)] == [0, 0, 1, 3, 6, 6, 6]
    assert timeline.segment_at(Fraction(2) - Fraction(1, 10**9)) == 0
    assert [timeline.chunk_of(segment) for segment in range(7)] == [0, 0, 0, 0, 1, 1, 2]
    for outside in (-1, 7):
        with pytest.raises(IndexError):
            timeline.chunk_of(outside)


@settings(deadline=None)
@given(rates, st.integers(1, 5000), st.integers(0, 10**6))
def test_looking_up_is_the_inverse_of_where_things_lie(rate: Fraction, frames: int, number: int) -> None:
    timeline = video_of(rate, frames)
    segment = number % timeline.segment_count
    assert timeline.segment_at(timeline.start_s(segment)) == segment
    assert segment in timeline.chunk_segments(timeline.chunk_of(segment))
    assert timeline.start_s(segment) + timeline.segment_duration_s(segment) == Fraction(
        timeline.bounds[segment + 1], timeline.timescale
    )


@pytest.mark.parametrize(
    ("timescale", "bounds", "chunks"),
    [
        (0, (0, 1), (0, 1)),
        (1, (0,), (0, 0)),
        (1, (1, 2), (0, 1)),
        (1, (0, 2, 2), (0, 2)),
        (1, (0, 2, 1), (0, 2)),
        (1, (0, 1, 2), (0, 1)),
        (1, (0, 1, 2), (1, 2)),
        (1, (0, 1, 2), (0, 1, 1, 2)),
    ],
)
def test_what_is_no_time_line_is_refused(
    timescale: int, bounds: tuple[int, ...], chunks: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"time line|never empty"):
        Timeline(timescale=timescale, bounds=bounds, chunks=chunks)
