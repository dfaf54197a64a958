"""Which chunks become jobs: pure choosing, by the hundred."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rushes.engine.plan import AudioTrack, Plan
from rushes.engine.planning import make_plan
from rushes.engine.schedule import SOUND_BEHIND_S
from rushes.engine.settings import Settings
from rushes.jobs.queues import Priority
from rushes.pipeline.marks import Place
from rushes.pipeline.window import AHEAD_CHUNKS, around, first_wishes, playable, window
from tests.engine.sources import aac, film, sound, source


def plan_of(duration_s: int = 120, *, copy: bool = False, tracks: int = 1) -> Plan:
    tracks_of = [sound(number + 1) for number in range(tracks)]
    return make_plan(
        film(duration_s=duration_s, tracks=tracks_of), Settings(copy=copy, rungs=(720, 360)), "b"
    )


PLANS = [
    plan_of(),
    plan_of(copy=True),
    plan_of(1),
    plan_of(tracks=0),
    plan_of(tracks=3),
    make_plan(source(None, (sound(0), aac(120, index=0))), Settings(), "b"),
]


def everything(plan: Plan) -> set[Place]:
    return {(r.name, chunk) for r in plan.renditions for chunk in range(r.timeline.chunk_count)}


@pytest.mark.parametrize("plan", PLANS)
def test_first_come_picture_and_sound_each_alone_and_then_it_is_playable(plan: Plan) -> None:
    wishes = first_wishes(plan, ())
    assert all(len(wish.renditions) == 1 and wish.priority == Priority.FIRST for wish in wishes)
    done = {place for wish in wishes for place in wish.places}
    assert playable(plan, done)
    assert not playable(plan, ())
    assert first_wishes(plan, done) == []


@pytest.mark.parametrize("plan", PLANS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_windows_make_everything_once_whatever_is_done_in_between(plan: Plan, data: st.DataObject) -> None:
    settled: set[Place] = set()
    open_places: list[Place] = []
    made: list[Place] = []
    while len(settled) < len(everything(plan)):
        for wish in window(plan, settled, open_places, data.draw(st.integers(0, 5))):
            assert not set(wish.places) & (settled | set(open_places))
            open_places += wish.places
            made += wish.places
        if open_places:
            place = data.draw(st.sampled_from(sorted(open_places)))
            open_places.remove(place)
            settled.add(place)
        else:
            for wish in window(plan, settled, (), 1):
                open_places += wish.places
                made += wish.places
    assert sorted(made) == sorted(everything(plan))
    assert window(plan, settled, (), 10) == []


@pytest.mark.parametrize("plan", PLANS)
def test_a_window_is_in_playing_order(plan: Plan) -> None:
    wishes = window(plan, (), (), 1000)
    starts = []
    for wish in wishes:
        rendition = plan.rendition(wish.renditions[0])
        behind_s = SOUND_BEHIND_S if isinstance(rendition, AudioTrack) else 0
        starts.append(rendition.timeline.start_s(rendition.timeline.chunks[wish.chunk]) + behind_s)
    assert starts == sorted(starts)


@pytest.mark.parametrize("plan", PLANS)
def test_who_waits_gets_that_chunk_first_and_then_what_follows(plan: Plan) -> None:
    for rendition in plan.renditions:
        timeline = rendition.timeline
        for segment in (0, timeline.segment_count // 2, timeline.segment_count - 1):
            wishes = around(plan, rendition.name, segment, ())
            assert wishes[0].chunk == timeline.chunk_of(segment)
            assert wishes[0].priority == Priority.WAITED_FOR
            assert all(wish.priority == Priority.AHEAD for wish in wishes[1:])
            assert len(wishes) == min(1 + AHEAD_CHUNKS, timeline.chunk_count - wishes[0].chunk)
    with pytest.raises(KeyError):
        around(PLANS[0], "nothing", 0, ())


def test_other_codecs_come_when_what_every_player_plays_is_made() -> None:
    wanted = Settings(copy=False, rungs=(720, 360), codecs=("h264", "hevc", "av1"))
    plan = make_plan(film(duration_s=120, tracks=[sound(1)]), wanted, "b")
    ladders = [wish.renditions for wish in window(plan, (), (), 1000) if len(wish.renditions) > 1]
    first, others = ("720p", "360p"), ("720p-hevc", "360p-hevc", "720p-av1", "360p-av1")
    chunks = plan.rungs[0].timeline.chunk_count
    assert ladders == [first] * chunks + [others] * chunks


@pytest.mark.parametrize("plan", PLANS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_mark_stands_for_all_chunks_below_it(plan: Plan, data: st.DataObject) -> None:
    marks = {r.name: data.draw(st.integers(0, r.timeline.chunk_count)) for r in plan.renditions}
    below = {(name, chunk) for name, mark in marks.items() for chunk in range(mark)}
    beyond = {place for place in everything(plan) - below if data.draw(st.booleans())}
    assert window(plan, beyond, [], 5, marks) == window(plan, below | beyond, [], 5)
