"""What ends a program that goes beyond the limits which the kernel does not keep for us."""

from pathlib import Path

from rushes.engine.child import TICK_S, Child
from rushes.engine.limits import Limits
from rushes.engine.outcome import LimitExceeded
from rushes.engine.scratch import folder_bytes


def stop_beyond(child: Child, limits: Limits) -> None:
    """End a program that takes too long or too much memory."""
    if child.wall_s > limits.wall_s:
        child.stop(LimitExceeded("wall", limits.wall_s, child.wall_s))
    if child.rss_bytes > limits.memory_bytes:
        child.stop(LimitExceeded("memory", limits.memory_bytes, child.rss_bytes))


class OutputWatch:
    """The kernel limits each file; this limits all files of a run together, looked at once a tick."""

    def __init__(self, scratch: Path, output_bytes: int) -> None:
        self._scratch, self._output_bytes = scratch, output_bytes
        self._bytes_before = folder_bytes(scratch)
        self._look_at_s = 0.0

    def stop_beyond(self, child: Child) -> None:
        """End a program that has written too much."""
        if child.wall_s < self._look_at_s:
            return
        self._look_at_s = child.wall_s + TICK_S
        written = folder_bytes(self._scratch) - self._bytes_before
        if written > self._output_bytes:
            child.stop(LimitExceeded("output", self._output_bytes, written))
