"""What ffmpeg said while it decoded a chunk decides whether the chunk may be published, and when it is tried again."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rushes.engine.decoding import DecodeLog, same_damage

DAMAGE = "[h264 @ 0x55d0c0ffee00] [error] error while decoding MB 4 7, bytestream -5"


def printed(time_s: float) -> str:
    return f"[Eval @ 0x7ffd1234] [warning] {time_s:.6f}"


def log_of(*entries: float | str) -> DecodeLog:
    """Numbers are printed times; strings are lines of stderr."""
    log = DecodeLog()
    for entry in entries:
        log.add(entry if isinstance(entry, str) else printed(entry))
    return log


@pytest.mark.parametrize(
    ("first_s", "chunk_s", "in_time"),
    [
        (0, "0", True),
        (7.5, "8", True),
        (8, "8", True),
        (8.0009, "8", True),  # a millisecond container rounds
        (8.0011, "8", False),  # what is shown until then would be padding (P2)
        (8.033333, "8", False),
        (-0.021333, "0", True),
        (-1, "-1", True),
        (1.466667, "22/15", True),  # six decimals are not exact
    ],
)
def test_a_chunk_has_to_begin_by_its_first_frame(first_s: float, chunk_s: str, in_time: bool) -> None:
    log = log_of(first_s)
    assert log.began_by(Fraction(chunk_s)) is in_time
    assert log.clean(Fraction(chunk_s)) is in_time


def test_only_the_first_time_tells_where_decoding_began() -> None:
    assert not log_of(9, 7, 8).began_by(Fraction(8))


def test_a_run_that_decoded_nothing_is_neither_begun_nor_clean() -> None:
    assert not log_of().began_by(Fraction(10**6))
    assert not log_of().clean(Fraction(10**6))


@pytest.mark.parametrize("level", ["error", "fatal", "panic"])
def test_an_error_ends_what_may_be_published(level: str) -> None:
    log = log_of(0)
    assert log.clean(Fraction(0))
    log.add(f"[h264 @ 0x55d0c0ffee00] [{level}] no frame!")
    assert log.began_by(Fraction(0))
    assert not log.clean(Fraction(0))


@pytest.mark.parametrize(
    "line",
    [
        "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x55d0] [warning] stream 0, timescale not set",
        "[libx264 @ 0x55d0] [info] profile High, level 3.1",
        "  a continuation that speaks of an [error] itself",
        "[Eval @ 0x7ffd1234] [warning] nan",
        "[Eval @ 0x7ffd1234] [warning] 12",  # print() writes six decimals
        "[Eval @ 0x7ffd1234] [warning] 12.5 and more",
        "",
    ],
)
def test_other_lines_are_neither_times_nor_errors(line: str) -> None:
    log = log_of(line)
    assert log.error_lines == ()
    assert not log.began_by(Fraction(100))


def test_errors_are_told_without_addresses_which_differ_in_each_run() -> None:
    one, other = log_of(0, DAMAGE), log_of(0, DAMAGE.replace("0x55d0c0ffee00", "0x7f0012345678"))
    assert (
        one.error_lines == other.error_lines == ("[h264] [error] error while decoding MB 4 7, bytestream -5",)
    )


def test_a_flood_of_errors_is_cut_off_and_still_counts_as_damage() -> None:
    log = log_of(0, *([DAMAGE] * 5000))
    assert len(log.error_lines) == 1000
    assert not log.clean(Fraction(0))


def test_two_keyframes_after_the_last_error_heal() -> None:
    entering = (4, DAMAGE, DAMAGE)  # the pictures of an open group before the keyframe that was seeked to
    assert not log_of(*entering).healed_before(Fraction(8))
    assert not log_of(*entering, 6).healed_before(Fraction(8))
    assert log_of(*entering, 6, 8).healed_before(Fraction(8))
    assert not log_of(*entering, 6, 8.5).healed_before(Fraction(8))


def test_only_keyframes_after_the_last_error_heal() -> None:
    assert not log_of(1, DAMAGE, 2, 3, DAMAGE, 4).healed_before(Fraction(8))
    assert log_of(1, DAMAGE, 2, 3, DAMAGE, 4, 5).healed_before(Fraction(8))


def test_without_an_error_there_is_nothing_to_heal() -> None:
    assert log_of().healed_before(Fraction(0))
    assert log_of(5).healed_before(Fraction(0))


def test_errors_before_a_chunk_are_not_its_own() -> None:
    log = log_of(4, "[h264 @ 0x1] [error] early", 6, 8, 10, "[h264 @ 0x1] [error] late")
    assert log.errors_from(Fraction(8)) == ("[h264] [error] late",)
    assert log.errors_from(Fraction(3)) == log.error_lines


def test_an_error_right_after_the_last_keyframe_before_a_chunk_may_be_its_own() -> None:
    assert log_of(4, 6, DAMAGE, 10).errors_from(Fraction(8)) != ()
    assert log_of(4, DAMAGE, 6, 10).errors_from(Fraction(8)) == ()


def test_damage_is_the_source_s_own_when_two_entries_complain_alike() -> None:
    chunk_s = Fraction(8)
    near = log_of(6, "[h264 @ 0x1] [error] of the seek", 7, 8, 9, DAMAGE)
    far = log_of(0, 2, 4, 6, 7, 8, 9, DAMAGE.replace("0x55d0c0ffee00", "0x2"))
    assert same_damage(near, far, chunk_s)
    assert not same_damage(near, log_of(0, 2, 4, 6, 7, 8, 9), chunk_s)
    assert not same_damage(near, log_of(0, 8, 9, "[h264 @ 0x1] [error] another"), chunk_s)


def test_silence_after_complaints_at_the_entry_proves_nothing() -> None:
    # A decoder that was entered wrongly may show garbage without another word (P1).
    assert not same_damage(log_of(6, DAMAGE, 8), log_of(0, DAMAGE, 8), Fraction(8))


def test_in_a_flood_the_last_error_counts_though_it_is_not_kept() -> None:
    log = log_of(1, *[DAMAGE] * 5000, 2, 3, DAMAGE)
    assert not log.healed_before(Fraction(8))


#: What a run may say, in order: keyframes go up, errors come anywhere.
runs = st.lists(st.sampled_from(["key", "error"]), max_size=40)


@settings(deadline=None, max_examples=100)
@given(runs, st.integers(0, 40))
def test_what_healed_stays_healed_later_on_and_errors_only_become_fewer(run: list[str], at: int) -> None:
    log = log_of(*(DAMAGE if what == "error" else float(number) for number, what in enumerate(run)))
    now, later = Fraction(at), Fraction(at + 1)
    assert len(log.errors_from(later)) <= len(log.errors_from(now)) <= len(log.error_lines)
    if log.healed_before(now):
        assert log.healed_before(later)
        assert not log.errors_from(now)
    if log.clean(now):
        assert log.healed_before(now)
    assert same_damage(log, log, now) == bool(log.errors_from(now))
