"""A session: what is asked for comes first, what is killed is made again, and nothing outlives it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from rushes.engine.binaries import toolchain
from rushes.engine.events import Changed, Event, Failed, Published
from rushes.engine.plan import Plan
from rushes.engine.prepare import prepared
from rushes.engine.records import STATE_FOLDER
from rushes.engine.session import Session
from rushes.engine.settings import Settings
from rushes.engine.slots import Slots

FINISHED_S = 60.0  # never reached: a hang is a failure with a name
Clip = Callable[..., Path]


@pytest.fixture(scope="module")
def source(clip: Clip) -> Path:
    """Five chunks of picture, two of sound."""
    return clip(size=(320, 180), rate=25, duration_s=40)


@pytest.fixture(scope="module")
def plan(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Two rungs, encoded."""
    settings = Settings(rungs=(180, 144), copy=False)
    with prepared(source, settings, toolchain(), tmp_path_factory.mktemp("scratch")) as ready:
        return ready.plan


@contextmanager
def session_of(
    plan: Plan,
    source: Path,
    folder: Path,
    *,
    watched: bool = False,
    slots: Slots | None = None,
    hands: int | None = None,
) -> Iterator[tuple[Session, list[Event]]]:
    """A session that is started by the test, its events so far, and its end whatever happens."""
    session = Session(
        plan, source, folder, ffmpeg=toolchain().ffmpeg.path, watched=watched, slots=slots, hands=hands
    )
    events: list[Event] = []
    session.subscribe(events.append)
    try:
        yield session, events
    finally:
        session.close()
    assert ffmpegs_in(folder) == []


def ffmpegs_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            inside = folder in Path(process.cwd()).parents and process.status() != psutil.STATUS_ZOMBIE
            if inside and Path(process.exe()).name == toolchain().ffmpeg.path.resolve().name:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def wait_until(condition: Callable[[], bool], within_s: float = FINISHED_S) -> None:
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "it did not come"
        time.sleep(0.005)


def names(events: list[Event]) -> list[str]:
    return [event.name for event in events if isinstance(event, Published)]


