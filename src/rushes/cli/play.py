"""`rushes play`: serve a video at once, encoding while it is watched."""

import contextlib
import resource
import signal
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from rushes.cli.doctor import scratch_root
from rushes.cli.encode import encode_options, settings_of
from rushes.engine import EngineError
from rushes.engine.binaries import Toolchain, toolchain
from rushes.engine.events import Event
from rushes.engine.prepare import prepared
from rushes.engine.publish import write_playlists, write_texts
from rushes.engine.scratch import scratch_folder, sweep_scratch
from rushes.engine.session import Session
from rushes.engine.webvtt import TextTrack
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

        shown: list[_Shown] = []

        def prepare() -> Session:
            settings = settings_of(choices, tools, scratch / "source")
            # Below the scratch folder: one that is in use is locked, and no place to make others in.
            ready = stack.enter_context(prepared(input_path, settings, tools, scratch / "source"))
            folder = output or scratch / "streams"
            try:
                session = Session(ready.plan, ready.path, folder, ffmpeg=tools.ffmpeg.path, watched=True)
            except OSError as error:
                raise EngineError(f"{folder} cannot be written: {error.strerror or error}") from error
            shown.append(_Shown(session, ready.path, kept=output is not None))
            return session

        def read_texts(_: Session, cancel: threading.Event) -> Sequence[TextTrack]:
            return shown[0].read_texts(tools, scratch / "source", cancel)

        try:
            app = create_app(
                input_path.name,
                prepare,
                host=host,
                on_failed=lambda: server.stop(),
                read_texts=read_texts,
            )
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


class _Shown:
    """A session and its subtitles. A folder that is kept gets its playlists at the end, as from `rushes encode`."""

    def __init__(self, session: Session, source: Path, *, kept: bool) -> None:
        self._session, self._source, self._kept = session, source, kept
        self._texts: Sequence[TextTrack] = ()
        session.subscribe(self._look)
        self._look()

    def read_texts(self, tools: Toolchain, scratch: Path, cancel: threading.Event) -> Sequence[TextTrack]:
        """Publish the text of the source's subtitles. Raises what `write_texts` raises."""
        session = self._session
        self._texts = write_texts(session.plan, self._source, tools, session.store, scratch, cancel=cancel)
        self._look()
        return self._texts

    def _look(self, _: Event | None = None) -> None:
        if self._kept and self._session.status().state != "encoding":
            write_playlists(self._session.plan, self._session, self._session.store, self._texts)


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)
