"""`rushes play`: serve a video at once, encoding while it is watched."""

import contextlib
import resource
import signal
import sys
import webbrowser
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from rushes.cli.doctor import scratch_root
from rushes.cli.encode import encode_options, settings_of
from rushes.engine import EngineError
from rushes.engine.binaries import toolchain
from rushes.engine.events import Event
from rushes.engine.prepare import prepared
from rushes.engine.publish import write_playlists
from rushes.engine.scratch import scratch_folder, sweep_scratch
from rushes.engine.session import Session
from rushes.play.app import create_app
from rushes.play.pages import PageNotBuilt
from rushes.play.server import AddressUnusable, Server, listen, url_of

#: A waiting viewer holds a socket or two; the usual soft limit of 1,024 files would be the end of the queue.
OPEN_FILES_WANTED = 65_536


@click.command()
@click.argument("input_path", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: a free one.")
@click.option("--open", "open_browser", is_flag=True, help="Open the page in a browser.")
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Keep the streams in this folder, and go on with what is there. Without it they are gone in the end.",
)
@encode_options
def play(
    input_path: Path,
    host: str,
    port: int,
    open_browser: bool,
    output: Path | None,
    **choices: Any,
) -> None:
    """Serve INPUT at once, on a page and as HLS and DASH, and encode first what is watched. Ctrl-C ends it."""
    # Not the signal's default action: what the `with` block holds has to be given back.
    signal.signal(signal.SIGTERM, _leave)
    _raise_open_files()
    tools = toolchain()
    with contextlib.ExitStack() as stack:
        try:
            listener = stack.enter_context(contextlib.closing(listen(host, port)))
        except AddressUnusable as error:
            raise click.ClickException(str(error)) from error
        sweep_scratch(scratch_root())  # of runs that were killed
        scratch = stack.enter_context(scratch_folder(scratch_root()))

        def prepare() -> Session:
            settings = settings_of(choices, tools, scratch / "source")
            # Below the scratch folder: one that is in use is locked, and no place to make others in.
            ready = stack.enter_context(prepared(input_path, settings, tools, scratch / "source"))
            folder = output or scratch / "streams"
            try:
                session = Session(ready.plan, ready.path, folder, ffmpeg=tools.ffmpeg.path, watched=True)
            except OSError as error:
                raise EngineError(f"{folder} cannot be written: {error.strerror or error}") from error
            if output is not None:
                _write_playlists_at_the_end(session)
            return session

        try:
            app = create_app(input_path.name, prepare, host=host, on_failed=lambda: server.stop())
        except PageNotBuilt as error:
            raise click.ClickException(str(error)) from error
        server = Server(app)
        url = url_of(listener)
        click.echo(url)
        if open_browser:
            webbrowser.open(url)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
        if app.state.screening.error:
            raise click.ClickException(app.state.screening.error)


def _write_playlists_at_the_end(session: Session) -> None:
    """So that a folder that is kept plays from any static web server, as after `rushes encode`."""

    def look(_: Event | None = None) -> None:
        if session.status().state != "encoding":
            write_playlists(session.plan, session, session.store)

    session.subscribe(look)
    look()


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)
