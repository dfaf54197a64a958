"""The standby of an engine's worker, as a process of its own: libraries fork, and threads do not survive that."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping

from . import stopline

PAUSE_S = 1.0


class Sidecar:
    """`rushes standby` beside this process, started again where it dies.

    It is told to end when the stop line is pulled, and ends when this process does, however that ends.
    """

    def __init__(self, name: str, slots: Mapping[str, int], *, embeds: bool = True) -> None:
        self._read, self._leash = os.pipe()
        os.set_inheritable(self._read, True)
        self._command = [sys.executable, "-m", "rushes", "standby", "--name", name]
        for queue, count in slots.items():
            self._command += ["--slots", f"{queue}={count}"]
        if not embeds:
            self._command.append("--never-works")
        self._command += ["--leash", str(self._read)]
        # Plain values: a signal that interrupts their holder may change them.
        self._stopping = False
        self._pid = self._spawn()
        self._thread = threading.Thread(target=self._keep, name="sidecar", daemon=True)
        self._thread.start()
        stopline.when_pulled(self.tell)

    def tell(self) -> None:
        """Tell it to end; does not wait. From any thread or signal handler."""
        self._stopping = True
        self._send(signal.SIGTERM)

    def stop(self, timeout_s: float = 6.0) -> None:
        """End it in order."""
        self.tell()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._send(signal.SIGKILL)
            self._thread.join()
        for end in (self._read, self._leash):
            os.close(end)

    def _spawn(self) -> int:
        # Not subprocess.Popen: it waits for the end of a pipe that a process which the library forks at this moment
        # would hold open for as long as it lives.
        nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        return os.posix_spawn(sys.executable, self._command, os.environ, file_actions=[nothing])

    def _send(self, number: int) -> None:
        if pid := self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _keep(self) -> None:
        while True:
            os.waitpid(self._pid, 0)
            self._pid = 0  # the number may be somebody else's from here on
            if not self._stopping:
                time.sleep(PAUSE_S)
            if self._stopping:
                return
            self._pid = self._spawn()
            if self._stopping:  # told in between, when it had no number
                self._send(signal.SIGTERM)
