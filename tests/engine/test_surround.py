"""Surround beside stereo: every player starts in stereo, and those that can, choose surround."""

from fractions import Fraction

from rushes.engine import dash, hls
from rushes.engine.plan import Plan, from_json, to_json
from rushes.engine.planning import make_plan
from rushes.engine.settings import Settings
from tests.engine.sources import film, sound
from tests.engine.test_hls import members, variants


def plan_of(*channels: int) -> Plan:
    languages = ("eng", "deu", "fra")
    tracks = [sound(n + 1, channels=c, language=languages[n]) for n, c in enumerate(channels)]
    return make_plan(film(tracks=tracks), Settings(rungs=(720, 360), copy=False), "build")


def test_a_stream_in_surround_gives_two_tracks() -> None:
    plan = plan_of(6, 2)
    assert [(track.name, track.channels, track.default) for track in plan.audio] == [
        ("audio-1-eng", 2, True),
        ("audio-2-deu", 2, False),
        ("audio-1-eng-51", 6, False),
    ]
    assert len({track.key for track in plan.audio}) == 3
    assert from_json(to_json(plan)) == plan


def test_the_master_has_a_group_of_each_with_the_same_members() -> None:
    plan = plan_of(6, 2)
    master = hls.multivariant(plan, ["720p", "360p"])
    groups: dict[str, list[dict[str, str]]] = {}
    for member in members(master):
        groups.setdefault(member["GROUP-ID"], []).append(member)
    assert set(groups) == {'"audio"', '"surround"'}
    for one, other in zip(*groups.values(), strict=True):
        changing = {"GROUP-ID", "URI", "CHANNELS"}
        assert {k: v for k, v in one.items() if k not in changing} == {
            k: v for k, v in other.items() if k not in changing
        }
    assert [member["CHANNELS"] for member in groups['"surround"']] == ['"6"', '"2"']
    assert [(told["AUDIO"], uri) for told, uri in variants(master)] == [
        ('"audio"', "360p/video.m3u8"),
        ('"audio"', "720p/video.m3u8"),
        ('"surround"', "360p/video.m3u8"),
        ('"surround"', "720p/video.m3u8"),
    ]
    stereo, surround = (int(told["BANDWIDTH"]) for told, uri in variants(master) if uri.startswith("720p"))
    assert surround > stereo


def test_a_page_offers_both_in_one_group_and_each_rung_once() -> None:
    plan = plan_of(6)
    page = hls.multivariant(plan, ["720p", "360p"], together=True)
    assert [(m["NAME"], m["DEFAULT"], m["CHANNELS"]) for m in members(page)] == [
        ('"English"', "YES", '"2"'),
        ('"English (5.1)"', "NO", '"6"'),
    ]
    assert len(variants(page)) == 2


def test_stereo_alone_is_as_before() -> None:
    master = hls.multivariant(plan_of(2, 1), ["720p"])
    assert {member["GROUP-ID"] for member in members(master)} == {'"audio"'}


def test_sound_alone_in_surround_has_both() -> None:
    source = film(tracks=[sound(1, channels=6)])
    alone = type(source)(
        **{name: getattr(source, name) for name in source.__dataclass_fields__}
        | {"streams": source.streams[1:], "packets": {1: source.packets[1]}}
    )
    master = hls.multivariant(make_plan(alone, Settings(copy=False), "build"), [])
    assert [uri for _, uri in variants(master)] == ["audio-1-und/audio.m3u8", "audio-1-und-51/audio.m3u8"]


def test_the_manifest_prefers_stereo_and_tells_channels() -> None:
    manifest = dash.manifest(plan_of(6), ["720p"])
    assert manifest.count("<AdaptationSet") == 3
    assert 'id="1001"' in manifest
    assert manifest.count('selectionPriority="2"') == 1
    assert "<Label>English (5.1)</Label>" in manifest
    assert 'value="6"' in manifest
    assert plan_of(6).duration_s == Fraction(20)
