"""Why a program did not end well, judged from its status, its last lines and what we did to it."""

import errno
import os
import re
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rushes.engine import EngineError
from rushes.engine.child import Child
from rushes.engine.launcher import CANNOT_RUN, CANNOT_RUN_STATUS
from rushes.engine.limits import Limits

LimitKind = Literal["wall", "cpu", "output", "memory", "pixels"]
MESSAGE_LINES = 8  # of the 40 kept: as many as a person reads

# Raised by the kernel for what the program itself did: trying again would crash again, so these are no interruptions.
#: What the limit is measured by and what is reported in the end differ by ticks of each thread.
_CPU_SLACK_S = 0.1
_CRASHES = {
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGILL,
    signal.SIGFPE,
    signal.SIGABRT,
    signal.SIGSYS,
    signal.SIGTRAP,
}
# ffmpeg catches SIGTERM, SIGINT and SIGXCPU and ends with 255, saying nothing at level warning; 123 after the fourth.
_SIGNALLED_STATUSES = (255, 123)
_NOT_PERMITTED = "Operation not permitted"  # the one error whose status is 255 as well
# What a full or locked disk makes ffmpeg say: no fault of what it was given. ("Permission denied" may be of its input.)
_DISK_ERRORS = {os.strerror(number): number for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)}
_PIXELS = re.compile(r"Picture size (\d+)x(\d+) exceeds specified max pixel count (\d+)")


class FfmpegFailed(EngineError):
    """The program gave up or crashed."""

    def __init__(
        self, reason: str, argv: Sequence[str], returncode: int, stderr_tail: tuple[str, ...]
    ) -> None:
        said = "\n".join(stderr_tail[-MESSAGE_LINES:]) or "(it said nothing)"
        super().__init__(f"{reason}:\n{said}")
        self.command = shlex.join(argv)  # as a shell would take it
        self.returncode = returncode
        self.stderr_tail = stderr_tail


class FfmpegInterrupted(EngineError):
    """A signal that we did not send ended the program; an interruption, not a failure: run it again."""


class ScratchGone(FfmpegInterrupted):
    """The folder of a run was removed under it: somebody else's doing, worth another try."""


class LimitExceeded(EngineError):
    """A limit ended the run; `limit`, `allowed` and `used` (seconds, bytes or pixels) say which."""

    def __init__(self, limit: LimitKind, allowed: float, used: float) -> None:
        self.limit, self.allowed, self.used = limit, allowed, used
        super().__init__(
            {
                "wall": f"it ran for more than the {allowed:g} s that it may take",
                "cpu": f"it used {used:.1f} s of processor time; {allowed:g} s are allowed",
                "output": f"it wrote {used / 1e6:.1f} MB; {allowed / 1e6:.1f} MB are allowed",
                "memory": f"it took {used / 1e9:.1f} GB of memory; {allowed / 1e9:.1f} GB are allowed",
                "pixels": f"its pictures have {used / 1e6:.1f} megapixels; {allowed / 1e6:.1f} are allowed",
            }[limit]
        )


class Cancelled(EngineError):
    """We ended the run because nobody needs it any more."""


class CannotRun(EngineError):
    """The program is not there, or not for this machine."""


def raise_for_outcome(
    child: Child, argv: Sequence[str], limits: Limits, stderr_tail: tuple[str, ...]
) -> None:
    """Return when `child` ended with status 0 by itself; else raise the class above that says why.

    Where the disk was full, or is not writable, that is the system's OSError: ENOSPC, EDQUOT, EROFS.
    """
    assert child.exit is not None
    if child.stop_reason is not None:
        raise child.stop_reason
    code, cpu_s = child.exit.returncode, child.exit.cpu_s
    if code == 0:
        return
    name = Path(argv[0]).name
    if code == CANNOT_RUN_STATUS and stderr_tail and stderr_tail[-1].startswith(CANNOT_RUN):
        reason = stderr_tail[-1].partition(": ")[2]
        raise CannotRun(f"{reason}. Set FFMPEG_PATH and FFPROBE_PATH to programs that run here")
    if code == -signal.SIGXFSZ:
        raise LimitExceeded("output", limits.output_bytes, limits.output_bytes)
    number = -code if code < 0 else None
    signalled = code in _SIGNALLED_STATUSES and not any(_NOT_PERMITTED in line for line in stderr_tail)
    if cpu_s >= limits.cpu_s - _CPU_SLACK_S and (signalled or number in (signal.SIGXCPU, signal.SIGKILL)):
        raise LimitExceeded("cpu", limits.cpu_s, max(cpu_s, limits.cpu_s))
    if number in _CRASHES:
        raise FfmpegFailed(f"{name} crashed ({signal.Signals(number).name})", argv, code, stderr_tail)
    if number is not None:
        perhaps = "; the machine may be out of memory" if number == signal.SIGKILL else ""
        raise FfmpegInterrupted(
            f"{name} was ended by {signal.strsignal(number)}, which Rushes did not send{perhaps}"
        )
    if signalled:
        raise FfmpegInterrupted(f"{name} was asked to end by a signal that Rushes did not send")
    for line in stderr_tail:
        if bomb := _PIXELS.search(line):
            width, height, allowed = (int(group) for group in bomb.groups())
            raise LimitExceeded("pixels", allowed, width * height)
        for said, error_number in _DISK_ERRORS.items():
            if line.endswith(said):
                raise OSError(error_number, said)
    raise FfmpegFailed(f"{name} ended with status {code}", argv, code, stderr_tail)
