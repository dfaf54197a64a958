"""`rushes play`: serve a video at once, encoding while it is watched."""

import contextlib
import signal
import sys
import webbrowser
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from rushes.cli.doctor import scratch_root
from rushes.cli.settings_options import settings_of, settings_options
from rushes.engine.binaries import toolchain
from rushes.engine.scratch import scratch_folder, sweep_scratch
from rushes.engine.session import Session
from rushes.engine.settings import Quality
from rushes.play.app import create_app
from rushes.play.opening import open_session
from rushes.play.pages import PageNotBuilt
from rushes.play.server import AddressUnusable, Server, listen, url_of


@click.command()
@click.argument("input_path", metavar="INPUT", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one."
)
@click.option("--open", "open_browser", is_flag=True, help="Open the page in a browser.")
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the streams in this folder, and use what is there already. Without it they are removed in the end.",
)
@settings_options
def play(
    input_path: Path,
    host: str,
    port: int,
    open_browser: bool,
    folder: Path | None,
    rungs: tuple[int, ...],
    quality: Quality,
    copy: bool,
) -> None:
    """Serve INPUT at once, on a page and as HLS and DASH, and encode first what is watched. Ctrl-C ends it."""
    # Not the default action: what is in the `with` blocks below has to be cleaned up.
    signal.signal(signal.SIGTERM, _leave)
    settings = settings_of(rungs, quality, copy)
    tools = toolchain()
    with contextlib.ExitStack() as stack:
        try:
            listener = stack.enter_context(contextlib.closing(listen(host, port)))
        except AddressUnusable as error:
            raise click.ClickException(str(error)) from error
        sweep_scratch(scratch_root())  # of runs that were killed
        scratch = stack.enter_context(scratch_folder(scratch_root()))

        def prepare() -> Session:
            return open_session(input_path, folder or scratch / "streams", scratch, settings, tools)

        try:
            app = create_app(input_path.name, prepare, on_failed=lambda: server.stop())
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


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)
