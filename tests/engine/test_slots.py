import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from rushes.engine.slots import Slots, SlotWaitCancelled, UnsafeLockFolder, default_lock_folder, usable_cores

DEADLINE_S = 20

# Takes one slot of the folder, says so, and holds it until its stdin is closed.
HOLDER = """
import sys
from pathlib import Path
from rushes.engine.slots import Slots
folder, count, kind = sys.argv[1:]
with getattr(Slots(Path(folder), int(count)), kind)() as name:
    print(name, flush=True)
    sys.stdin.read()
print("released", flush=True)
"""

# Holds a slot ten times for a moment; writes when it entered and left.
TAKER = """
import os, sys, time
from pathlib import Path
from rushes.engine.slots import Slots
slots = Slots(Path(sys.argv[1]), 2)
for _ in range(10):
    with slots.background() as name:
        entered = time.monotonic_ns()
        time.sleep(0.005)
        left = time.monotonic_ns()
    print(name, entered, left, flush=True)
"""

Holder = Callable[[str], subprocess.Popen[str]]


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.005)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    with ExitStack() as stack:

        def start(kind: str) -> subprocess.Popen[str]:
            process = python(HOLDER, str(tmp_path), "2", kind)
            stack.callback(process.communicate)
            stack.callback(process.kill)  # first: it may still be waiting for a slot
            return process

        yield start


def test_no_more_processes_than_slots_are_ever_inside_and_each_gets_its_turns(tmp_path: Path) -> None:
    takers = [python(TAKER, str(tmp_path)) for _ in range(5)]
    stays: dict[str, list[tuple[int, int]]] = {}
    for taker in takers:
        out, _ = taker.communicate(timeout=DEADLINE_S * 3)
        assert len(out.splitlines()) == 10
        for line in out.splitlines():
            name, entered, left = line.split()
            stays.setdefault(name, []).append((int(entered), int(left)))
    assert set(stays) == {"cpu-0", "cpu-1"}
    for spans in stays.values():
        spans.sort()
        assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_threads_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    slots = Slots(tmp_path, 2)
    inside, most = 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(5):
            with slots.background():
                with lock:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.002)
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    assert most == 2


def test_a_slot_is_free_again_when_its_holder_was_killed(tmp_path: Path, holder: Holder) -> None:
    first, second = holder("background"), holder("background")
    assert {line_of(first), line_of(second)} == {"cpu-0", "cpu-1"}
    with pytest.raises(SlotWaitCancelled), Slots(tmp_path, 2).background(failing_after(0.1)):
        pass
    os.kill(first.pid, signal.SIGKILL)
    with Slots(tmp_path, 2).background():
        pass


def test_a_slot_is_free_again_after_an_error(tmp_path: Path) -> None:
    slots = Slots(tmp_path, 1)
    with pytest.raises(ZeroDivisionError), slots.background():
        raise ZeroDivisionError
    with slots.background():
        pass


def test_urgent_work_takes_the_reserved_slot_while_background_work_holds_and_awaits_all_others(
    tmp_path: Path, holder: Holder
) -> None:
    for process in (holder("background"), holder("background")):
        assert line_of(process).startswith("cpu-")
    holder("background")  # waits
    with Slots(tmp_path, 2).urgent(failing_after(DEADLINE_S)) as name:
        assert name == "reserved-0"


def test_urgent_work_leaves_the_reserved_slot_to_the_next_while_others_are_free(tmp_path: Path) -> None:
    slots = Slots(tmp_path, 1)
    with slots.urgent() as first, slots.urgent() as second:
        assert (first, second) == ("cpu-0", "reserved-0")


def test_a_second_urgent_one_gets_the_next_freed_slot_before_background_work(
    tmp_path: Path, holder: Holder
) -> None:
    slots = Slots(tmp_path, 2)
    busy, other = holder("background"), holder("background")
    assert line_of(busy)
    assert line_of(other)
    order: list[str] = []
    with slots.urgent() as first:
        assert first == "reserved-0"
        threads = [
            threading.Thread(target=enter, args=(slots.background, order, "background")),
            threading.Thread(target=enter, args=(slots.urgent, order, "urgent")),
        ]
        threads[0].start()
        wait_until(lambda: is_locked(tmp_path / "background-queue.lock"))
        threads[1].start()
        wait_until(lambda: is_locked(tmp_path / "urgent-waits.lock"))
        busy.communicate()
        threads[1].join(DEADLINE_S)
        assert order[0] == "urgent"
    threads[0].join(DEADLINE_S)
    assert order == ["urgent", "background"]


