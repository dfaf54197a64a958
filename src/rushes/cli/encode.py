"""`rushes encode`: the finished streams of a video in a folder that any static web server can serve."""

import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import get_args

import click

from rushes.cli.report import report_for
from rushes.engine.binaries import toolchain
from rushes.engine.prepare import prepared
from rushes.engine.publish import write_playlists
from rushes.engine.records import STATE_FOLDER
from rushes.engine.session import Session
from rushes.engine.settings import Quality, Settings
from rushes.engine.store import FolderStore


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
    settings = Settings(quality=quality, copy=not no_copy)
    return replace(settings, rungs=rungs) if rungs else settings


@click.command()
@click.argument("input_path", metavar="INPUT", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", metavar="DIR", required=True, type=click.Path(path_type=Path), help="Folder to write."
)
@click.option(
    "--rungs", callback=parse_rungs, help="Sizes by the short side, e.g. 720p,360p. [1080p,720p,480p,360p]"
)
@click.option("--quality", type=click.Choice(get_args(Quality)), default="standard", show_default=True)
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
    report = report_for(as_json=as_json)
    try:
        with prepared(
            input_path, settings_of(rungs, quality, no_copy), tools, output / STATE_FOLDER / "scratch"
        ) as ready:
            session = Session(ready.plan, ready.path, output, ffmpeg=tools.ffmpeg.path)
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
