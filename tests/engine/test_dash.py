"""The manifest names the files of the plan, in the order and with the attributes of ISO/IEC 23009-1."""

from dataclasses import replace
from fractions import Fraction
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rushes.engine import dash
from rushes.engine.hls import Measured
from rushes.engine.plan import Plan
from rushes.engine.planning import make_plan
from rushes.engine.settings import Settings
from rushes.engine.timeline import Timeline
from tests.engine.sources import aac, film, sound, source

NO_COPY = Settings(copy=False)
MPD = {"": "urn:mpeg:dash:schema:mpd:2011"}


def plan_of(*, tracks: int = 1, settings: Settings = NO_COPY, **fields: object) -> Plan:
    return make_plan(film(tracks=[sound(n + 1) for n in range(tracks)], **fields), settings, "build")  # type: ignore[arg-type]


def every_rung(plan: Plan) -> list[str]:
    return [rung.name for rung in plan.rungs]


def parsed(plan: Plan, rungs: list[str], measured: dict[str, Measured] | None = None) -> ET.Element:
    return ET.fromstring(dash.manifest(plan, rungs, measured))


def representations(root: ET.Element) -> dict[str, ET.Element]:
    return {element.attrib["id"]: element for element in root.iterfind(".//Representation", MPD)}


def bounds(representation: ET.Element) -> tuple[int, ...]:
    """Segment bounds in ticks as a player draws them from S elements (5.3.9.6)."""
    found = [0]
    for run in representation.iterfind(".//S", MPD):
        assert int(run.get("t", found[-1])) == found[-1]
        for _ in range(int(run.get("r", 0)) + 1):
            found.append(found[-1] + int(run.attrib["d"]))
    return tuple(found)


def test_it_is_static_and_as_long_as_the_plan() -> None:
    root = parsed(plan_of(rate=Fraction(30000, 1001), duration_s=20), ["720p"])
    assert root.get("type") == "static"
    assert root.get("profiles") == "urn:mpeg:dash:profile:isoff-live:2011"
    assert root.get("mediaPresentationDuration") == "PT19.986633S"
    (period,) = root.iterfind("Period", MPD)
    assert period.get("start") == "PT0S"


def test_every_rendition_has_the_files_and_the_time_line_of_the_plan() -> None:
    plan = plan_of(tracks=2, duration_s=37)
    found = representations(parsed(plan, every_rung(plan)))
    assert set(found) == {rendition.name for rendition in plan.renditions}
    for rendition in plan.renditions:
        (template,) = found[rendition.name].iterfind("SegmentTemplate", MPD)
        assert template.get("initialization") == rendition.init_name
        assert template.get("startNumber") == "0"
        assert template.attrib["media"].replace("$Number$", "7") == rendition.segment_name(7)
        assert int(template.attrib["timescale"]) == rendition.timeline.timescale
        assert bounds(found[rendition.name]) == rendition.timeline.bounds


def test_rungs_share_one_adaptation_set_and_tracks_have_one_each() -> None:
    plan = plan_of(tracks=2)
    sets = parsed(plan, every_rung(plan)).findall(".//AdaptationSet", MPD)
    names = [[r.attrib["id"] for r in group.iterfind("Representation", MPD)] for group in sets]
    assert names == [every_rung(plan), ["audio-1-und"], ["audio-2-und"]]
    assert len({group.attrib["id"] for group in sets}) == len(sets)
    assert [group.get("contentType") for group in sets] == ["video", "audio", "audio"]


def test_a_rung_says_its_size_rate_and_codec() -> None:
    rung = representations(parsed(plan_of(rate=Fraction(30000, 1001)), ["720p"]))["720p"]
    told = {name: rung.get(name) for name in ("width", "height", "frameRate", "codecs", "sar")}
    assert told == {
        "width": "1280",
        "height": "720",
        "frameRate": "30000/1001",
        "codecs": "avc1.64001f",
        "sar": "1:1",
    }


def test_bandwidths_are_promised_first_and_measured_later() -> None:
    plan = plan_of()
    assert representations(parsed(plan, ["720p"]))["720p"].get("bandwidth") == str(
        plan.rungs[0].bandwidth_bps
    )
    measured = {"720p": Measured(peak_bps=123_456, average_bps=1)}
    assert representations(parsed(plan, ["720p"], measured))["720p"].get("bandwidth") == "123456"


def test_a_copied_rung_with_boundaries_of_its_own_is_left_out() -> None:
    plan = plan_of(settings=Settings(), gop=47)
    assert plan.copied_rung is not None
    assert plan.copied_rung.name not in representations(parsed(plan, every_rung(plan)))


def test_a_copied_rung_that_is_the_only_one_is_kept() -> None:
    plan = plan_of(settings=Settings(), gop=47)
    assert "720p" in representations(parsed(plan, ["720p"]))


def test_a_copied_rung_with_the_same_boundaries_is_kept() -> None:
    plan = plan_of(settings=Settings())
    assert plan.copied_rung is not None
    encoded = plan.encoded_rungs[0].timeline
    same = Timeline(  # of another clock
        timescale=encoded.timescale * 3,
        bounds=tuple(3 * bound for bound in encoded.bounds),
        chunks=encoded.chunks,
    )
    rungs = tuple(replace(rung, timeline=same) if rung.method == "copy" else rung for rung in plan.rungs)
    plan = replace(plan, rungs=rungs)
    assert set(every_rung(plan)) < set(representations(parsed(plan, every_rung(plan))))


def test_sound_alone_has_no_video_set() -> None:
    root = parsed(make_plan(source(None, (sound(0), aac(9, index=0))), NO_COPY, "build"), [])
    assert [group.get("contentType") for group in root.iterfind(".//AdaptationSet", MPD)] == ["audio"]


def test_rungs_that_are_not_planned_and_no_rung_at_all_are_refused() -> None:
    with pytest.raises(KeyError, match="2160p"):
        dash.manifest(plan_of(), ["2160p"])
    with pytest.raises(ValueError, match="at least one rung"):
        dash.manifest(plan_of(), [])


def test_one_track_is_the_main_one_and_languages_are_told_where_known() -> None:
    tracks = [sound(1, language="en"), sound(2, language="fr", dispositions=frozenset({"default"})), sound(3)]
    root = parsed(make_plan(film(tracks=tracks), NO_COPY, "build"), ["720p"])
    sets = root.findall(".//AdaptationSet[@contentType='audio']", MPD)
    assert [group.get("lang") for group in sets] == ["en", "fr", None]
    roles = [role.get("value") for group in sets for role in group.iterfind("Role", MPD)]
    assert roles == ["alternate", "main", "alternate"]


#: The order of children that the schema of ISO/IEC 23009-1 demands, of those that are used.
ORDER = {
    "AdaptationSet": ["Label", "Role", "Representation"],
    "Representation": ["AudioChannelConfiguration", "SegmentTemplate"],
}


def test_children_stand_in_the_order_of_the_schema() -> None:
    plan = plan_of(tracks=2)
    for element in parsed(plan, every_rung(plan)).iter():
        order = ORDER.get(element.tag.split("}")[1])
        if order:
            ranks = [order.index(child.tag.split("}")[1]) for child in element]
            assert ranks == sorted(ranks)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=40), st.text(max_size=20))
def test_no_title_or_language_breaks_it(title: str, language: str) -> None:
    plan = make_plan(film(tracks=[sound(1, title=title, language=language)]), NO_COPY, "build")
    root = parsed(plan, ["720p"])
    (label,) = root.iterfind(".//Label", MPD)
    assert label.text
    assert len(root.findall(".//AdaptationSet", MPD)) == 2
