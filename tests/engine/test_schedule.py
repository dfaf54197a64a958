"""What is made next: whoever waits goes first, a viewer is fed ahead, and everything is made once, in playing order."""

from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rushes.engine.plan import Plan
from rushes.engine.planning import make_plan
from rushes.engine.schedule import AHEAD_S, SOUND_BEHIND_S, Board, Task
from rushes.engine.settings import Settings
from tests.engine.sources import aac, film, sound, source


def plan_of(
    duration_s: int = 120, *, copy: bool = False, rungs: tuple[int, ...] = (720, 480, 360), tracks: int = 1
) -> Plan:
    """A film in 720p: 8 s of picture a chunk, 32 s of a copied one; sound is encoded by eight segments a chunk."""
    return make_plan(
        film(duration_s=duration_s, tracks=[sound(number + 1) for number in range(tracks)]),
        Settings(copy=copy, rungs=rungs),
        "a build",
    )


ENCODED = plan_of()
COPIED = plan_of(copy=True)
SILENT = plan_of(60, tracks=0)
ONE_RUNG = plan_of(60, rungs=(360,))
ONLY_SOUND = make_plan(source(None, (sound(0), aac(120, index=0))), Settings(), "a build")
ONLY_COPIED = plan_of(60, copy=True, rungs=(720,), tracks=0)
PLANS = [ENCODED, COPIED, SILENT, ONE_RUNG, ONLY_SOUND, ONLY_COPIED, plan_of(1), plan_of(90, tracks=3)]

LADDER = tuple(rung.name for rung in ENCODED.rungs)
LEAD, TRACK = "360p", "audio-1-und"


def start_s(plan: Plan, task: Task) -> Fraction:
    timeline = plan.rendition(task.renditions[0]).timeline
    return timeline.start_s(timeline.chunks[task.chunk])


def segment_of(plan: Plan, name: str, chunk: int) -> int:
    return plan.rendition(name).timeline.chunks[chunk]


def make(board: Board, task: Task) -> None:
    """A hand takes the task and makes it."""
    board.started(task)
    board.ended(task)
    for name in task.renditions:
        board.done(name, task.chunk)


def all_of(board: Board, *, lead_first: bool = False) -> Iterator[Task]:
    """Everything that is left, one after the other."""
    while task := board.next_background(lead_first=lead_first):
        yield task
        make(board, task)


def alone(name: str, chunk: int, kind: str = "ladder") -> Task:
    return Task(kind=kind, renditions=(name,), chunk=chunk)  # type: ignore[arg-type]


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("lead_first", [False, True])
def test_everything_is_offered_once_and_then_nothing(plan: Plan, lead_first: bool) -> None:
    board = Board(plan)
    made = [(name, task.chunk) for task in all_of(board, lead_first=lead_first) for name in task.renditions]
    every = [(r.name, chunk) for r in plan.renditions for chunk in range(r.timeline.chunk_count)]
    assert sorted(made) == sorted(every)
    assert board.settled
    assert board.next_urgent() is None
    assert all(board.complete(rendition.name) for rendition in plan.renditions)
    assert board.failures == {}


@pytest.mark.parametrize("plan", PLANS)
def test_without_a_viewer_the_order_is_that_of_playing_and_the_ladder_is_one_process(plan: Plan) -> None:
    tasks = list(all_of(Board(plan)))
    for audio in (False, True):
        starts = [start_s(plan, task) for task in tasks if (task.kind == "audio") is audio]
        assert starts == sorted(starts)
    encoded = tuple(rung.name for rung in plan.encoded_rungs)
    assert all(task.renditions == encoded for task in tasks if task.kind == "ladder")
    assert all(len(task.renditions) == 1 for task in tasks if task.kind != "ladder")


def test_at_the_same_time_what_is_cheap_comes_first() -> None:
    plan = plan_of(60, copy=True)
    assert [task.kind for task in list(all_of(Board(plan), lead_first=True))[:3]] == [
        "copy",
        "audio",
        "ladder",
    ]


