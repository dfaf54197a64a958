"""The frame grid keeps a source's own rate, and its length, whatever clock the container has."""

import random
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rushes.engine.grid import STANDARD_RATES, Grid, choose_grid, first_picture_s
from rushes.engine.source import PacketIndex
from tests.engine.sources import TICK, packets, picture, steady

MS = Fraction(1, 1000)
NTSC_30, NTSC_24, NTSC_60 = Fraction(30000, 1001), Fraction(24000, 1001), Fraction(60000, 1001)

Span = tuple[Fraction, Fraction]


def grid_of(index: PacketIndex, *spans: Span, time_base: Fraction = TICK, **fields: object) -> Grid:
    return choose_grid(picture(time_base=time_base, **fields), index, spans)  # type: ignore[arg-type]


def grid_at(
    rate: Fraction | int, frames: int, *spans: Span, time_base: Fraction = TICK, start_s: Fraction | int = 0
) -> Grid:
    return grid_of(steady(rate, frames, time_base=time_base, start_s=start_s), *spans, time_base=time_base)


def jittering(gap_s: Fraction, frames: int, share: float, seed: int) -> PacketIndex:
    """A phone's clock: gaps that vary by up to `share` of the usual one, without drifting away."""
    chance, usual = random.Random(seed), gap_s / TICK
    times = [round(n * usual + chance.uniform(-share, share) / 2 * usual) for n in range(frames)]
    return packets([time - times[0] for time in times], last_duration=round(usual))


@pytest.mark.parametrize(
    ("rate", "frames", "shown"),
    [
        (Fraction(20), 600, Fraction(20)),
        (Fraction(25), 250, Fraction(25)),
        (Fraction(50), 500, Fraction(50)),
        (NTSC_30, 3000, NTSC_30),
        (NTSC_24, 2000, NTSC_24),
        (Fraction(179, 6), 1189, Fraction(179, 6)),  # 29.97 would make 1194 frames
        (Fraction(45000, 1499), 36, Fraction(30)),  # 30.02: the clock of a second of video
        (Fraction(1_000_000, 33_333), 78, Fraction(30)),  # a gap of whole microseconds
        (Fraction(15), 10_000, Fraction(15)),
        (Fraction(7), 700, Fraction(7)),
        (Fraction(120), 1200, Fraction(60)),
        (Fraction(120_000, 1001), 1200, NTSC_60),
        (Fraction(90), 900, Fraction(45)),
        (Fraction(240), 2400, Fraction(60)),
        (Fraction(100), 1000, Fraction(50)),
    ],
)
def test_a_constant_rate_is_kept_or_divided(rate: Fraction, frames: int, shown: Fraction) -> None:
    # A clock in which every frame is a whole number of ticks, as a muxer of that rate has it.
    exact = 1 / Fraction(rate.numerator)
    grid = grid_at(rate, frames, time_base=exact)
    assert (grid.rate, grid.constant) == (shown, True)
    assert abs(grid.duration_s - frames / rate) <= Fraction(1, 2) / shown


@pytest.mark.parametrize(
    "rate", [Fraction(30), NTSC_30, Fraction(25), NTSC_24, Fraction(20), Fraction(60), NTSC_60]
)
@pytest.mark.parametrize("time_base", [MS, TICK, Fraction(1, 15_360)])
def test_the_rounding_of_a_container_does_not_change_the_rate(rate: Fraction, time_base: Fraction) -> None:
    frames = round(rate * 20)
    grid = grid_at(rate, frames, time_base=time_base)
    assert (grid.rate, grid.frames, grid.constant) == (rate, frames, True)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.1, 0.2, 0.3])
def test_a_phone_that_jitters_around_30_is_shown_at_30(seed: int, share: float) -> None:
    grid = grid_of(jittering(Fraction(1, 30), 900, share, seed))
    assert (grid.rate, grid.constant) == (Fraction(30), False)
    assert abs(grid.frames - 900) <= 1


def test_gaps_are_filled_and_do_not_change_the_rate() -> None:
    times = [n * 3000 for n in range(600) if n % 50 < 40]
    grid = grid_of(packets(times, last_duration=3000))
    assert (grid.rate, grid.constant) == (Fraction(30), False)
    assert grid.frames == times[-1] // 3000 + 1


def test_a_variable_rate_never_exceeds_60() -> None:
    chance = random.Random(1)
    times = [0]
    for _ in range(500):
        times.append(times[-1] + chance.choice([600, 700, 800, 900]))
    assert grid_of(packets(times, last_duration=750)).rate == 60


@pytest.mark.parametrize("start_s", [Fraction(0), Fraction(7, 5), Fraction(-1, 3), Fraction(26 * 3600)])
def test_the_time_line_begins_with_the_first_picture(start_s: Fraction) -> None:
    grid = grid_at(30, 60, start_s=start_s)
    assert grid.origin_s == start_s
    assert grid.frames == 60


def test_sound_that_leads_moves_the_beginning_by_whole_frames() -> None:
    grid = grid_at(30, 60, (Fraction(0), Fraction(3)), start_s=1)
    assert (grid.origin_s, grid.frames) == (Fraction(0), 90)
    grid = grid_at(30, 60, (Fraction(1, 50), Fraction(3)), start_s=1)
    assert (grid.origin_s, grid.frames) == (Fraction(1, 30), 89)


def test_sound_that_leads_by_its_priming_moves_nothing() -> None:
    grid = grid_at(30, 60, (Fraction(-1024, 48_000), Fraction(2)))
    assert (grid.origin_s, grid.frames) == (Fraction(0), 60)


def test_a_still_screen_lasts_as_long_as_its_sound() -> None:
    grid = grid_at(30, 60, (Fraction(0), Fraction(600)))
    assert grid.frames == 600 * 30
    assert grid_at(30, 60, (Fraction(0), Fraction(2) + Fraction(9, 100))).frames == 60


