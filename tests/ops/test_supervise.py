"""What dies is started again, and nothing outlives the supervisor, however it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

PATIENCE_S = 60.0
ROOT = Path(__file__).parent.parent.parent
#: Three times the promise would hide that it is broken: it is a grace of our own, not a speed.
STOP_LIMIT_S = 10.0


def wait_until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    deadline_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline_s, "what was waited for did not happen"
        time.sleep(0.02)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(mode: str = "good") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("supervisor.py"), tmp_path, mode],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        started.append(process)
        wait_until(lambda: all(list((tmp_path / name).glob("*")) for name in ("web", "worker")))
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def pids(folder: Path, name: str) -> list[int]:
    """Of the living ones."""
    found = [int(path.name) for path in (folder / name).glob("*")]
    return [pid for pid in found if psutil.pid_exists(pid) and _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def nobody_lives(folder: Path) -> bool:
    return not pids(folder, "web") and not pids(folder, "worker")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_of_them(
    supervise: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    process = supervise()
    process.send_signal(number)
    assert process.wait(STOP_LIMIT_S) == 0
    assert nobody_lives(tmp_path)


def test_what_is_killed_is_started_again_and_the_other_is_left_alone(
    supervise: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = supervise()
    (worker,) = pids(tmp_path, "worker")
    for _ in range(2):
        before = pids(tmp_path, "web")
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda before=before: len(now := pids(tmp_path, "web")) == 1 and now != before)
    assert pids(tmp_path, "worker") == [worker]
    process.terminate()
    assert process.wait(STOP_LIMIT_S) == 0
    assert process.stdout is not None
    said = process.stdout.read().splitlines()
    assert said[0] == "web was ended by SIGKILL; it is started again in 0.25 s"
    # Each next one waits longer: a process that can't run must not keep the machine busy.
    assert said[1] == "web was ended by SIGKILL; it is started again in 0.5 s"


def test_who_ends_in_order_is_started_again_without_growing_pauses(
    supervise: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """A worker that has done as many jobs as it is to do."""
    process = supervise("brief")
    wait_until(lambda: len(list((tmp_path / "worker").iterdir())) >= 5)
    process.terminate()
    assert process.wait(STOP_LIMIT_S) == 0
    assert process.stdout is not None
    said = [line for line in process.stdout.read().splitlines() if line.startswith("worker ")]
    assert set(said) == {"worker ended with status 0; it is started again in 0.25 s"}


def test_a_killed_supervisor_leaves_nobody_behind(
    supervise: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = supervise()
    process.kill()
    process.wait()
    wait_until(lambda: nobody_lives(tmp_path), STOP_LIMIT_S)


def test_who_does_not_listen_is_killed(
    supervise: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = supervise("deaf")
    process.terminate()
    assert process.wait(STOP_LIMIT_S) == 0
    assert nobody_lives(tmp_path)


def test_who_does_not_listen_does_not_outlive_a_killed_supervisor_either(
    supervise: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = supervise("deaf")
    process.kill()
    process.wait()
    wait_until(lambda: nobody_lives(tmp_path), STOP_LIMIT_S)
