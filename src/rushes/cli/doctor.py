"""`rushes doctor`: whether this machine has what Rushes needs."""

import dataclasses
import json
import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rushes.engine import EngineError
from rushes.engine.binaries import Toolchain, toolchain
from rushes.engine.choosing import configured
from rushes.engine.process import run_tool, scratch_folder
from rushes.engine.sandbox_check import check_sandbox
from rushes.engine.slots import usable_cores

if TYPE_CHECKING:
    from rich.console import Console

# Two chunks' output per core and room to breathe: below this a single long video may not fit.
SCRATCH_WANTED_BYTES = 2 * 1024**3
# A server holds one socket per waiting viewer and some files per encode.
OPEN_FILES_WANTED = 1024

TEST_FRAMES = 15
TEST_ENCODE_WALL_LIMIT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    healthy: bool
    detail: str
    mend: str | None = None  # what to do; None when healthy


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Findings as JSON, for machines.")
@click.option("--quick", is_flag=True, help="Only whether ffmpeg and ffprobe run and can do what is needed.")
def doctor(as_json: bool, quick: bool) -> None:
    """Say whether this machine has what Rushes needs. Exit status 0: healthy, 1: not."""
    if quick:
        tools = toolchain()
        tools.check()
        click.echo(f"ffmpeg {tools.ffmpeg.version} and ffprobe {tools.ffprobe.version} run here")
        return
    findings = examine()
    if as_json:
        healthy = all(finding.healthy for finding in findings)
        click.echo(
            json.dumps({"healthy": healthy, "findings": [dataclasses.asdict(f) for f in findings]}, indent=2)
        )
    else:
        from rich.console import Console  # slow to import, and only people need it

        show(findings, Console())
    if not all(finding.healthy for finding in findings):
        sys.exit(1)


def examine() -> list[Finding]:
    """Look at everything; what can't be looked at is a finding too, not an error."""
    findings = [_python(), _cores()]
    try:
        tools = toolchain()
    except EngineError as error:
        findings.append(
            Finding(name="ffmpeg and ffprobe", healthy=False, detail=str(error), mend="see the detail")
        )
    else:
        findings += [
            *_programs(tools),
            _attempt("test encode", lambda: encode_half_a_second(tools)),
            # Rushes works without one: what it lacks is said, and is no fault of the machine.
            _attempt("sandbox", lambda: str(check_sandbox(tools.ffmpeg.path, scratch_root()))),
            _hardware(tools),
        ]
    return [*findings, _parent_death_signal(), _open_files(), _scratch()]


def show(findings: list[Finding], console: "Console") -> None:
    """Print a table for people, what to mend beneath it."""
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    for _ in range(3):
        table.add_column(overflow="fold")  # a path is of no use with an ellipsis in it
    for finding in findings:
        mark = "[green]ok[/]" if finding.healthy else "[bold red]no[/]"
        table.add_row(
            mark, f"[bold]{finding.name}[/]", Text(finding.detail)
        )  # a path may have brackets in it
    console.print(table)
    for finding in findings:
        if finding.mend:
            console.print(f"[red]{finding.name}:[/] {finding.mend}")


def encode_half_a_second(tools: Toolchain) -> str:
    """Encode 15 made frames with sound, count them with ffprobe, and say how it went.

    Raises BinaryUnusable or another EngineError when either program fails.
    """
    with scratch_folder(scratch_root()) as folder:
        output = folder / "test.mp4"
        made = run_tool(
            [
                *(str(tools.ffmpeg.path), "-hide_banner", "-nostdin", "-v", "error"),
                *("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30"),
                *("-f", "lavfi", "-i", "sine=sample_rate=48000"),
                *("-frames:v", str(TEST_FRAMES), "-t", "0.5"),
                *("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"),
                *("-c:a", "aac", str(output)),
            ],
            wall_limit_s=TEST_ENCODE_WALL_LIMIT_S,
            scratch=folder,
        )
        if made.returncode != 0:
            raise EngineError(f"ffmpeg could not encode: {_last_line(made.stderr)}")
        counted = run_tool(
            [
                *(str(tools.ffprobe.path), "-v", "error", "-select_streams", "v", "-count_frames"),
                *("-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", str(output)),
            ],
            wall_limit_s=TEST_ENCODE_WALL_LIMIT_S,
        )
    frames = counted.stdout.strip()
    if counted.returncode != 0 or frames != str(TEST_FRAMES):
        raise EngineError(
            f"ffprobe saw {frames or _last_line(counted.stderr)} of {TEST_FRAMES} encoded frames"
        )
    return f"{TEST_FRAMES} frames of H.264 with AAC, encoded and counted"