def test_short_sound_does_not_shorten_the_picture() -> None:
    assert grid_at(30, 60, (Fraction(0), Fraction(1, 2))).frames == 60


@pytest.mark.parametrize("nominal", [None, Fraction(25), NTSC_30])
def test_a_single_picture_is_one_frame(nominal: Fraction | None) -> None:
    grid = grid_of(packets([90_000], last_duration=3600), nominal_rate=nominal)
    assert (grid.frames, grid.origin_s, grid.rate) == (1, Fraction(1), nominal or Fraction(25))


def test_no_packets_have_no_grid() -> None:
    with pytest.raises(ValueError, match="without packets"):
        grid_of(packets([]))


@pytest.mark.parametrize("lead_s", [Fraction(1, 50), Fraction(1, 10)])
def test_sound_that_leads_by_no_more_than_a_tenth_of_a_second_moves_nothing(lead_s: Fraction) -> None:
    grid = grid_at(30, 60, (1 - lead_s, Fraction(3)), start_s=1)
    assert (grid.origin_s, grid.frames) == (Fraction(1), 60)


@settings(deadline=None)
@given(
    st.sampled_from([Fraction(30), Fraction(25), NTSC_24, NTSC_30, Fraction(10)]),
    st.fractions(min_value=0, max_value=5, max_denominator=1000),
    st.fractions(min_value=0, max_value=5, max_denominator=1000),
)
def test_whatever_leads_or_outlasts_pictures_stay_on_whole_frames(
    rate: Fraction, lead_s: Fraction, tail_s: Fraction
) -> None:
    exact = 1 / Fraction(rate.numerator)
    grid = grid_at(rate, 60, (-lead_s, 60 / rate + tail_s), time_base=exact)
    lead = -grid.origin_s * rate
    assert lead.denominator == 1  # the first picture falls on the grid
    assert lead == (lead_s * rate // 1 if lead_s > Fraction(1, 10) else 0)
    after = grid.frames - lead - 60
    assert abs(after - tail_s * rate) <= Fraction(1, 2) if tail_s > Fraction(1, 10) else after == 0


@pytest.mark.parametrize("gap_s", [5, 10, 60])
def test_a_slide_show_shows_every_slide_for_its_time(gap_s: int) -> None:
    times = [n * gap_s * 90_000 for n in range(7)]
    grid = grid_of(packets(times, last_duration=gap_s * 90_000))
    assert 0 < grid.rate <= 1
    assert grid.duration_s == 7 * gap_s


@pytest.mark.parametrize("codec", ["h264", "hevc", "mpeg2video"])
def test_pictures_that_nothing_can_be_decoded_from_are_not_counted(codec: str) -> None:
    # A cut recording: ten pictures before the first keyframe, and then two that are decoded after it but shown before.
    shown = [*range(10), 12, 10, 11, *range(13, 70)]
    index = packets([n * 3000 for n in shown], last_duration=3000, keyframes=[10, 40])
    grid = grid_of(index, codec=codec)
    assert (grid.origin_s, grid.frames, grid.rate) == (Fraction(12, 30), 58, Fraction(30))
    assert first_picture_s(picture(codec=codec), index) == Fraction(12, 30)


def test_codecs_that_decode_from_the_middle_show_every_picture() -> None:
    index = packets([n * 3000 for n in range(60)], last_duration=3000, keyframes=[10])
    assert grid_of(index, codec="mpeg4").frames == 60


def test_pictures_with_the_same_time_are_one() -> None:
    times = [n // 2 * 3000 for n in range(120)]
    grid = grid_of(packets(times, last_duration=3000))
    assert (grid.rate, grid.frames) == (Fraction(30), 60)


rates = st.fractions(min_value=1, max_value=240, max_denominator=1001)


@settings(deadline=None)
@given(rates, st.integers(1, 3000))
@example(Fraction(240 * 1001 - 1, 1001), 2)
@example(Fraction(1), 1)
def test_any_constant_rate_is_kept_to_half_a_frame(rate: Fraction, frames: int) -> None:
    grid = grid_at(rate, frames, time_base=1 / Fraction(rate.numerator))
    assert 0 < grid.rate <= 60
    if frames > 1:
        assert grid.constant
        divided = rate / -(-rate // 60)
        assert grid.rate == divided or grid.rate * -(-rate // 60) in STANDARD_RATES or rate > 60
        assert abs(grid.duration_s - frames / rate) <= 1 / grid.rate
        assert abs(grid.rate - divided) * frames / rate <= Fraction(1, 2) + Fraction(1, 1000)


@settings(deadline=None)
@given(rates)
def test_a_frame_is_a_whole_number_of_ticks(rate: Fraction) -> None:
    grid = Grid(rate=rate, frames=1, origin_s=Fraction(0), constant=True)
    assert Fraction(grid.timescale, grid.ticks_per_frame) == rate
    assert grid.timescale >= 1000
    assert grid.timescale < 2**32  # mdhd has 32 bits


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=60, unique=True), st.integers(1, 10**6))
def test_any_times_at_all_make_a_grid_that_covers_them(times: list[int], last: int) -> None:
    times.sort()
    grid = grid_of(packets(times, last_duration=last))
    assert 0 < grid.rate <= 60
    assert grid.frames >= 1
    assert grid.origin_s == times[0] * TICK
    assert grid.duration_s >= (times[-1] - times[0]) * TICK - 1 / grid.rate


def test_twelve_hours_keep_every_frame() -> None:
    frames = 12 * 3600 * 10
    grid = grid_at(10, frames, time_base=MS)
    assert (grid.rate, grid.frames) == (10, frames)
