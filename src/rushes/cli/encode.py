"""`rushes encode`: the finished streams of a video in a folder that any static web server can serve."""

import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar, get_args

import click

from rushes.cli.report import report_for
from rushes.engine.binaries import Toolchain, toolchain
from rushes.engine.choosing import choose
from rushes.engine.encoders import Codec, Gpu, parse_codecs
from rushes.engine.prepare import prepared
from rushes.engine.presets import parse_changes
from rushes.engine.publish import write_playlists, write_texts
from rushes.engine.records import STATE_FOLDER
from rushes.engine.session import Session
from rushes.engine.settings import Quality, Settings
from rushes.engine.store import FolderStore

T = TypeVar("T")
Command = Callable[..., None]


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


def _parsed(parse: Callable[[str], T]) -> Callable[[click.Context, click.Parameter, str | None], T | None]:
    """A callback for an option that the engine reads. Raises click.BadParameter."""

    def callback(_context: click.Context, _parameter: click.Parameter, value: str | None) -> T | None:
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(f"{error}.") from error

    return callback


def encode_options(command: Command) -> Command:
    """The options that `encode` and `play` share; they come as `choices`."""
    options = (
        click.option(
            "--rungs",
            callback=parse_rungs,
            help="Sizes by the short side, e.g. 720p,360p. [1080p,720p,480p,360p]",
        ),
        click.option(
            "--quality", type=click.Choice(get_args(Quality)), default="standard", show_default=True
        ),
        click.option(
            "--no-copy", is_flag=True, help="Encode the top rung even where the source could be copied."
        ),
        click.option(
            "--codecs",
            callback=_parsed(parse_codecs),
            help="h264, and beside it hevc or av1, e.g. h264,av1. [h264]",
        ),
        click.option(
            "--changes",
            callback=_parsed(parse_changes),
            help="What is different in a rung, e.g. '720p bitrate=2500k crf=22 preset=slow; *-av1 preset=8'.",
        ),
        click.option(
            "--gpu",
            type=click.Choice(get_args(Gpu)),
            help="Encode by hardware, where it passes a test. [none]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def settings_of(choices: Mapping[str, Any], tools: Toolchain, scratch: Path) -> Settings:
    """Settings from the options of `encode_options`; a hardware encoder is put to the test for it."""
    codecs: tuple[Codec, ...] = choices["codecs"] or ("h264",)
    chosen = choose(choices["gpu"], codecs, tools, scratch)
    settings = Settings(
        quality=choices["quality"],
        copy=not choices["no_copy"],
        codecs=chosen.codecs,
        changes=choices["changes"] or {},
        encoders=chosen.encoders,
        warnings=chosen.refusals,
    )
    return replace(settings, rungs=choices["rungs"]) if choices["rungs"] else settings


@click.command()
@click.argument("input_path", metavar="INPUT", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", metavar="DIR", required=True, type=click.Path(path_type=Path), help="Folder to write."
)
@encode_options
@click.option(
    "--json", "as_json", is_flag=True, help="Progress and result as a line of JSON each, for machines."
)
def encode(
    input_path: Path,
    output: Path,
    as_json: bool,
    **choices: Any,
) -> None:
    """Make the finished streams of INPUT: HLS and DASH over the same files.

    Chunk by chunk on all cores. Run again after an interruption, it encodes only what is missing.
    """
    started_s = time.monotonic()
    interrupted = _interruptible()
    tools = toolchain()
    report = report_for(as_json=as_json)
    try:
        scratch = output / STATE_FOLDER / "scratch"
        with prepared(input_path, settings_of(choices, tools, scratch), tools, scratch) as ready:
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
            store = FolderStore(output)
            texts = write_texts(ready.plan, ready.path, tools, store, output / STATE_FOLDER / "scratch")
            write_playlists(ready.plan, session, store, texts)
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