def scratch_root() -> Path:
    """Below which folder encodes make their temporary files: TEMP_VIDEOS_DIR, or the system's place for them."""
    return Path(os.environ.get("TEMP_VIDEOS_DIR") or tempfile.gettempdir())


def _attempt(name: str, step: Callable[[], str]) -> Finding:
    try:
        return Finding(name=name, healthy=True, detail=step())
    except (EngineError, OSError) as error:
        return Finding(
            name=name, healthy=False, detail=str(error), mend="mend what the detail says, then run again"
        )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def _python() -> Finding:
    return Finding(name="Python", healthy=True, detail=f"{platform.python_version()} ({sys.executable})")


def _cores() -> Finding:
    return Finding(name="cores", healthy=True, detail=f"{usable_cores()} usable of {os.cpu_count()}")


def _programs(tools: Toolchain) -> list[Finding]:
    programs = [
        Finding(name=binary.name, healthy=True, detail=f"{binary.version} ({binary.origin}: {binary.path})")
        for binary in (tools.ffmpeg, tools.ffprobe)
    ]
    missing, wanted = tools.missing(), tools.missing(required=False)
    detail = f"encoder build {tools.build_id}"
    if missing:
        detail += f"; missing: {', '.join(map(str, missing))}"
    if wanted:
        detail += f"; not there, features off: {', '.join(map(str, wanted))}"
    mend = "set FFMPEG_PATH to a fuller build, or unset it to use the bundled one" if missing else None
    return [*programs, Finding(name="capabilities", healthy=not missing, detail=detail, mend=mend)]


def _hardware(tools: Toolchain) -> Finding:
    """Without it videos are encoded all the same, by software: that is no ill health."""
    name = "hardware encoders"
    try:
        gpu, choice = configured(tools, scratch_root())
    except (EngineError, ValueError) as error:
        return Finding(
            name=name, healthy=False, detail=str(error), mend="correct RUSHES_GPU and RUSHES_CODECS"
        )
    said = [encoder.name for encoder in choice.encoders] + list(choice.refusals)
    if gpu is None and not said:
        said = ["none asked for (RUSHES_GPU)"]
    mend = "mend what it says, or change RUSHES_GPU and RUSHES_CODECS" if choice.refusals else None
    return Finding(name=name, healthy=True, detail="; ".join(said), mend=mend)


def _parent_death_signal() -> Finding:
    """Linux tells a child that its parent died (prctl PR_SET_PDEATHSIG); Rushes relies on it after a SIGKILL."""
    available = sys.platform == "linux"
    return Finding(
        name="kernel",
        healthy=available,
        detail=f"{platform.system()} {platform.release()}, "
        + ("tells ffmpeg when its parent dies" if available else "can't tell ffmpeg that its parent died"),
        mend=None if available else "run Rushes on Linux",
    )


def _open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = soft == resource.RLIM_INFINITY or soft >= OPEN_FILES_WANTED
    return Finding(
        name="open files",
        healthy=enough,
        detail=f"limit {soft}, at most {hard}",
        mend=None if enough else f"raise it: ulimit -n {OPEN_FILES_WANTED}",
    )


def _scratch() -> Finding:
    folder = scratch_root()
    try:
        free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(
            name="scratch",
            healthy=False,
            detail=f"{folder}: {error.strerror}",
            mend="set TEMP_VIDEOS_DIR to a folder",
        )
    enough = free_bytes >= SCRATCH_WANTED_BYTES and os.access(folder, os.W_OK)
    return Finding(
        name="scratch",
        healthy=enough,
        detail=f"{free_bytes / 1024**3:.1f} GiB free in {folder}"
        + ("" if enough else ", too little or not writable"),
        mend=None if enough else "free some space, or set TEMP_VIDEOS_DIR to a larger, writable folder",
    )
