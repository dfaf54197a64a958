"""Playlists are whole from the beginning, say what is true, and no title can break them."""

import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rushes.engine import hls
from rushes.engine.grid import Grid
from rushes.engine.hls import Measured
from rushes.engine.plan import Plan, Rung
from rushes.engine.planning import make_plan
from rushes.engine.settings import CHUNK_SEGMENTS, OPENING_SEGMENT_S, SEGMENT_S, Settings
from rushes.engine.timeline import Timeline, video_timeline
from tests.engine.sources import aac, film, sound, source

NO_COPY = Settings(copy=False)
ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\r\n]+)(,|$)')


def plan_of(*, tracks: int = 1, settings: Settings = NO_COPY, **fields: object) -> Plan:
    return make_plan(film(tracks=[sound(n + 1) for n in range(tracks)], **fields), settings, "build")  # type: ignore[arg-type]


def titled(*titles: str | None, language: str | None = None) -> Plan:
    tracks = [sound(n + 1, title=title, language=language) for n, title in enumerate(titles)]
    return make_plan(film(tracks=tracks), NO_COPY, "build")


def every_rung(plan: Plan) -> list[str]:
    return [rung.name for rung in plan.rungs]


def attributes(line: str) -> dict[str, str]:
    """An attribute list by RFC 8216's grammar (4.2); whatever that does not allow fails."""
    text, found = line.split(":", 1)[1], {}
    while text:
        match = ATTRIBUTE.match(text)
        assert match is not None, text
        assert match[1] not in found
        found[match[1]] = match[2]
        text = text[match.end() :]
    return found


def variants(playlist: str) -> list[tuple[dict[str, str], str]]:
    lines = playlist.splitlines()
    return [(attributes(line), uri) for line, uri in pairwise(lines) if line.startswith("#EXT-X-STREAM-INF:")]


def members(playlist: str) -> list[dict[str, str]]:
    return [attributes(line) for line in playlist.splitlines() if line.startswith("#EXT-X-MEDIA:")]


def seconds(playlist: str) -> list[Fraction]:
    return [Fraction(text) for text in re.findall(r"#EXTINF:([0-9.]+),", playlist)]


def rung_of(*bounds: int, timescale: int = 1000) -> Rung:
    """A rung with these segment bounds; one chunk makes them all."""
    timeline = Timeline(timescale=timescale, bounds=bounds, chunks=(0, len(bounds) - 1))
    return replace(plan_of().rungs[0], timeline=timeline)


def test_a_media_playlist_is_a_whole_vod_with_relative_names() -> None:
    rung = plan_of(duration_s=10).rungs[0]
    lines = hls.media_playlist(rung).splitlines()
    assert lines[:7] == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-TARGETDURATION:2",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        f'#EXT-X-MAP:URI="{rung.key}/init.mp4"',
    ]
    assert lines[7:9] == ["#EXTINF:2.000000,", f"{rung.key}/0.m4s"]
    assert lines[-1] == "#EXT-X-ENDLIST"
    uris = [line for line in lines if not line.startswith("#")]
    assert uris == [f"{rung.key}/{n}.m4s" for n in range(rung.timeline.segment_count)]


@pytest.mark.parametrize(
    "rate", [Fraction(30000, 1001), Fraction(179, 6), Fraction(24000, 1001), Fraction(60)]
)
def test_durations_do_not_drift_in_twelve_hours(rate: Fraction) -> None:
    grid = Grid(rate=rate, frames=round(12 * 3600 * rate), origin_s=Fraction(0), constant=True)
    timeline = video_timeline(
        grid.frames,
        grid.ticks_per_frame,
        grid.timescale,
        rate,
        segment_s=SEGMENT_S,
        opening_s=OPENING_SEGMENT_S,
        chunk_segments=CHUNK_SEGMENTS,
    )
    rung = replace(plan_of().rungs[0], timeline=timeline)
    total = Fraction(0)
    for number, duration in enumerate(seconds(hls.media_playlist(rung)), start=1):
        total += duration
        assert abs(total - rung.timeline.start_s(number)) <= Fraction(1, 1_000_000)


@given(
    st.lists(st.integers(1, 20_000), min_size=1, max_size=30), st.sampled_from([1000, 15_360, 30_000, 90_000])
)
@settings(deadline=None)
def test_no_segment_is_longer_than_the_target_when_rounded(durations: list[int], timescale: int) -> None:
    bounds = [0]
    for duration in durations:
        bounds.append(bounds[-1] + duration)
    playlist = hls.media_playlist(rung_of(*bounds, timescale=timescale))
    target = int(re.search(r"TARGETDURATION:(\d+)", playlist)[1])  # type: ignore[index]
    assert target >= 1
    assert all(int(duration + Fraction(1, 2)) <= target for duration in seconds(playlist))


