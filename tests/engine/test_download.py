"""The download has the size, the profile and the sound that every player takes, remuxed where finished ones fit."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from rushes.engine.download import download_of, download_size
from rushes.engine.plan import Plan
from rushes.engine.planning import make_plan
from rushes.engine.settings import Settings
from tests.engine.sources import film, sound


def plan_of(size: tuple[int, int], rungs: Sequence[int] = (1080, 720, 480, 360), **fields: Any) -> Plan:
    return make_plan(
        film(size, tracks=[sound(1)], **fields), Settings(rungs=tuple(rungs), copy=False), "build"
    )


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        *(((2560, 1440), (2400, 1350)), ((3840, 2160), (2400, 1350)), ((4096, 2160), (2400, 1266))),
        *(((1440, 2560), (1350, 2400)), ((1920, 1080), (1920, 1080)), ((161, 121), (160, 120))),
        *(((2400, 1350), (2400, 1350)), ((2402, 100), (2400, 100)), ((320, 180), (320, 180))),
        *(((8192, 16), (2400, 4)), ((1079, 1919), (1078, 1918))),
    ],
)
def test_the_size_is_the_source_s_or_2400_pixels_long(
    source: tuple[int, int], wanted: tuple[int, int]
) -> None:
    assert download_size(source) == wanted
    assert all(side % 2 == 0 for side in wanted)


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (854, 480), (161, 121), (720, 1280), (640, 360)])
def test_a_finished_rung_of_that_size_is_taken(size: tuple[int, int]) -> None:
    plan = plan_of(size)
    download = download_of(plan)
    assert download.rung is plan.rungs[0]
    assert download.track is plan.audio[0]
    assert download.own == ()


@pytest.mark.parametrize(
    ("size", "rungs"), [((2560, 1440), (1080, 720)), ((3840, 2160), (2160, 720)), ((1920, 1080), (480,))]
)
def test_where_no_rung_has_that_size_it_is_encoded_alone(
    size: tuple[int, int], rungs: tuple[int, ...]
) -> None:
    plan = plan_of(size, rungs)
    download = download_of(plan)
    (rung,) = download.own
    assert rung is download.rung
    assert (rung.width, rung.height) == download_size(size)  # type: ignore[union-attr]
    assert rung.codec_string.startswith("avc1.64")
    assert (rung.crf, rung.preset) == (23, "medium")  # type: ignore[union-attr]
    assert rung.timeline == plan.rungs[0].timeline  # the plan's entries are for these chunks
    assert rung.name not in {each.name for each in plan.renditions}
    assert download == download_of(plan)


@pytest.mark.parametrize(
    ("codec", "fits"),
    [
        *(("avc1.640028", True), ("avc1.4D401F", True), ("avc1.42E01E", False)),
        *(("avc1.6E0028", False), ("hvc1.1.6.L93", False)),
    ],
)
def test_a_copied_rung_counts_only_with_a_profile_that_plays_everywhere(codec: str, fits: bool) -> None:
    plan = plan_of((1280, 720))
    copied = replace(plan.rungs[0], method="copy", codec_string=codec)
    download = download_of(replace(plan, rungs=(copied,)))
    assert (download.rung == copied) is fits
    if not fits:
        assert download.own
        assert download.own[0].timeline == plan.rungs[0].timeline


@pytest.mark.parametrize(("bitrate_bps", "fits"), [(64_000, True), (135_000, True), (256_000, False)])
def test_copied_sound_counts_where_it_is_not_more_than_was_asked_for(bitrate_bps: int, fits: bool) -> None:
    plan = plan_of((1280, 720))
    copied = replace(plan.audio[0], method="copy", bitrate_bps=bitrate_bps, sample_rate_hz=44_100)
    download = download_of(replace(plan, audio=(copied,)))
    assert (download.track == copied) is fits
    if not fits:
        (track,) = download.own
        assert (track.bitrate_bps, track.sample_rate_hz) == (128_000, 48_000)  # type: ignore[union-attr]
        assert abs(track.timeline.duration_s - plan.duration_s) < Fraction(1, 20)


def test_of_several_tracks_the_default_one_in_stereo_is_taken() -> None:
    plan = plan_of((1280, 720))
    surround = replace(plan.audio[0], name="audio-2-und", channels=6, default=True)
    stereo = replace(plan.audio[0], default=False)
    assert download_of(replace(plan, audio=(surround, stereo))).track == stereo
    assert download_of(replace(plan, audio=())).track is None


def test_sound_alone_is_remuxed_as_it_is() -> None:
    plan = plan_of((1280, 720))
    alone = replace(plan, rungs=(), grid=None, display_size=None)
    download = download_of(alone)
    assert (download.rung, download.track, download.own) == (None, plan.audio[0], ())