def test_without_a_viewer_sound_follows_its_picture_by_a_minute_and_fills_the_end() -> None:
    plan = plan_of(600, copy=False)
    order = list(all_of(Board(plan)))
    shown_s = max(start_s(plan, task) for task in order if task.kind == "ladder")
    for place, task in enumerate(order):
        if task.kind == "audio":
            before = [t for t in order[:place] if t.kind == "ladder"]
            assert start_s(plan, before[-1]) >= min(shown_s, start_s(plan, task) + SOUND_BEHIND_S - 8)
    assert {task.kind for task in order[-2:]} == {"audio"}


def test_several_hands_take_different_chunks() -> None:
    board = Board(SILENT)
    taken = []
    while task := board.next_background(lead_first=False):
        board.started(task)
        taken.append(task)
    assert [task.chunk for task in taken] == list(range(SILENT.rungs[0].timeline.chunk_count))
    assert not board.settled  # they are in work, not done


def test_urgent_hands_have_nothing_to_do_while_nobody_waits() -> None:
    assert Board(ENCODED).next_urgent() is None


def test_what_somebody_waits_for_goes_first_and_alone() -> None:
    board = Board(ENCODED)
    board.want("480p", segment_of(ENCODED, "480p", 9))
    assert board.next_urgent() == alone("480p", 9)
    assert board.next_background(lead_first=False) == alone("480p", 9)
    assert board.next_background(lead_first=True) == alone("480p", 9)


def test_the_newest_wish_goes_before_older_ones() -> None:
    board = Board(ENCODED)
    for chunk in (3, 5, 7):
        board.want(LEAD, segment_of(ENCODED, LEAD, chunk))
    board.want(LEAD, segment_of(ENCODED, LEAD, 5))  # asked for again
    order = []
    while task := board.next_urgent():
        order.append(task.chunk)
        make(board, task)
    assert order == [5, 7, 3]


def test_two_wishes_keep_two_hands_busy() -> None:
    board = Board(ENCODED)
    board.want(LEAD, segment_of(ENCODED, LEAD, 3))
    board.want(TRACK, segment_of(ENCODED, TRACK, 1))
    first = board.next_urgent()
    assert first == alone(TRACK, 1, "audio")
    board.started(first)
    assert board.next_urgent() == alone(LEAD, 3)


def test_a_wish_in_work_alone_is_not_made_a_second_time() -> None:
    board = Board(ENCODED)
    board.want(LEAD, 0)
    board.started(alone(LEAD, 0))
    assert board.next_urgent() is None


def test_a_wish_that_the_ladder_is_making_is_also_made_alone() -> None:
    board = Board(ENCODED)
    ladder = Task(kind="ladder", renditions=LADDER, chunk=0)
    board.started(ladder)
    board.want(LEAD, 0)
    assert board.next_urgent() == alone(LEAD, 0)


def test_what_is_wanted_is_just_what_somebody_waits_for() -> None:
    board = Board(ENCODED)
    board.want("480p", segment_of(ENCODED, "480p", 9))
    assert board.is_wanted(alone("480p", 9))
    assert not board.is_wanted(alone("480p", 8))
    assert not board.is_wanted(alone(LEAD, 9))
    assert not board.is_wanted(Task(kind="ladder", renditions=LADDER, chunk=9))


def test_a_wish_for_what_is_there_is_none() -> None:
    board = Board(ENCODED)
    board.done(LEAD, 2)
    board.want(LEAD, segment_of(ENCODED, LEAD, 2))
    assert board.next_urgent() is None


def test_a_wish_for_what_is_not_planned_is_an_error() -> None:
    board = Board(ENCODED)
    with pytest.raises(KeyError):
        board.want("1080p", 0)
    with pytest.raises(IndexError):
        board.want(LEAD, ENCODED.rungs[-1].timeline.segment_count)


def test_whoever_waits_for_an_init_segment_gets_the_chunk_where_he_watches() -> None:
    board = Board(ENCODED)
    board.want_any(LEAD)
    assert board.next_urgent() == alone(LEAD, 0)
    board.move(LEAD, segment_of(ENCODED, LEAD, 6))
    board.want_any("480p")
    assert board.next_urgent() == alone("480p", 6)