def enter(take: Callable[[], AbstractContextManager[str]], order: list[str], name: str) -> None:
    with take():
        order.append(name)


def test_background_work_never_takes_the_reserved_slot(tmp_path: Path) -> None:
    slots = Slots(tmp_path, 1, reserved=2)
    with slots.background(), pytest.raises(SlotWaitCancelled), slots.background(failing_after(0.1)):
        pass


@pytest.mark.parametrize("kind", ["background", "urgent"])
def test_a_wait_ends_when_it_is_cancelled_and_leaves_nothing_locked(tmp_path: Path, kind: str) -> None:
    slots = Slots(tmp_path, 1)
    with slots.urgent(), slots.urgent():
        cancel = threading.Event()
        outcome: list[BaseException] = []

        def wait() -> None:
            try:
                with getattr(slots, kind)(cancel):
                    pass
            except SlotWaitCancelled as error:
                outcome.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        wait_until(lambda: is_locked(tmp_path / f"{kind}-queue.lock"))
        cancel.set()
        thread.join(DEADLINE_S)
        assert len(outcome) == 1
    assert not any(is_locked(path) for path in tmp_path.iterdir())


def test_two_background_slots_give_way_while_urgent_work_is_done(tmp_path: Path) -> None:
    slots = Slots(tmp_path, 3)
    names = ("cpu-0", "cpu-1", "cpu-2")
    with slots.background(), slots.background(), slots.background():
        assert not any(map(slots.must_give_way, names))
        with Slots(tmp_path, 3).urgent():
            with Slots(tmp_path, 3, reserved=2).urgent():
                assert list(map(slots.must_give_way, names)) == [True, True, False]
            assert list(map(slots.must_give_way, names)) == [True, True, False]
        assert not any(map(slots.must_give_way, names))


def test_who_is_stopped_as_he_looks_stops_nobody(tmp_path: Path) -> None:
    slots = Slots(tmp_path, 2)
    with (
        (tmp_path / "urgent-works.lock").open("w") as stopped,
        (tmp_path / "urgent-waits.lock").open("w") as too,
    ):
        for file in (stopped, too):
            fcntl.flock(file, fcntl.LOCK_EX)
        with slots.urgent(failing_after(DEADLINE_S)):
            pass


def test_whether_to_give_way_is_no_reason_to_fail(tmp_path: Path) -> None:
    slots = Slots(tmp_path / "slots", 2)
    shutil.rmtree(tmp_path / "slots")
    assert not slots.must_give_way("cpu-0")


def test_a_program_started_meanwhile_does_not_keep_the_slot(tmp_path: Path) -> None:
    slots = Slots(tmp_path, 1)
    with slots.background():
        sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with slots.background(failing_after(DEADLINE_S)):
            pass
    finally:
        sleeper.communicate(b"\n")


def test_a_lock_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UnsafeLockFolder, match="lock folder"):
        Slots(tmp_path / "link", 1)


def test_the_default_is_one_slot_per_usable_core_in_a_folder_of_the_user(tmp_path: Path) -> None:
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))
    assert Slots(tmp_path).count == usable_cores()
    assert default_lock_folder().name.endswith(str(os.getuid()))


@pytest.mark.parametrize(("count", "reserved"), [(0, 1), (1, -1)])
def test_impossible_numbers_of_slots_are_refused(tmp_path: Path, count: int, reserved: int) -> None:
    with pytest.raises(ValueError, match="count >= 1"):
        Slots(tmp_path, count, reserved=reserved)


def failing_after(seconds: float) -> threading.Event:
    """An event for `cancel`, so that a slot that never comes fails the test instead of hanging it."""
    event = threading.Event()
    timer = threading.Timer(seconds, event.set)
    timer.daemon = True
    timer.start()
    return event


def is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