def test_a_variant_says_all_that_a_player_wants_to_know() -> None:
    plan = plan_of(rate=Fraction(30000, 1001))
    (variant,) = [v for v, uri in variants(hls.multivariant(plan, ["720p"])) if uri == "720p/video.m3u8"]
    rung, track = plan.rungs[0], plan.audio[0]
    assert variant == {
        "BANDWIDTH": str(rung.bandwidth_bps + track.bandwidth_bps),
        "AVERAGE-BANDWIDTH": str(rung.average_bandwidth_bps + track.average_bandwidth_bps),
        "CODECS": '"avc1.64001f,mp4a.40.2"',
        "RESOLUTION": "1280x720",
        "FRAME-RATE": "29.970",
        "VIDEO-RANGE": "SDR",
        "AUDIO": '"audio"',
        "CLOSED-CAPTIONS": "NONE",
    }


def test_a_video_without_sound_has_no_audio_group() -> None:
    playlist = hls.multivariant(plan_of(tracks=0), ["720p"])
    ((variant, _),) = variants(playlist)
    assert "AUDIO" not in variant
    assert variant["CODECS"] == '"avc1.64001f"'
    assert not members(playlist)


def test_only_the_named_rungs_are_listed() -> None:
    playlist = hls.multivariant(plan_of(), {"720p", "360p"})
    assert {uri for _, uri in variants(playlist)} == {"720p/video.m3u8", "360p/video.m3u8"}


def test_a_rung_that_is_not_planned_cannot_be_listed() -> None:
    with pytest.raises(KeyError, match="2160p"):
        hls.multivariant(plan_of(), ["720p", "2160p"])
    with pytest.raises(KeyError, match="2160p"):
        hls.rung_playlist(plan_of(), "2160p")


def test_a_playlist_without_any_rung_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one rung"):
        hls.multivariant(plan_of(), [])


def test_bandwidth_counts_the_loudest_track() -> None:
    plan = plan_of(tracks=2)
    measured = {
        "720p": Measured(peak_bps=1_000_000, average_bps=500_000),
        plan.audio[0].name: Measured(peak_bps=90_000, average_bps=80_000),
        plan.audio[1].name: Measured(peak_bps=200_000, average_bps=70_000),
    }
    ((variant, _),) = variants(hls.multivariant(plan, ["720p"], measured))
    assert (variant["BANDWIDTH"], variant["AVERAGE-BANDWIDTH"]) == ("1200000", "580000")


def test_while_encoding_players_start_with_the_lead_rung() -> None:
    plan = plan_of()
    assert plan.lead_rung is not None
    assert variants(hls.multivariant(plan, every_rung(plan)))[0][1] == "360p/video.m3u8"


def test_players_start_with_a_copied_rung_that_an_ordinary_line_carries() -> None:
    plan = plan_of(settings=Settings())
    assert plan.copied_rung is not None
    assert plan.copied_rung.bandwidth_bps < hls.START_BPS
    assert variants(hls.multivariant(plan, every_rung(plan)))[0][1] == "720p/video.m3u8"


def test_players_do_not_start_with_a_copied_rung_that_is_heavy() -> None:
    plan = plan_of(settings=Settings())
    heavy = tuple(
        replace(rung, bandwidth_bps=9_000_000) if rung.method == "copy" else rung for rung in plan.rungs
    )
    plan = replace(plan, rungs=heavy)
    assert variants(hls.multivariant(plan, every_rung(plan)))[0][1] == "360p/video.m3u8"


def test_a_finished_folder_starts_with_the_best_that_an_ordinary_line_carries() -> None:
    plan = plan_of(size=(1920, 1080))
    rates = {"1080p": 5_000_000, "720p": 3_000_000, "480p": 1_500_000, "360p": 800_000}
    measured = {name: Measured(peak_bps=bps, average_bps=bps // 2) for name, bps in rates.items()}
    listed = [uri for _, uri in variants(hls.multivariant(plan, rates, measured))]
    assert listed == ["720p/video.m3u8", "1080p/video.m3u8", "480p/video.m3u8", "360p/video.m3u8"]


def test_a_rung_by_itself_plays_with_sound() -> None:
    playlist = hls.rung_playlist(plan_of(), "480p")
    assert [uri for _, uri in variants(playlist)] == ["video.m3u8"]
    assert [member["URI"] for member in members(playlist)] == ['"../audio-1-und/audio.m3u8"']


def test_sound_alone_is_its_own_variant() -> None:
    plan = make_plan(source(None, (sound(0), aac(9, index=0))), NO_COPY, "build")
    playlist = hls.multivariant(plan, [])
    ((variant, uri),) = variants(playlist)
    assert uri == "audio-1-und/audio.m3u8"
    assert variant["CODECS"] == '"mp4a.40.2"'
    assert "RESOLUTION" not in variant
    assert not members(playlist)


def test_several_tracks_of_sound_alone_can_be_chosen_from() -> None:
    tracks = [(sound(n, language=tongue), aac(9, index=n)) for n, tongue in enumerate(["en", "fr"])]
    playlist = hls.multivariant(make_plan(source(None, *tracks), NO_COPY, "build"), [])
    assert [uri for _, uri in variants(playlist)] == ["audio-1-en/audio.m3u8"]
    assert [member["LANGUAGE"] for member in members(playlist)] == ['"en"', '"fr"']


def test_a_member_has_a_language_only_where_it_is_known() -> None:
    assert "LANGUAGE" not in members(hls.multivariant(titled("Main"), ["720p"]))[0]
    (member,) = members(hls.multivariant(titled(None, language="eng"), ["720p"]))
    assert (member["LANGUAGE"], member["NAME"]) == ('"en"', '"English"')


def test_players_choose_by_themselves_among_one_track_a_language() -> None:
    tracks = [sound(n + 1, language=tongue) for n, tongue in enumerate(["en", "en", "fr", None])]
    playlist = hls.multivariant(make_plan(film(tracks=tracks), NO_COPY, "build"), ["720p"])
    assert [member["AUTOSELECT"] for member in members(playlist)] == ["YES", "NO", "YES", "NO"]
    assert [member["DEFAULT"] for member in members(playlist)] == ["YES", "NO", "NO", "NO"]
    assert [member["NAME"] for member in members(playlist)] == [
        '"English"',
        '"English (2)"',
        '"Français"',
        '"Audio 4"',
    ]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.none() | st.text(max_size=40), min_size=1, max_size=4))