@pytest.mark.parametrize("at", [0, 4])
def test_a_viewer_is_fed_ahead_with_sound_and_the_lead_rung_alone(at: int) -> None:
    board = Board(ENCODED)
    board.move(LEAD, segment_of(ENCODED, LEAD, at))
    position_s = start_s(ENCODED, alone(LEAD, at))
    ahead = []
    for task in all_of(board, lead_first=True):
        if task.kind == "ladder" and len(task.renditions) > 1:
            break
        ahead.append(task)
    assert {task.renditions for task in ahead} == {(LEAD,), (TRACK,)}
    # The chunk that the viewer is in and all that begin before the horizon, no more.
    starts = [start_s(ENCODED, task) for task in ahead if task.renditions == (LEAD,)]
    assert starts == sorted(starts)
    assert starts[0] == position_s
    assert position_s + AHEAD_S - 8 <= starts[-1] < position_s + AHEAD_S
    # Of two that begin together the sound comes first.
    assert ahead[0].kind == "audio"


def test_whoever_waits_for_a_segment_is_fed_ahead_from_there() -> None:
    board = Board(SILENT)
    board.want(LEAD, segment_of(SILENT, LEAD, 3))
    tasks = all_of(board, lead_first=True)
    assert [next(tasks) for _ in range(3)] == [alone(LEAD, chunk) for chunk in (3, 4, 5)]


def test_a_copied_rung_is_fed_first_to_a_viewer() -> None:
    tasks = all_of(Board(COPIED), lead_first=True)
    assert [next(tasks).kind for _ in range(3)] == ["copy", "audio", "ladder"]


def test_while_the_ladder_makes_a_chunk_nobody_makes_it_ahead_of_a_viewer() -> None:
    board = Board(SILENT)
    board.started(Task(kind="ladder", renditions=LADDER, chunk=0))
    assert board.next_background(lead_first=True) == alone(LEAD, 1)


def test_the_ladder_leaves_out_what_the_lead_has_and_what_is_in_work() -> None:
    board = Board(SILENT)
    board.done(LEAD, 0)
    board.started(alone("480p", 0))
    assert board.next_background(lead_first=False) == alone("720p", 0)
    board.started(alone("720p", 0))
    assert board.next_background(lead_first=False) == Task(kind="ladder", renditions=LADDER, chunk=1)


def test_a_task_that_ended_without_result_is_offered_again() -> None:
    board = Board(SILENT)
    task = board.next_background(lead_first=False)
    assert task is not None
    board.started(task)
    assert board.next_background(lead_first=False) != task
    board.ended(task)
    assert board.next_background(lead_first=False) == task


def test_what_failed_is_never_offered_again_and_says_why() -> None:
    board = Board(SILENT)
    board.want(LEAD, 0)
    board.fail(LEAD, 0, "The source is damaged.")
    assert board.next_urgent() is None
    first, last = segment_of(SILENT, LEAD, 0), segment_of(SILENT, LEAD, 1)
    assert [board.failure(LEAD, n) for n in range(first, last)] == ["The source is damaged."] * (last - first)
    assert board.failure(LEAD, last) is None
    assert board.failure("480p", 0) is None
    assert LEAD not in next(all_of(board)).renditions
    list(all_of(board))
    assert board.settled
    assert not board.complete(LEAD)
    assert board.complete("480p")
    assert board.failures == {(LEAD, 0): "The source is damaged."}


def test_a_chunk_that_is_there_cannot_fail_any_more() -> None:
    board = Board(SILENT)
    board.done(LEAD, 0)
    board.fail(LEAD, 0, "A late double went wrong.")
    assert board.failures == {}
    assert board.failure(LEAD, 0) is None


def test_an_init_segment_fails_only_when_every_chunk_has() -> None:
    board = Board(SILENT)
    count = SILENT.rendition(LEAD).timeline.chunk_count
    for chunk in range(count):
        assert board.failure(LEAD, None) is None
        board.fail(LEAD, chunk, f"Chunk {chunk} is damaged.")
    assert board.failure(LEAD, None) == f"Chunk {count - 1} is damaged."


steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["work", "work", "urgent", "done", "done", "fail", "abandon", "want", "init", "move"]
        ),
        st.integers(0, 10**6),
    ),
    max_size=120,
)


class Watch:
    """What a board was told, kept apart from it, and the rules that each of its offers has to keep."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.board = plan, Board(plan)
        self.open = {(r.name, c) for r in plan.renditions for c in range(r.timeline.chunk_count)}
        self.failed: dict[tuple[str, int], str] = {}
        self.wanted: set[tuple[str, int]] = set()
        self.running: list[Task] = []

    def take(self, task: Task | None, *, urgent: bool = False) -> None:
        if task is None:
            return
        assert task.renditions
        assert task not in self.running
        in_work = {(name, other.chunk) for other in self.running for name in other.renditions}
        for name in task.renditions:
            assert (name, task.chunk) in self.open
            if urgent:
                assert (name, task.chunk) in self.wanted
            if (name, task.chunk) in in_work:  # only for somebody who waits, and then alone
                assert (name, task.chunk) in self.wanted
                assert len(task.renditions) == 1
        self.board.started(task)
        self.running.append(task)

    def end(self, number: int, how: str) -> None:
        task = self.running.pop(number % len(self.running))
        self.board.ended(task)
        for name in task.renditions:
            if how == "done":
                self.board.done(name, task.chunk)
            elif how == "fail":
                if (name, task.chunk) in self.open:
                    self.failed[name, task.chunk] = f"reason {number}"
                self.board.fail(name, task.chunk, f"reason {number}")
            if how != "abandon":
                self.open.discard((name, task.chunk))

    def ask(self, number: int, how: str) -> None:
        rendition = self.plan.renditions[number % len(self.plan.renditions)]
        segment = number // 7 % rendition.timeline.segment_count
        if how == "move":
            self.board.move(rendition.name, segment)
        elif how == "want":
            self.board.want(rendition.name, segment)
            self.wanted.add((rendition.name, rendition.timeline.chunk_of(segment)))
        else:
            self.board.move(rendition.name, segment)
            self.board.want_any(rendition.name)
            self.wanted.add((rendition.name, rendition.timeline.chunk_of(segment)))

    def step(self, how: str, number: int) -> None:
        if how == "work":
            self.take(self.board.next_background(lead_first=number % 2 == 0))
        elif how == "urgent":
            self.take(self.board.next_urgent(), urgent=True)
        elif how in ("done", "fail", "abandon"):
            if self.running:
                self.end(number, how)
        else:
            self.ask(number, how)
        assert self.board.settled == (not self.open)
        assert self.board.failures == self.failed
        if not self.running:
            assert (self.board.next_background(lead_first=False) is None) == (not self.open)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(PLANS), steps, st.booleans())
def test_whatever_happens_everything_settles_and_is_told_truly(
    plan: Plan, told: list[tuple[str, int]], lead_first: bool
) -> None:
    watch = Watch(plan)
    board = watch.board
    for how, number in told:
        watch.step(how, number)
    while watch.running:
        watch.end(0, "abandon")
    while task := board.next_background(lead_first=lead_first):
        watch.take(task)
        watch.end(0, "done")
    assert not watch.open
    assert board.settled
    assert board.failures == watch.failed
    for rendition in plan.renditions:
        name, timeline = rendition.name, rendition.timeline
        assert board.complete(name) == (not any(failed == name for failed, _ in watch.failed))
        for segment in range(timeline.segment_count):
            assert board.failure(name, segment) == watch.failed.get((name, timeline.chunk_of(segment)))


@pytest.mark.parametrize("lead_first", [False, True])
def test_other_codecs_come_when_what_every_player_plays_is_made(lead_first: bool) -> None:
    wanted = Settings(copy=False, rungs=(720, 360), codecs=("h264", "av1"))
    plan = make_plan(film(duration_s=60, tracks=[sound(1)]), wanted, "b")
    made = [task.renditions for task in all_of(Board(plan), lead_first=lead_first)]
    first = made.index(("720p-av1", "360p-av1"))
    assert set(made[first:]) == {("720p-av1", "360p-av1")}
    assert len(made) - first == plan.rungs[0].timeline.chunk_count
