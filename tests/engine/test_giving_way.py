"""Background runs that stand still for a moment, as the kernel sees them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rushes.engine import giving_way
from rushes.engine.binaries import toolchain
from rushes.engine.process import Cancelled, FfmpegRun, ffmpeg_argv, scratch_folder, start

DEADLINE_S = 20
#: Plays a generated picture at its own pace, so that it lasts.
ENDLESS = ("-re", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10", "-f", "null", "-")


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    with scratch_folder(tmp_path / "scratch") as folder:
        yield folder


PARENT = """
import sys
from pathlib import Path
from rushes.engine.process import start
run = start(sys.argv[2:], scratch=Path(sys.argv[1]), gives_way=lambda: True)
print(run.pid, flush=True)
run.wait()
"""


def run_of(scratch: Path, gives_way: Callable[[], bool], seconds: str = "600") -> FfmpegRun:
    argv = ffmpeg_argv(toolchain().ffmpeg.path, ["-t", seconds, *ENDLESS])
    return start(argv, scratch=scratch, gives_way=gives_way)


def stands(run: FfmpegRun) -> bool:
    return state(run.pid) == "T"


def state(pid: int) -> str:
    """As ps says it: T stands still, Z has ended; nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come about in time"
        time.sleep(0.01)


def test_a_run_stands_still_while_it_is_told_to_and_goes_on(scratch: Path) -> None:
    waited_for = threading.Event()
    with run_of(scratch, waited_for.is_set) as run:
        for _ in range(2):
            waited_for.set()
            wait_until(lambda: stands(run))
            waited_for.clear()
            wait_until(lambda: not stands(run))


def test_nobody_makes_it_stand_still_for_ever(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(giving_way, "GIVES_WAY_S", 0.3)
    with run_of(scratch, lambda: True, seconds="0.5") as run:
        wait_until(lambda: stands(run))
        run.wait()


def test_one_that_stands_still_can_be_cancelled_in_order(scratch: Path) -> None:
    with run_of(scratch, lambda: True) as run:
        wait_until(lambda: stands(run))
        began_s = time.monotonic()
        run.cancel()
        with pytest.raises(Cancelled):
            run.wait()
        assert time.monotonic() - began_s < DEADLINE_S


def test_one_that_stands_still_dies_with_its_parent(scratch: Path) -> None:
    argv = ffmpeg_argv(toolchain().ffmpeg.path, ENDLESS)
    arguments = [sys.executable, "-c", PARENT, str(scratch), *argv]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_until(lambda: state(pid) == "T")
        parent.kill()
        wait_until(lambda: state(pid) in ("", "Z"))
