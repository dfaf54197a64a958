"""The one place that runs programs: ffmpeg with progress, cancellation and limits; ffprobe and other short tools.

`start` runs ffmpeg in a thread of its own, which spawns it, reads both its pipes, watches its limits and reaps it; that
one thread is what a run costs, and the caller's thread may end while the run goes on. `run_tool` and `iter_tool_lines`
work in the caller's thread. Nothing is spawned without limits, and no program outlives its parent (see `child`).
"""

import shlex
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rushes.engine.child import Child, Exit
from rushes.engine.giving_way import Way, never
from rushes.engine.limits import INPUT_GUARDS, Limits, check_input_guards, ffmpeg_argv, input_guards
from rushes.engine.lines import LineSplitter, StderrTail
from rushes.engine.outcome import (
    Cancelled,
    CannotRun,
    FfmpegFailed,
    FfmpegInterrupted,
    LimitExceeded,
    ScratchGone,
    raise_for_outcome,
)
from rushes.engine.overruns import OutputWatch, stop_beyond
from rushes.engine.progress import Progress, ProgressParser
from rushes.engine.scratch import scratch_folder, sweep_scratch

__all__ = [
    "INPUT_GUARDS",
    "Cancelled",
    "CannotRun",
    "FfmpegFailed",
    "FfmpegInterrupted",
    "FfmpegRun",
    "Finished",
    "LimitExceeded",
    "Limits",
    "Progress",
    "ScratchGone",
    "ToolResult",
    "ffmpeg_argv",
    "input_guards",
    "iter_tool_lines",
    "run_tool",
    "scratch_folder",
    "start",
    "sweep_scratch",
]


@dataclass(frozen=True, kw_only=True)
class Finished(Exit):
    """A run that ended well. Well does not mean without decode errors: `error_lines` counts them."""

    stderr_tail: tuple[str, ...]  # the last lines, at most 40
    error_lines: int  # lines of level error or worse
    warning_lines: int


@dataclass(frozen=True, kw_only=True)
class ToolResult:
    """What a tool answered. `returncode` is -N when it crashed with signal N."""

    returncode: int
    stdout: str
    stderr: str  # the last lines, at most 40