def segments_of(plan: Plan, rendition: str) -> list[str]:
    of = plan.rendition(rendition)
    return [of.segment_name(number) for number in range(of.timeline.segment_count)]


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def undisturbed(plan: Plan, source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Everything that a session leaves in its folder, records included."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with session_of(plan, source, folder) as (session, events):
        session.start()
        assert session.join(FINISHED_S)
        assert session.status().state == "finished"
        promised = {name for r in plan.renditions for name in (r.init_name, *segments_of(plan, r.name))}
        assert set(names(events)) == promised
        assert all(session.published(name) for name in promised)
        ends = [event.status for event in events if isinstance(event, Changed)]
        assert [s.progress for s in ends] == sorted(s.progress for s in ends)
        assert ends[-1].progress == 1
    return files(folder)


def test_a_want_at_80_percent_comes_before_nearly_everything_else(
    plan: Plan, source: Path, tmp_path: Path
) -> None:
    lead = plan.lead_rung
    assert lead is not None
    wanted = lead.segment_name(lead.timeline.segment_at(plan.duration_s * 8 / 10))
    with session_of(plan, source, tmp_path, watched=True) as (session, events):
        session.want(wanted)
        session.start()
        wait_until(lambda: session.published(wanted))
        before = names(events)
        assert session.join(FINISHED_S)

    other = [name for name in before[: before.index(wanted)] if name.startswith(f"{lead.name}/")]
    # Its init segment and its own chunk; background hands may have begun another chunk meanwhile.
    assert len(other) <= 2 * lead.timeline.segment_count // lead.timeline.chunk_count + 1
    assert len(before) < sum(r.timeline.segment_count for r in plan.renditions) / 2


def test_what_somebody_waits_for_does_not_queue_behind_background_work(
    plan: Plan, source: Path, tmp_path: Path
) -> None:
    lead = plan.lead_rung
    assert lead is not None
    wanted = (lead.segment_name(0), plan.audio[0].segment_name(0))
    slots = Slots(tmp_path / "slots", count=2, reserved=2)
    with (
        ExitStack() as held,
        session_of(plan, source, tmp_path / "out", watched=True, slots=slots) as (session, _),
    ):
        for _ in range(slots.count):
            held.enter_context(slots.background())
        session.start()
        for name in wanted:
            session.want(name)

        wait_until(lambda: all(session.published(name) for name in wanted))


def test_wants_and_questions_from_many_threads_do_no_harm(
    plan: Plan, source: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    wishes = [name for r in plan.renditions for name in segments_of(plan, r.name)]
    errors: list[BaseException] = []

    def viewer(session: Session, share: list[str]) -> None:
        try:
            for name in share * 3:
                session.want(name)
                session.failure(name)
                session.status()
                session.fed_rungs()
        except BaseException as error:
            errors.append(error)

    with session_of(plan, source, tmp_path, watched=True) as (session, _):
        session.start()
        viewers = [threading.Thread(target=viewer, args=(session, wishes[n::8])) for n in range(8)]
        for thread in viewers:
            thread.start()
        for thread in viewers:
            thread.join()
        assert session.join(FINISHED_S)

    assert errors == []
    assert files(tmp_path) == undisturbed


def test_an_ffmpeg_that_somebody_kills_is_run_again_and_is_no_failure(
    plan: Plan, source: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    with session_of(plan, source, tmp_path) as (session, events):
        session.start()
        killed = 0
        while killed < 3 and not session.join(0):
            for process in ffmpegs_in(tmp_path):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
                    killed += 1
        assert session.join(FINISHED_S)
        status = session.status()

    assert killed
    assert status.state == "finished"
    assert status.error is None
    assert not any(isinstance(event, Failed) for event in events)
    assert files(tmp_path) == undisturbed


def test_closing_leaves_no_ffmpeg_and_the_next_session_goes_on(
    plan: Plan, source: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    with session_of(plan, source, tmp_path) as (session, events):
        session.start()
        wait_until(
            lambda: sum(isinstance(event, Changed) for event in events) >= 2 and bool(ffmpegs_in(tmp_path))
        )
        session.close()
        assert ffmpegs_in(tmp_path) == []
        assert list((tmp_path / STATE_FOLDER / "scratch").iterdir()) == []
        first = session.encoded_chunks

    with session_of(plan, source, tmp_path) as (session, _):
        assert session.status().progress > 0
        session.start()
        assert session.join(FINISHED_S)
        # The ladder is one process of two rungs: 5 of them and 2 of sound.
        assert session.encoded_chunks == 5 + 2 - first
    assert files(tmp_path) == undisturbed


def test_a_chunk_that_can_not_be_made_is_told_with_its_reason(
    plan: Plan, source: Path, tmp_path: Path
) -> None:
    # A promise that no encoder keeps: the sound's stream is none.
    broken = replace(plan, audio=(replace(plan.audio[0], stream_index=7),))
    track = broken.audio[0]
    with session_of(broken, source, tmp_path) as (session, events):
        session.start()
        assert session.join(FINISHED_S)
        status = session.status()
        reason = session.failure(track.segment_name(0))
        picture = session.failure(broken.rungs[0].segment_name(0))

    assert status.state == "failed"
    assert status.error == reason
    assert reason is not None
    assert reason.startswith("The part at 0:00 cannot be decoded: ")
    assert picture is None
    assert {event.rendition for event in events if isinstance(event, Failed)} == {track.name}
    assert all((tmp_path / name).is_file() for name in segments_of(broken, broken.rungs[0].name))


def test_a_disk_that_takes_no_more_ends_the_session_with_a_sentence(
    plan: Plan, source: Path, tmp_path: Path
) -> None:
    with session_of(plan, source, tmp_path) as (session, _):
        # A file where the folder of segments has to be: root may write anywhere, but not into a file.
        (tmp_path / plan.rungs[0].name).touch()
        session.start()
        assert session.join(FINISHED_S)
        status = session.status()
        reason = session.failure(plan.rungs[0].segment_name(0))

    assert status.state == "failed"
    assert status.error is not None
    assert status.error.startswith("The output cannot be written: ")
    assert reason == status.error


def test_names_outside_of_the_plan_are_refused(plan: Plan, source: Path, tmp_path: Path) -> None:
    with session_of(plan, source, tmp_path) as (session, _):
        for name in ("", "../plan.json", f"{plan.rungs[0].folder}/999.m4s", "180p/0000/0.m4s"):
            with pytest.raises(KeyError):
                session.want(name)
            with pytest.raises(KeyError):
                session.failure(name)
