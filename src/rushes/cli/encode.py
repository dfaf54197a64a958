"""`rushes encode`: the finished streams of a video in a folder that any static web server can serve."""

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from rushes.engine.binaries import toolchain
from rushes.engine.events import Status
from rushes.engine.plan import Plan, Rung
from rushes.engine.prepare import prepared
from rushes.engine.publish import write_playlists
from rushes.engine.records import STATE_FOLDER
from rushes.engine.session import Session
from rushes.engine.settings import Quality, Settings
from rushes.engine.store import FolderStore

PLAIN_LINE_S = 5.0  # between progress lines where nobody looks at a terminal


def parse_rungs(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> tuple[int, ...] | None:
    """`1080p,720p` or `1080,720` as lines. Raises click.BadParameter."""
    if value is None:
        return None
    try:
        return Settings(
            rungs=tuple(int(part.strip().lower().removesuffix("p")) for part in value.split(","))
        ).rungs
    except ValueError as error:
        raise click.BadParameter(f"{error} Write for example 1080p,720p,480p.") from error


def settings_of(rungs: tuple[int, ...] | None, quality: Quality, no_copy: bool) -> Settings:
    """Settings from the options that `encode` and `play` share."""
    chosen = {"rungs": rungs} if rungs else {}
    return Settings(quality=quality, copy=not no_copy, **chosen)


@click.command()
@click.argument("input_path", metavar="INPUT", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", metavar="DIR", required=True, type=click.Path(path_type=Path), help="Folder to write."
)
@click.option(
    "--rungs", callback=parse_rungs, help="Sizes by the short side, e.g. 720p,360p. [1080p,720p,480p,360p]"
)
@click.option(
    "--quality", type=click.Choice(["economy", "standard", "best"]), default="standard", show_default=True
)
@click.option("--no-copy", is_flag=True, help="Encode the top rung even where the source could be copied.")
@click.option(
    "--json", "as_json", is_flag=True, help="Progress and result as a line of JSON each, for machines."
)
def encode(
    input_path: Path,
    output: Path,
    rungs: tuple[int, ...] | None,
    quality: Quality,
    no_copy: bool,
    as_json: bool,
) -> None:
    """Make the finished streams of INPUT: HLS and DASH over the same files.

    Chunk by chunk on all cores. Run again after an interruption, it encodes only what is missing.
    """
    started_s = time.monotonic()
    interrupted = _interruptible()
    tools = toolchain()
    report = _Json() if as_json else _Rich() if sys.stdout.isatty() else _Plain()
    try:
        with prepared(
            input_path, settings_of(rungs, quality, no_copy), tools, output / STATE_FOLDER / "scratch"
        ) as ready:
            session = Session(ready.plan, ready.source.path, output, ffmpeg=tools.ffmpeg.path)
            report.begin(ready.plan)
            try:
                session.start()
                with report.running() as show:
                    while not session.join(0.2) and not interrupted.is_set():
                        show(session.status())
            finally:
                session.close()
            status = session.status()
            if status.state == "encoding":
                raise click.ClickException("interrupted; run the same command again to go on")
            write_playlists(ready.plan, session, FolderStore(output))
            report.end(ready.plan, session, status, time.monotonic() - started_s)
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror or error}") from error
    if status.error:
        raise click.ClickException(status.error)


def _interruptible() -> threading.Event:
    """Set by Ctrl-C and SIGTERM: chunks in work are given up, what is committed stays."""
    interrupted = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        interrupted.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    return interrupted


def _result(plan: Plan, session: Session, status: Status, wall_s: float) -> dict[str, Any]:
    return {
        "state": status.state,
        "master": str(session.folder / "master.m3u8"),
        "duration_s": float(plan.duration_s),
        "rungs": [
            {"name": rung.name, "width": rung.width, "height": rung.height, "method": rung.method}
            for rung in plan.rungs
        ],
        "audio": [{"name": track.name, "method": track.method} for track in plan.audio],
        "copy_refusal": plan.copy_refusal,
        "encoded_chunks": session.encoded_chunks,
        "wall_s": round(wall_s, 3),
        "ffmpeg_wall_s": round(session.ffmpeg_wall_s, 3),
        "ffmpeg_cpu_s": round(session.ffmpeg_cpu_s, 3),
        "warnings": list(status.warnings),
        "error": status.error,
    }


def _names(plan: Plan) -> str:
    video = [f"{rung.name}{' (copied)' if rung.method == 'copy' else ''}" for rung in plan.rungs]
    audio = [f"{track.name}{' (copied)' if track.method == 'copy' else ''}" for track in plan.audio]
    return ", ".join(video + audio)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class _Plain:
    """Lines for a log file."""

    def begin(self, plan: Plan) -> None:
        click.echo(f"{float(plan.duration_s):.2f} s: {_names(plan)}")
        if plan.copy_refusal and any(isinstance(r, Rung) for r in plan.renditions):
            click.echo(f"The picture is encoded, not copied: {plan.copy_refusal}.")

    @contextmanager
    def running(self) -> "Iterator[Any]":
        said_s = time.monotonic()

        def show(status: Status) -> None:
            nonlocal said_s
            if time.monotonic() - said_s >= PLAIN_LINE_S:
                said_s = time.monotonic()
                click.echo(_line(status))

        yield show

    def end(self, plan: Plan, session: Session, status: Status, wall_s: float) -> None:
        for warning in status.warnings:
            click.echo(f"Warning: {warning}", err=True)
        if status.error is None:
            pace = float(plan.duration_s) / wall_s
            click.echo(f"Done in {wall_s:.1f} s ({pace:.1f}x): {session.folder / 'master.m3u8'}")


def _line(status: Status) -> str:
    speed = f", {status.speed:.1f}x" if status.speed else ""
    eta = f", about {_clock(status.eta_s)} left" if status.eta_s is not None else ""
    return f"{status.progress * 100:.0f} %{speed}{eta}"


class _Rich(_Plain):
    """A bar for a person."""

    @contextmanager
    def running(self) -> "Iterator[Any]":
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn  # slow to import

        columns = (
            TextColumn("Encoding"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rest]}"),
        )
        with Progress(*columns, transient=True) as bar:
            task = bar.add_task("", total=1.0, rest="")

            def show(status: Status) -> None:
                speed = f"{status.speed:.1f}x" if status.speed else ""
                eta = f"{_clock(status.eta_s)} left" if status.eta_s is not None else ""
                bar.update(task, completed=status.progress, rest=f"{speed} {eta}")

            yield show


class _Json(_Plain):
    """A line of JSON for each change of progress, and one for the result."""

    def begin(self, plan: Plan) -> None:
        click.echo(json.dumps({"state": "encoding", "progress": 0.0, "renditions": _names(plan).split(", ")}))

    @contextmanager
    def running(self) -> "Iterator[Any]":
        last = -1

        def show(status: Status) -> None:
            nonlocal last
            percent = int(status.progress * 100)
            if percent != last:
                last = percent
                fields = {"state": status.state, "progress": round(status.progress, 4)}
                click.echo(json.dumps(fields | {"speed": status.speed, "eta_s": status.eta_s}))

        yield show

    def end(self, plan: Plan, session: Session, status: Status, wall_s: float) -> None:
        click.echo(json.dumps(_result(plan, session, status, wall_s)))