class FfmpegRun:
    """A running ffmpeg, made by `start`. As a context manager it is cancelled when left before its end."""

    def __init__(
        self,
        argv: Sequence[str],
        limits: Limits,
        scratch: Path,
        on_progress: Callable[[Progress], None] | None,
        on_line: Callable[[str], None] | None,
        reads: Iterable[Path] = (),
        gives_way: Callable[[], bool] = never,
    ) -> None:
        self.command = shlex.join(argv)
        self._argv, self._limits, self._scratch = tuple(argv), limits, scratch
        self._on_progress, self._on_line = on_progress, on_line
        self._reads = tuple(reads)
        self._way = Way(gives_way)
        self._stderr = StderrTail()
        self._child: Child | None = None
        self._outcome: Finished | BaseException | None = None
        self._spawned, self._over = threading.Event(), threading.Event()
        # A daemon, so that leaving the interpreter never waits for an encode: the kernel kills it then.
        threading.Thread(target=self._run, name=f"ffmpeg in {scratch.name}", daemon=True).start()
        self._spawned.wait()
        if self._child is None:
            self.wait()

    @property
    def pid(self) -> int:
        """Of ffmpeg; also the number of its process group."""
        assert self._child is not None
        return self._child.pid

    @property
    def finished(self) -> bool:
        """True as soon as `wait` would not wait."""
        return self._over.is_set()

    def wait_for(self, seconds: float) -> bool:
        """Wait at most so long; whether the run is over."""
        return self._over.wait(seconds)

    def wait(self) -> Finished:
        """Wait for the end. Raises what kept it from ending well, or what a callback raised.

        FfmpegFailed: ffmpeg gave up; its last lines are in the message. Trying the same again gives the same.
        FfmpegInterrupted: somebody else's signal ended it (out of memory, a kill): not its fault, worth another try.
        LimitExceeded, Cancelled, CannotRun: as they say. OSError: the disk is full, or cannot be written.
        """
        self._over.wait()
        assert self._outcome is not None
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome

    def cancel(self) -> None:
        """Ask ffmpeg to end, kill its group 1 s later; returns at once. From any thread, as often as you like."""
        assert self._child is not None
        self._child.stop(Cancelled("the run was cancelled"), politely=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()
        self._over.wait()

    def _run(self) -> None:
        try:
            self._child = child = Child(self._argv, self._limits, cwd=self._scratch, reads=self._reads)
            self._spawned.set()
            try:
                self._outcome = self._pump(child)
            finally:
                child.close()
        except BaseException as error:  # handed to whoever waits
            self._outcome = error
        finally:
            self._spawned.set()
            self._over.set()

    def _pump(self, child: Child) -> Finished:
        progress = ProgressParser()
        stdout, stderr = LineSplitter(), LineSplitter()
        output = OutputWatch(self._scratch, self._limits.output_bytes)
        while not child.finished:
            for pipe, block in child.read(self._way.tick_s):
                if pipe == "stdout":
                    self._report(progress, stdout.feed(block))
                else:
                    self._say(stderr.feed(block))
            stop_beyond(child, self._limits)
            output.stop_beyond(child)
            self._way.look(child)
        self._say(stderr.end())
        raise_for_outcome(child, self._argv, self._limits, self._stderr.lines)
        assert child.exit is not None
        return Finished(
            **vars(child.exit),
            stderr_tail=self._stderr.lines,
            error_lines=self._stderr.error_lines,
            warning_lines=self._stderr.warning_lines,
        )

    def _report(self, parser: ProgressParser, lines: list[str]) -> None:
        for line in lines:
            report = parser.feed(line)
            if report is not None and self._on_progress is not None:
                self._on_progress(report)

    def _say(self, lines: list[str]) -> None:
        for line in lines:
            printable = self._stderr.add(line)
            if self._on_line is not None:
                self._on_line(printable)


def start(
    argv: Sequence[str],
    *,
    scratch: Path,
    limits: Limits | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_line: Callable[[str], None] | None = None,
    reads: Iterable[Path] = (),
    gives_way: Callable[[], bool] = never,
) -> FfmpegRun:
    """Start ffmpeg with a command of `ffmpeg_argv`; its working folder is `scratch`, so name inputs absolutely.

    In its sandbox it writes below `scratch` alone, and reads that, what links in it stand for, the files that are
    arguments of their own, and `reads`: what is named only within an argument, such as a filter's.
    `on_line` gets each line of stderr as it comes, cut at 4,096 characters, unprintable ones replaced; both callbacks
    are called in the run's thread, must be quick, and end the run by raising: `wait` then raises the same.
    While `gives_way` says so the run stands still, in all for GIVES_WAY_S at most. It is asked ten times a second.
    What the scratch folder held before does not count as output.
    Raises UnguardedInput when an input lacks INPUT_GUARDS, OSError when nothing can be spawned.
    """
    check_input_guards(argv)
    return FfmpegRun(argv, limits or Limits(), scratch, on_progress, on_line, reads, gives_way)


def run_tool(
    argv: Sequence[str],
    *,
    wall_limit_s: float = 30.0,
    cpu_limit_s: float | None = None,
    output_limit_bytes: int = 16 << 20,
    nice: int = 0,
    scratch: Path | None = None,
    reads: Iterable[Path] = (),
    cancel: threading.Event | None = None,
) -> ToolResult:
    """Run a short tool (ffprobe, `-version`) to its end and return what it said on stdout.

    In its sandbox it writes no file but below `scratch`, its working folder, and reads what `start` lets a run read.
    A status other than 0, or a crash, is for the caller to judge. Raises LimitExceeded past its time or when stdout is
    longer than `output_limit_bytes`, FfmpegInterrupted when a signal from elsewhere ended it, CannotRun when it is not
    there or not for this machine, and Cancelled within 0.25 s of `cancel`.
    """
    cpu_s = wall_limit_s * 4 if cpu_limit_s is None else cpu_limit_s
    limits = Limits(wall_s=wall_limit_s, cpu_s=cpu_s, output_bytes=output_limit_bytes, nice=nice)
    blocks: list[bytes] = []
    tail = StderrTail()
    child = Child(argv, limits, cwd=scratch, reads=reads)
    try:
        for block in _stdout_blocks(child, limits, tail, cancel):
            blocks.append(block)
    finally:
        child.close()
    assert child.exit is not None
    with suppress(FfmpegFailed):  # a tool's answer, not our failure
        raise_for_outcome(child, argv, limits, tail.lines)
    stdout = b"".join(blocks).decode(errors="replace")
    return ToolResult(returncode=child.exit.returncode, stdout=stdout, stderr="\n".join(tail.lines))


def iter_tool_lines(
    argv: Sequence[str], *, wall_limit_s: float = 600.0, output_limit_bytes: int = 1 << 30, nice: int = 0
) -> Iterator[str]:
    """Yield the lines of a tool's stdout as they come, whatever their number, in the memory of a few blocks.

    Lines are cut at 64 KiB. The tool waits while the consumer is slow, and its wall limit runs on. Consume it in one
    thread: where that thread ends the tool is killed. Leaving the loop early kills it too.
    Raises as `run_tool` does, and FfmpegFailed for a non-zero status, after the last line.
    """
    limits = Limits(wall_s=wall_limit_s, cpu_s=wall_limit_s * 4, output_bytes=output_limit_bytes, nice=nice)
    splitter, tail = LineSplitter(1 << 16), StderrTail()
    child = Child(argv, limits)
    try:
        for block in _stdout_blocks(child, limits, tail):
            yield from splitter.feed(block)
        yield from splitter.end()
    finally:
        child.close()
    raise_for_outcome(child, argv, limits, tail.lines)


def _stdout_blocks(
    child: Child, limits: Limits, tail: StderrTail, cancel: threading.Event | None = None
) -> Iterator[bytes]:
    stderr = LineSplitter()
    size = 0
    while not child.finished:
        for pipe, block in child.read():
            if pipe == "stderr":
                tail.extend(stderr.feed(block))
                continue
            size += len(block)
            if size > limits.output_bytes:
                child.stop(LimitExceeded("output", limits.output_bytes, size))
            else:
                yield block
        stop_beyond(child, limits)
        if cancel is not None and cancel.is_set():
            child.stop(Cancelled("the run was cancelled"))
    tail.extend(stderr.end())
