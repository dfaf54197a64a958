"""Keeps processes running: starts them, starts again what dies, and ends all of them together.

The children are in process groups of their own, so that a terminal's Ctrl-C reaches the supervisor alone and it ends
them in order. The listening socket is the supervisor's: while the web process is started again, browsers wait instead
of being refused.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

#: From SIGTERM to SIGKILL; the leash of a child is a little longer, the promise of `make run` is 10 s.
GRACE_S = 7.0
KILL_LIMIT_S = 1.5
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0
#: One that lived so long was well: its next death is a first one again.
WELL_AFTER_S = 30.0
LOOK_S = 0.2  # how often is looked at what sends no signal

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass
class Child:
    """One process that must be there. `command` has no leash yet; `keeps` are descriptors that it inherits."""

    name: str
    command: Sequence[str]
    keeps: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    started_at_s: float = 0.0
    start_at_s: float = 0.0  # not before
    pause_s: float = field(default=FIRST_PAUSE_S)


class Supervisor:
    """Runs children until it is told to stop. One thread, the main one."""

    def __init__(
        self, children: Sequence[Child], *, say: Callable[[str], None], parent_pid: int | None = None
    ) -> None:
        self._children = list(children)
        self._say = say
        self._parent_pid = parent_pid  # stop when this is not our parent any more
        self._stopping = False
        self._leash_read, self._leash_write = os.pipe()
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)

    @property
    def stopping(self) -> bool:
        """Told to stop, or the parent is gone."""
        return self._stopping or (self._parent_pid is not None and os.getppid() != self._parent_pid)

    def run(self, each_look: Callable[[], None] = lambda: None) -> None:
        """Start the children and keep them running; returns when all of them have ended, after a signal.

        `each_look` is called again and again, quickly, while they run.
        """
        with self._signals():
            try:
                while not self.stopping:
                    for child in self._children:
                        self._look_after(child)
                    each_look()
                    self._wait(LOOK_S)
            finally:
                self._end_all()

    def _look_after(self, child: Child) -> None:
        now_s = time.monotonic()
        if child.process is not None:
            status = child.process.poll()
            if status is None:
                return
            # One that ended in order (a worker that has done its jobs) is no trouble either.
            if now_s - child.started_at_s >= WELL_AFTER_S or status == 0:
                child.pause_s = FIRST_PAUSE_S
            _kill_group(child.process.pid)  # what it may have left behind
            child.process = None
            child.start_at_s = now_s + child.pause_s
            self._say(f"{child.name} {_words_for(status)}; it is started again in {child.pause_s:g} s")
            child.pause_s = min(2 * child.pause_s, LONGEST_PAUSE_S)
        if now_s >= child.start_at_s:
            self._start(child)

    def _start(self, child: Child) -> None:
        child.process = subprocess.Popen(
            [*child.command, "--leash", str(self._leash_read)],
            stdin=subprocess.DEVNULL,
            pass_fds=(self._leash_read, *child.keeps),
            process_group=0,
        )
        child.started_at_s = time.monotonic()

    def _wait(self, longest_s: float) -> None:
        due_s = [child.start_at_s - time.monotonic() for child in self._children if child.process is None]
        select.select([self._wake_read], [], [], max(0.0, min([longest_s, *due_s])))
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)

    def _end_all(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        self._wait_for(running, GRACE_S)
        for process in running:
            if process.poll() is None:
                self._say(f"process {process.pid} did not end in {GRACE_S:g} s and is killed")
            _kill_group(process.pid)
        self._wait_for(running, KILL_LIMIT_S)
        for end in (self._leash_read, self._leash_write, self._wake_read, self._wake_write):
            os.close(end)

    def _wait_for(self, processes: Sequence[subprocess.Popen[bytes]], longest_s: float) -> None:
        deadline_s = time.monotonic() + longest_s
        while any(process.poll() is None for process in processes) and time.monotonic() < deadline_s:
            time.sleep(0.02)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Signals only wake the loop: SIGCHLD when a child ends, the others to stop."""

        def stop(*_: object) -> None:
            self._stopping = True

        before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        waker = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(waker)
            for number, handler in before.items():
                signal.signal(number, handler)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _words_for(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
