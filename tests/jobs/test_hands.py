"""The threads that run jobs."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from rushes.jobs import hands
from rushes.jobs.hands import Hands
from tests.jobs.conftest import wait_until

LIMIT_S = 30.0


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Set in the end: nothing that a test began goes on."""
    event = threading.Event()
    yield event
    event.set()


def test_what_is_given_runs_at_once_however_much_runs_already(over: threading.Event) -> None:
    several, begun = Hands(), threading.Semaphore(0)

    def work() -> None:
        begun.release()
        over.wait(LIMIT_S)

    for number in range(10):
        several.give(f"job-{number}", work)
    assert all(begun.acquire(timeout=LIMIT_S) for _ in range(10))


def test_a_hand_that_is_free_takes_the_next_and_bears_its_name() -> None:
    one, seen, done = Hands(), [], threading.Semaphore(0)

    def work() -> None:
        seen.append((threading.get_ident(), threading.current_thread().name))
        done.release()

    for number in range(20):
        wait_until(lambda: not seen or one._waiting == 1, LIMIT_S, "the hand is free")
        one.give(f"job-{number}", work)
        assert done.acquire(timeout=LIMIT_S)
    assert len({ident for ident, _ in seen}) == 1
    assert [name for _, name in seen] == [f"job-{number}" for number in range(20)]


def test_hands_that_have_nothing_to_do_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "IDLE_S", 0.05)
    few, before = Hands(), set(threading.enumerate())
    for number in range(4):
        few.give(f"job-{number}", lambda: None)
    wait_until(lambda: set(threading.enumerate()) <= before, LIMIT_S, "they have ended")
    assert few._waiting == 0


def test_no_work_is_lost_between_the_end_of_one_hand_and_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "IDLE_S", 0.0005)
    few, done = Hands(), threading.Semaphore(0)
    for number in range(2000):
        few.give(f"job-{number}", done.release)
    assert all(done.acquire(timeout=LIMIT_S) for _ in range(2000))


def test_those_that_wait_are_gone_when_it_is_closed_and_those_that_work_go_later(
    over: threading.Event,
) -> None:
    some, before = Hands(), set(threading.enumerate())

    def busy() -> None:
        over.wait(LIMIT_S)

    for work in (busy, lambda: None, lambda: None):
        some.give("job", work)
    wait_until(lambda: some._waiting > 0, LIMIT_S, "one waits")
    some.close(LIMIT_S)
    assert some._leaving == some._waiting == 0
    over.set()
    wait_until(lambda: set(threading.enumerate()) <= before, LIMIT_S, "all have ended")
