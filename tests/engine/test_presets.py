"""What settings change in rungs: read strictly, and each rung gets what is said of it."""

from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.engine.planning import make_plan
from rushes.engine.presets import RungChange, change_of, parse_changes
from rushes.engine.settings import Settings, cap_bps
from rushes.engine.verify import verify_rendition
from tests.engine.finished import finish
from tests.engine.sources import film


def test_each_field_of_each_rung_is_read() -> None:
    assert parse_changes(
        "1080p crf=22 preset=slow bitrate=6M; 720p-hevc bitrate=1.5M ;*-av1 preset=8 crf=40;"
    ) == {
        "1080p": RungChange(crf=22, preset="slow", bitrate_bps=6_000_000),
        "720p-hevc": RungChange(bitrate_bps=1_500_000),
        "*-av1": RungChange(crf=40, preset="8"),
    }


def test_what_is_said_of_one_rung_goes_before_what_is_said_of_all() -> None:
    changes = parse_changes("* preset=faster crf=24; 720p crf=22; *-hevc crf=30")
    assert change_of(changes, "720p") == RungChange(crf=22, preset="faster")
    assert change_of(changes, "360p") == RungChange(crf=24, preset="faster")
    assert change_of(changes, "360p-hevc") == RungChange(crf=30)  # codecs have scales of their own
    assert change_of(changes, "360p-av1") == RungChange()


@given(st.text("7208pcrf=-*;hevcav1 preset.kM", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert all(isinstance(change, RungChange) for change in parse_changes(text).values())


def test_a_plan_has_what_was_said_and_promises_it() -> None:
    source = film((1920, 1080), rate=30)
    plain = make_plan(source, Settings(copy=False), "b")
    changed = make_plan(
        source, Settings(copy=False, changes=parse_changes("720p bitrate=2500k crf=21 preset=slow")), "b"
    )
    rung = changed.rendition("720p")
    assert rung == changed.rungs[1]
    assert (changed.rungs[1].crf, changed.rungs[1].preset) == (21, "slow")
    assert changed.rungs[1].maxrate_bps == rung.average_bandwidth_bps == 2_500_000
    for before, after in zip(plain.rungs, changed.rungs, strict=True):
        assert (before.key == after.key) == (after.name != "720p")  # the others are not made again


def test_a_quality_changes_crf_preset_and_cap() -> None:
    source = film((1280, 720), rate=30)
    plans = {
        quality: make_plan(source, Settings(copy=False, quality=quality), "b").rungs[0]
        for quality in ("economy", "standard", "best")
    }
    caps = [plans[quality].maxrate_bps or 0 for quality in ("economy", "standard", "best")]
    assert caps == sorted(caps)
    assert caps[1] == cap_bps(1280, 720, Fraction(30))
    crfs = [plans[quality].crf or 0 for quality in ("economy", "standard", "best")]
    assert crfs == sorted(crfs, reverse=True)


@pytest.mark.parametrize("preset", ["ultrafast", "slower"])
def test_every_preset_keeps_the_codec_that_is_promised(
    clip: Callable[..., Path], tmp_path: Path, preset: str
) -> None:
    # finish() itself holds every segment against the plan; the codec is that of the init segment.
    changes = parse_changes(f"* preset={preset}")
    done = finish(clip(duration_s=1), tmp_path, Settings(rungs=(144,), copy=False, changes=changes))
    for rendition in done.plan.renditions:
        verify_rendition(done.plan, rendition, done.store)
