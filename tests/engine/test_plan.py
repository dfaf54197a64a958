"""A plan is plain data, the same for the same input, and keeps the promises that everything else stands on."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rushes.engine.plan import Plan, UnreadablePlan, from_json, language_tag, locate, to_json
from rushes.engine.planning import make_plan
from rushes.engine.settings import AAC_FRAME_SAMPLES, Settings, cap_bps
from rushes.engine.source import Source
from tests.engine.sources import aac, film, packets, picture, sound, source, steady

BUILD = "ffmpeg 9.0.2 x264 165"
NO_COPY = Settings(copy=False)


def plan_of(origin: Source, settings: Settings = NO_COPY, build: str = BUILD) -> Plan:
    return make_plan(origin, settings, build)


def keys(plan: Plan) -> dict[str, str]:
    return {rendition.name: rendition.key for rendition in plan.renditions}


sources = st.builds(
    film,
    st.tuples(st.integers(16, 2200), st.integers(16, 2200)),
    rate=st.fractions(min_value=1, max_value=120, max_denominator=1001),
    duration_s=st.fractions(min_value=0, max_value=40, max_denominator=100),
    tracks=st.lists(
        st.builds(
            sound,
            st.just(1),
            rate_hz=st.sampled_from([44_100, 48_000]),
            codec=st.sampled_from(["aac", "opus"]),
            language=st.none() | st.text(max_size=12),
            title=st.none() | st.text(max_size=12),
        ),
        max_size=3,
    ).map(lambda tracks: [replace(track, index=number) for number, track in enumerate(tracks, start=1)]),
    gop=st.integers(1, 300),
    rotation_deg=st.sampled_from([0, 90, 180, 270]),
    sample_aspect_ratio=st.sampled_from([Fraction(1), Fraction(4, 3), Fraction(8, 9)]),
)
choices = st.builds(
    Settings,
    rungs=st.lists(st.integers(8, 1080).map(lambda n: 2 * n), min_size=1, max_size=5).map(tuple),
    quality=st.sampled_from(["economy", "standard", "best"]),
    copy=st.booleans(),
)


@settings(deadline=None, max_examples=80)
@given(sources, choices)
@example(film((1280, 720), rate=30, duration_s=0), Settings())
@example(film((161, 121), rate=Fraction(179, 6)), Settings())
def test_any_source_has_a_plan_that_keeps_every_rule(origin: Source, chosen: Settings) -> None:
    plan = plan_of(origin, chosen)
    video = origin.video
    assert video is not None
    assert plan.grid is not None
    assert plan.duration_s == plan.grid.duration_s
    assert plan.rungs
    assert len({rendition.name for rendition in plan.renditions}) == len(plan.renditions)
    display = video.display_size
    for rung in plan.encoded_rungs:
        assert rung.width % 2 == rung.height % 2 == 0
        assert rung.width <= max(2, display[0])
        assert rung.height <= max(2, display[1])
        assert rung.name == f"{min(rung.width, rung.height)}p"
        assert rung.timeline == plan.encoded_rungs[0].timeline  # boundaries are shared
        assert rung.timeline.duration_s == plan.duration_s
        assert rung.bandwidth_bps > rung.average_bandwidth_bps > 0
    for rendition in plan.renditions:
        timeline = rendition.timeline
        made = [n for chunk in range(timeline.chunk_count) for n in timeline.chunk_segments(chunk)]
        assert made == list(range(timeline.segment_count))  # chunks tile the time line
        assert abs(timeline.duration_s - plan.duration_s) <= Fraction(1, 10)
    assert sum(track.default for track in plan.audio) == (1 if plan.audio else 0)
    for track in plan.audio:
        assert all(bound % AAC_FRAME_SAMPLES == 0 for bound in track.timeline.bounds)
        if track.method == "encode":
            assert plan.duration_s <= track.timeline.duration_s
    if plan.copied_rung is None:
        assert plan.copy_refusal
    else:
        assert plan.copy_refusal is None
        assert chosen.copy


@settings(deadline=None, max_examples=80)
@given(sources, choices)
def test_a_plan_is_the_same_for_the_same_input_and_after_a_round_trip(
    origin: Source, chosen: Settings
) -> None:
    plan = plan_of(origin, chosen)
    text = to_json(plan)
    assert plan_of(origin, chosen) == plan
    assert from_json(text) == plan
    assert to_json(from_json(text)) == text


@settings(deadline=None)
@given(sources, choices)
def test_keys_are_of_hexadecimal_digits_and_tell_renditions_apart(origin: Source, chosen: Settings) -> None:
    plan = plan_of(origin, chosen)
    every = [plan.key, *(rendition.key for rendition in plan.renditions)]
    assert all(key and set(key) <= set("0123456789abcdef") for key in every)
    assert len({rung.key for rung in plan.rungs}) == len(plan.rungs)


def test_a_ladder_of_four_rungs_from_1080p() -> None:
    plan = plan_of(film((1920, 1080), tracks=[sound()]))
    assert [(rung.name, rung.width, rung.height, rung.codec_string) for rung in plan.rungs] == [
        ("1080p", 1920, 1080, "avc1.640028"),
        ("720p", 1280, 720, "avc1.64001f"),
        ("480p", 854, 480, "avc1.64001f"),
        ("360p", 640, 360, "avc1.64001e"),
    ]
    assert [rung.maxrate_bps for rung in plan.rungs] == [
        5_000_000,
        2_800_000,
        1_401_000,
        800_000,
    ]  # 854 is over 16:9
    assert plan.lead_rung == plan.rungs[-1]
    assert [track.name for track in plan.audio] == ["audio-1-und"]


def test_a_copied_source_is_the_top_rung_and_has_no_double() -> None:
    plan = plan_of(film((1280, 720), tracks=[sound()]), Settings())
    assert [(rung.name, rung.method) for rung in plan.rungs] == [
        ("720p", "copy"),
        ("480p", "encode"),
        ("360p", "encode"),
    ]
    assert plan.copied_rung == plan.rungs[0]
    assert plan.audio[0].method == "copy"
    small = plan_of(film((426, 240)), Settings())
    assert [(rung.name, rung.method) for rung in small.rungs] == [("240p", "copy")]
    assert small.lead_rung is None


def test_the_reason_against_a_copy_is_part_of_the_plan() -> None:
    assert plan_of(film(codec="hevc"), Settings()).copy_refusal == "its codec is hevc, not H.264"
    assert plan_of(film(), NO_COPY).copy_refusal == "copying is switched off"


def test_names_are_those_that_the_outside_was_promised() -> None:
    plan = plan_of(film(tracks=[sound(1, language="eng"), sound(2, language="pt-BR")]))
    rung, first, second = plan.rungs[0], *plan.audio
    assert (first.name, second.name) == ("audio-1-eng", "audio-2-pt-br")
    assert rung.init_name == f"720p/{rung.key}/init.mp4"
    assert first.segment_name(3) == f"audio-1-eng/{first.key}/3.m4s"


def test_every_file_of_the_plan_is_found_by_its_name() -> None:
    plan = plan_of(film(tracks=[sound()]))
    for rendition in plan.renditions:
        assert locate(plan, rendition.init_name) == (rendition, None)
        for number in range(rendition.timeline.segment_count):
            assert locate(plan, rendition.segment_name(number)) == (rendition, number)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "720p",
        "720p/video.m3u8",
        "720p/{key}",
        "720p/{key}/",
        "720p/{key}/7.m4s",  # segments are 0 to 6
        "720p/{key}/-1.m4s",
        "720p/{key}/00.m4s",
        "720p/{key}/+1.m4s",
        "720p/{key}/1 .m4s",
        "720p/{key}/\u0661.m4s",  # a digit, but not of ours
        "720p/{key}/1.mp4",
        "720p/{key}/.m4s",
        "720p/{key}/1.m4s/",
        "720p/{key}/99999999999999999999999.m4s",
        "720p/{key}/init.m4s",
        "720p/0123456789abcdef/1.m4s",
        "480p/{key}/1.m4s",
        "x/720p/{key}/1.m4s",
        "720p//{key}/1.m4s",
        "/720p/{key}/1.m4s",
        "720p/../720p/{key}/1.m4s",
    ],
)
def test_a_name_outside_of_the_plan_is_not_found(name: str) -> None:
    plan = plan_of(film())
    assert plan.rungs[0].timeline.segment_count == 7
    with pytest.raises(KeyError):
        locate(plan, name.replace("{key}", plan.rungs[0].key))


@pytest.mark.parametrize(
    ("language", "tag"),
    [
        (None, "und"),
        ("", "und"),
        ("eng", "eng"),
        ("zh-Hans-CN", "zh-hans-cn"),
        ("../../etc", "etc"),
        ("日本", "und"),
        ("-", "und"),
        ("a" * 99, "a" * 16),
    ],
)
def test_a_language_is_safe_in_a_name(language: str | None, tag: str) -> None:
    assert language_tag(language) == tag


@given(st.text())
def test_no_language_leaves_its_folder(language: str) -> None:
    tag = language_tag(language)
    assert tag
    assert len(tag) <= 16
    assert set(tag) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_exactly_one_track_is_the_default() -> None:
    default = frozenset({"default"})
    for marks, chosen in (
        ([default, default], [True, False]),
        ([frozenset(), default], [False, True]),
        ([frozenset(), frozenset()], [True, False]),
    ):
        tracks = [sound(number, dispositions=mark) for number, mark in enumerate(marks, start=1)]
        assert [track.default for track in plan_of(film(tracks=tracks)).audio] == chosen


@pytest.mark.parametrize(
    "other",
    [
        Settings(copy=False, quality="economy"),
        Settings(copy=False, quality="best"),
    ],
)
def test_other_settings_give_other_video_keys_and_keep_the_sound(other: Settings) -> None:
    origin = film(tracks=[sound()])
    before, after = plan_of(origin), plan_of(origin, other)
    assert before.key != after.key
    changed = {name for name, key in keys(before).items() if keys(after)[name] != key}
    assert changed == {rung.name for rung in before.rungs}


def test_another_set_of_rungs_keeps_the_keys_of_those_that_are_scaled_as_before() -> None:
    origin = film(tracks=[sound()])
    before, after = plan_of(origin), plan_of(origin, Settings(copy=False, rungs=(1080, 720, 360)))
    assert before.key != after.key
    kept = {name for name, key in keys(after).items() if keys(before)[name] == key}
    assert set(keys(after)) - kept == {"360p"}, "it came from 480p, and has other bytes now"


def test_another_bitrate_of_sound_changes_only_the_sound() -> None:
    origin = film(tracks=[sound()])
    before, after = plan_of(origin), plan_of(origin, Settings(copy=False, audio_bitrate_bps=96_000))
    assert {name for name, key in keys(before).items() if keys(after)[name] != key} == {"audio-1-und"}


def test_another_build_or_another_source_changes_every_key() -> None:
    origin = film(tracks=[sound()])
    before = plan_of(origin)
    for after in (plan_of(origin, build="ffmpeg 9.0.3"), plan_of(replace(origin, key="fedcba9876543210"))):
        assert before.key != after.key
        assert all(keys(after)[name] != key for name, key in keys(before).items())


def test_titles_and_languages_do_not_change_a_key() -> None:
    before = plan_of(film(tracks=[sound(language="eng", title="Main")]))
    after = plan_of(film(tracks=[sound(language="fra", title="Autre")]))
    assert before.audio[0].key == after.audio[0].key
    assert before.key != after.key


def test_where_the_time_line_begins_is_part_of_every_key() -> None:
    at_0 = source((picture(), steady(30, 300)))
    at_1 = source((picture(), steady(30, 300, start_s=1)))
    assert not set(keys(plan_of(at_0)).values()) & set(keys(plan_of(at_1)).values())


def test_sound_alone_is_planned_from_its_own_beginning() -> None:
    plan = plan_of(source(None, (sound(0), aac(30, index=0, first_pts=48_000))))
    assert (plan.grid, plan.rungs, plan.copy_refusal) == (None, (), None)
    assert plan.origin_s == 1
    assert 29 <= plan.duration_s < 30
    assert plan.audio[0].timeline.segment_count == 10


def test_a_file_with_neither_picture_nor_sound_is_refused() -> None:
    with pytest.raises(ValueError, match="neither video nor audio"):
        plan_of(source())


def test_what_the_source_is_warned_of_the_plan_is_warned_of() -> None:
    plan = plan_of(replace(film(), warnings=("The file is cut off.",)))
    assert plan.warnings == ("The file is cut off.",)


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_films_have_one_segment(frames: int) -> None:
    plan = plan_of(source((picture(), steady(30, frames)), (sound(), aac(Fraction(frames, 30)))))
    assert {rendition.timeline.segment_count for rendition in plan.renditions} == {1}


def test_twelve_hours_are_planned() -> None:
    plan = plan_of(film(rate=1, duration_s=12 * 3600, tracks=[sound()]))
    assert plan.duration_s == 12 * 3600
    assert all(rendition.timeline.segment_count > 10_000 for rendition in plan.renditions)
    assert from_json(to_json(plan)) == plan


def test_picture_and_sound_of_a_segment_begin_within_half_an_aac_frame() -> None:
    plan = plan_of(film(rate=Fraction(30000, 1001), duration_s=120, tracks=[sound(), sound(2, codec="opus")]))
    video = plan.rungs[0].timeline
    for track in plan.audio:
        half_s = Fraction(AAC_FRAME_SAMPLES, 2 * track.sample_rate_hz)
        for segment in range(video.segment_count):
            assert abs(video.start_s(segment) - track.timeline.start_s(segment)) <= half_s


def test_a_copied_track_that_ends_a_little_early_is_cut_short() -> None:
    origin = source((picture(), steady(30, 300)), (sound(), aac(Fraction(995, 100))))
    (track,) = plan_of(origin, Settings()).audio
    assert track.method == "copy"
    assert Fraction(995, 100) <= track.timeline.duration_s < 10
    bounds = track.timeline.bounds
    assert all(end > start for start, end in pairwise(bounds))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b"\xff",
        b'{"version": 1}',
        to_json(plan_of(film())).replace(b"30/1", b"1/0"),
    ],
)
def test_what_is_no_plan_is_called_so(text: bytes) -> None:
    with pytest.raises(UnreadablePlan, match="cannot be read"):
        from_json(text)


def test_a_plan_of_another_version_is_refused_by_its_number() -> None:
    told: dict[str, Any] = msgspec.json.decode(to_json(plan_of(film())))
    with pytest.raises(UnreadablePlan, match="version 99"):
        from_json(msgspec.json.encode(told | {"version": 99}))


@pytest.mark.parametrize("rungs", [(), (0,), (361,), (4322,), (-2,)])
def test_rungs_that_cannot_be_are_refused(rungs: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"rung"):
        Settings(rungs=rungs)


def test_rungs_are_sorted_and_each_is_there_once() -> None:
    assert Settings(rungs=(360, 720, 360)).rungs == (720, 360)


def test_caps_are_those_of_the_table_and_grow_with_pixels_rate_and_quality() -> None:
    assert cap_bps(1920, 1080, Fraction(30)) == 5_000_000
    assert cap_bps(1080, 1920, Fraction(24)) == 5_000_000
    assert cap_bps(640, 360, Fraction(30), "economy") == 560_000
    assert cap_bps(1280, 720, Fraction(60)) == round(2_800_000 * 2**0.5 / 1000) * 1000
    assert cap_bps(640, 360, Fraction(30)) < cap_bps(768, 432, Fraction(30)) < cap_bps(854, 480, Fraction(30))
    assert cap_bps(2, 2, Fraction(1)) == 160_000
    assert cap_bps(16_000, 9_000, Fraction(30)) == 48_000_000


def test_a_variable_rate_is_planned_on_a_constant_grid() -> None:
    times = [n * 3000 for n in range(600) if n % 50 < 40]
    plan = plan_of(source((picture(codec="vp9"), packets(times, last_duration=3000))))
    assert plan.grid is not None
    assert plan.grid.rate == 30
    assert plan.rungs[0].timeline.duration_s == plan.grid.duration_s
