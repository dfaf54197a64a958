"""One process of ffmpeg or ffprobe, from spawn to reap: the package's only `Popen`.

Every program is started through `launcher.py`, in a process group of its own, so that a terminal's Ctrl-C does not
reach it and a kill reaches all of it. On Linux the kernel kills it when the thread that spawned it ends (a
parent-death signal hangs on the thread, not the process), so a `Child` is spawned, read and reaped by one thread; only
`stop` may be called from others. That needs no spawner thread, and a bug that ends the reader leaves no ffmpeg behind.
"""

import os
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from rushes.engine import launcher
from rushes.engine.limits import Limits
from rushes.engine.sandbox import rules

TICK_S = 0.25  # how often limits are looked at while the program is silent
POLITE_S = 1.0  # from SIGTERM to SIGKILL
DRAIN_S = 1.0  # how long pipes are read on after the program's end, should something hold them open
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
BLOCK_BYTES = 1 << 16  # a Linux pipe's capacity

# Hostile input is parsed in there: it gets no keys and passwords, no FFREPORT (which writes files), no proxies.
_ENVIRONMENT = (
    *("PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ"),
    *("FONTCONFIG_FILE", "FONTCONFIG_PATH"),
)


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a program ended and what it used."""

    returncode: int  # -N when signal N ended it
    wall_s: float
    cpu_s: float  # user and system time of all its threads, the launcher's 12 ms with it
    max_rss_bytes: int  # never below the spawning process's own: Linux hands the mark on through vfork


class Child:
    """A running program; read it to its end in the thread that made it, then look at `exit` and `stop_reason`.

    In its sandbox it may write below `cwd` alone, and read that, `reads`, and the files that are arguments.
    Raises OSError when nothing can be spawned (no processes left, `cwd` missing).
    """

    def __init__(
        self, argv: Sequence[str], limits: Limits, *, cwd: Path | None = None, reads: Iterable[Path] = ()
    ) -> None:
        self.exit: Exit | None = None
        self.stop_reason: BaseException | None = None
        self._lock = threading.Lock()
        self._started_s = time.monotonic()
        self._kill_at_s: float | None = None
        self._drain_until_s: float | None = None
        self._rss_bytes, self._weigh_at_s = 0, 0.0
        mode = "exec" if sys.platform == "linux" else "watch"
        launch: tuple[object, ...] = (os.getpid(), ceil(limits.cpu_s), limits.output_bytes, limits.nice, mode)
        program = shutil.which(argv[0]) or argv[0]
        with rules([program, *argv[1:]], cwd, reads) as held:
            launch += (held.ruleset, held.socket_filter)
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", launcher.__file__, *map(str, launch), program, *argv[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                process_group=0,
                cwd=cwd,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                pass_fds=held.descriptors,
            )
        self.pid = self._popen.pid
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._popen.stdout, selectors.EVENT_READ, "stdout")
        self._selector.register(self._popen.stderr, selectors.EVENT_READ, "stderr")
        self._pid_fd: int | None = None
        if hasattr(os, "pidfd_open"):  # wakes the selector at the end; elsewhere the tick finds it
            with suppress(OSError):  # a kernel before 5.3
                self._pid_fd = os.pidfd_open(self.pid)
                self._selector.register(self._pid_fd, selectors.EVENT_READ, "exit")

    @property
    def wall_s(self) -> float:
        """Seconds since the spawn."""
        return time.monotonic() - self._started_s

    @property
    def rss_bytes(self) -> int:
        """What it holds in memory, weighed once a tick; 0 where the system has no /proc."""
        if self.wall_s >= self._weigh_at_s:
            self._weigh_at_s = self.wall_s + TICK_S
            with suppress(OSError, IndexError):  # it has ended
                statm = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii")
                self._rss_bytes = int(statm.split()[1]) * _PAGE_BYTES
        return self._rss_bytes

    @property
    def finished(self) -> bool:
        """Reaped, and all that it wrote has been read."""
        if self.exit is None:
            return False
        drained = not any(key.data != "exit" for key in self._selector.get_map().values())
        return drained or (self._drain_until_s is not None and time.monotonic() > self._drain_until_s)

    def read(self, tick_s: float = TICK_S) -> list[tuple[str, bytes]]:
        """Wait at most `tick_s`; return blocks of ("stdout" | "stderr", bytes); reap the program when it has ended."""
        blocks = []
        pipes_left = any(key.data != "exit" for key in self._selector.get_map().values())
        # Without pidfd and with both pipes closed nothing wakes us: look more often.
        pause_s = tick_s if pipes_left or self._pid_fd is not None else 0.01
        for key, _ in self._selector.select(pause_s):
            if key.data == "exit":
                continue
            block = os.read(key.fd, BLOCK_BYTES)
            if block:
                blocks.append((key.data, block))
            else:
                self._selector.unregister(key.fileobj)
        if self._kill_at_s is not None and time.monotonic() >= self._kill_at_s:
            self._kill_at_s = None
            self._signal(signal.SIGKILL)
        self._reap_if_ended()
        return blocks

    def stop(self, reason: BaseException, *, politely: bool = False) -> None:
        """End the program by SIGTERM and 1 s later SIGKILL, or SIGKILL at once. Any thread; the first reason stays."""
        with self._lock:
            if self.stop_reason is not None or self.exit is not None:
                return
            self.stop_reason = reason
            if politely:
                self._kill_at_s = time.monotonic() + POLITE_S
        self._signal(signal.SIGTERM if politely else signal.SIGKILL)
        self.resume()  # one that is paused hears of it first when it goes on

    def pause(self) -> None:
        """Stand still until `resume`. Of Linux alone, where the kernel ends it with its parent all the same."""
        if sys.platform == "linux":
            self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on, where it stands still."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill what still runs, reap it, close the pipes. To be called in any case."""
        while self.exit is None:
            self._signal(signal.SIGKILL)
            self.read()
        self._selector.close()
        for pipe in (self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                pipe.close()

    def _signal(self, number: int) -> None:
        with self._lock:  # until the reap, which holds it too, the number cannot pass to another process
            if self.exit is None:
                self._signal_group(number)

    def _signal_group(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS says EPERM for a zombie
            os.killpg(self.pid, number)

    def _reap_if_ended(self) -> None:
        if self.exit is not None:
            return
        with self._lock:
            try:
                if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
                    return
                self._signal_group(signal.SIGKILL)  # what a wrapper script may have left running
                _, status, usage = os.wait4(self.pid, 0)
            except (
                ChildProcessError
            ):  # SIGCHLD is ignored, or somebody waits for any child: the status is lost
                self._set_exit(-signal.SIGKILL, 0.0, 0)
            else:
                rss_unit = 1 if sys.platform == "darwin" else 1024
                code, cpu_s = os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
                self._set_exit(code, cpu_s, usage.ru_maxrss * rss_unit)
        if self._pid_fd is not None:
            self._selector.unregister(self._pid_fd)
            os.close(self._pid_fd)
            self._pid_fd = None

    def _set_exit(self, returncode: int, cpu_s: float, max_rss_bytes: int) -> None:
        self.exit = Exit(returncode=returncode, wall_s=self.wall_s, cpu_s=cpu_s, max_rss_bytes=max_rss_bytes)
        self._popen.returncode = (
            returncode  # else Popen's destructor waits for a process that is not ours any more
        )
        self._drain_until_s = time.monotonic() + DRAIN_S