@example(['He said "no",URI="elsewhere.m3u8"'])
@example(["two\nlines", "two lines", "two\r\nlines"])
@example(["\x85\u2028\x00", " ", '"'])
def test_no_title_breaks_a_playlist(titles: list[str | None]) -> None:
    playlist = hls.multivariant(titled(*titles), ["720p"])
    found = members(playlist)
    assert len({member["NAME"] for member in found}) == len(titles)
    assert all(len(member["NAME"]) > 2 for member in found)
    assert [member["DEFAULT"] for member in found].count("YES") == 1
    assert len(variants(playlist)) == 1
    # Neither by Python's lines, which are more kinds than RFC 8216's, nor by its own.
    assert len(playlist.splitlines()) == playlist.count("\n") == 3 + len(titles) + 2


def test_the_peak_is_that_of_stretches_around_the_target_duration() -> None:
    # Target 4: a stretch lasts 2 to 6 s. The 1 s segment of 100 kB alone is too short to count.
    rung = rung_of(0, 4000, 5000, 9000)
    measured = hls.measure(rung, [100_000, 100_000, 150_000])
    assert measured.peak_bps == 250_000 * 8 // 5
    assert measured.average_bps == -(-350_000 * 8 // 9)


def test_a_single_short_segment_has_its_own_rate() -> None:
    assert hls.measure(rung_of(0, 40), [1000]) == Measured(peak_bps=200_000, average_bps=200_000)


def test_measuring_needs_a_size_for_each_segment() -> None:
    with pytest.raises(ValueError, match="2 sizes for 3 segments"):
        hls.measure(rung_of(0, 4000, 8000, 9000), [1, 2])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 8000), st.integers(0, 10**7)), min_size=1, max_size=20))
def test_the_peak_is_never_under_the_average(segments: list[tuple[int, int]]) -> None:
    bounds = [0]
    for duration, _ in segments:
        bounds.append(bounds[-1] + duration)
    measured = hls.measure(rung_of(*bounds), [size for _, size in segments])
    assert 0 <= measured.average_bps <= measured.peak_bps


@settings(deadline=None)
@given(
    st.lists(
        # Half seconds, so that stretches of exactly 0.5 and 1.5 target durations are among them.
        st.tuples(st.integers(1, 8000) | st.integers(1, 16).map(lambda n: 500 * n), st.integers(0, 10**7)),
        min_size=1,
        max_size=14,
    )
)
@example([(4000, 1), (4000, 1), (2000, 9), (4000, 1)])
@example([(4000, 0), (1000, 900), (4000, 0), (1000, 900), (4000, 0)])  # only 6 s hold both
def test_the_peak_is_what_trying_every_stretch_finds(segments: list[tuple[int, int]]) -> None:
    bounds = [sum(duration for duration, _ in segments[:n]) for n in range(len(segments) + 1)]
    rung = rung_of(*bounds)
    target_s = hls.target_duration_s(rung.timeline)
    stretches = [segments[a:b] for a in range(len(segments)) for b in range(a + 1, len(segments) + 1)]
    found = [
        Fraction(8 * 1000 * sum(size for _, size in stretch), sum(duration for duration, _ in stretch))
        for stretch in stretches
        if target_s * 500 <= sum(duration for duration, _ in stretch) <= target_s * 1500
    ]
    average = Fraction(8 * 1000 * sum(size for _, size in segments), bounds[-1])
    measured = hls.measure(rung, [size for _, size in segments])
    assert measured == Measured(peak_bps=ceil(max([average, *found])), average_bps=ceil(average))
