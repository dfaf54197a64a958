"""Whether ffmpeg is really kept from other files and the network on this machine: it is made to try."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from rushes.engine import EngineError
from rushes.engine.process import run_tool
from rushes.engine.sandbox import abilities, tightness
from rushes.engine.scratch import scratch_folder

_WALL_LIMIT_S = 30.0
_PICTURE = ("-f", "lavfi", "-i", "color=size=16x16:rate=1:duration=1")
_WITHOUT = "hostile uploads are held by ffmpeg's own guards and the limits alone"


@dataclass(frozen=True, kw_only=True)
class SandboxReport:
    """What ffmpeg could not do when it tried; True is good."""

    reads_only_its_input: bool
    writes_only_scratch: bool
    opens_no_socket: bool
    means: str  # of the kernel: "Landlock 7 and seccomp"

    @property
    def complete(self) -> bool:
        """Nothing that it tried went through."""
        return self.reads_only_its_input and self.writes_only_scratch and self.opens_no_socket

    def __str__(self) -> str:
        facts = {
            "reads only its input": self.reads_only_its_input,
            "writes only its scratch folder": self.writes_only_scratch,
            "opens no socket": self.opens_no_socket,
        }
        held, not_held = ([fact for fact in facts if facts[fact] is kept] for kept in (True, False))
        if not held:
            return f"not available here ({self.means}): {_WITHOUT}"
        said = f"ffmpeg {', '.join(held)} ({self.means}; tried)"
        return f"{said}; not held: that it {', '.join(not_held)}" if not_held else said


def check_sandbox(ffmpeg: Path, scratch: Path) -> SandboxReport:
    """Let `ffmpeg` try to read and write beside its scratch folder, and to connect. Costs three short runs.

    Raises EngineError and OSError where it does not even run.
    """
    means = str(abilities())
    if (held := tightness(str(ffmpeg))) != "full":
        means += f", {'not all of it' if held == 'files' else 'but not'} for this ffmpeg, which does not start in it"
    with scratch_folder(scratch) as folder, scratch_folder(scratch) as other, _deaf_port() as port:
        (other / "secret").write_bytes(bytes(16 * 16 * 3))
        # Relative, because what stands on a command line by its absolute name may be read.
        beside = f"../{other.name}"
        raw = ("-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", "16x16", "-i", f"{beside}/secret")
        read = _succeeds(ffmpeg, folder, *raw, "-f", "null", "-")
        _succeeds(ffmpeg, folder, *_PICTURE, "-frames:v", "1", "-f", "rawvideo", f"{beside}/made")
        # Nobody listens there: a connection is refused, unless the socket is refused before it.
        said = _stderr(ffmpeg, folder, "-i", f"tcp://127.0.0.1:{port.getsockname()[1]}", "-f", "null", "-")
        return SandboxReport(
            reads_only_its_input=not read,
            writes_only_scratch=not (other / "made").exists(),
            opens_no_socket="Permission denied" in said or "Protocol not found" in said,
            means=means,
        )


def _deaf_port() -> socket.socket:
    port = socket.socket()
    port.bind(("127.0.0.1", 0))
    return port


def _succeeds(ffmpeg: Path, folder: Path, *arguments: str) -> bool:
    return _run(ffmpeg, folder, *arguments)[0] == 0


def _stderr(ffmpeg: Path, folder: Path, *arguments: str) -> str:
    return _run(ffmpeg, folder, *arguments)[1]


def _run(ffmpeg: Path, folder: Path, *arguments: str) -> tuple[int, str]:
    argv = [str(ffmpeg), "-nostdin", "-v", "error", "-y", *arguments]
    result = run_tool(argv, wall_limit_s=_WALL_LIMIT_S, scratch=folder)
    if result.returncode < 0:
        raise EngineError(f"ffmpeg crashed when the sandbox was tried: {result.stderr}")
    return result.returncode, result.stderr
