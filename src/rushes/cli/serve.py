"""`rushes serve`: the web process of the product."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
from types import FrameType
from typing import NoReturn

import click

from rushes.cli.product import leash_option, raise_open_files, set_up_django

#: Answers under way get this long when the server stops; waits and event streams are ended at once.
GRACE_S = 2


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: a free one.")
@click.option(
    "--fd", type=int, hidden=True, help="Serve on this listening socket, which somebody else keeps."
)
@leash_option
def serve(host: str, port: int, fd: int | None) -> None:
    """Serve pages, API and streams. Workers do the work: `rushes worker`; `make run` starts both."""
    # Set up first: of a wrong environment and a taken port, the first is the one to mend.
    set_up_django()
    raise_open_files()
    signal.signal(signal.SIGTERM, _leave)
    if fd is not None:
        run(socket.socket(fileno=fd))
        return
    from rushes.play.server import AddressUnusable, listen, url_of

    try:
        listener = listen(host, port)
    except AddressUnusable as error:
        raise click.ClickException(str(error)) from error
    click.echo(url_of(listener))
    run(listener)


def run(listener: socket.socket) -> None:
    """Serve until a signal comes; what is held then is let go at once."""
    import uvicorn

    from rushes.config.asgi import application

    class Server(uvicorn.Server):
        """Ends what waits as soon as it is told to stop; uvicorn alone would wait for it."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            application.close()
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        application,
        log_config=None,  # Django's LOGGING
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
        lifespan="on",
        server_header=False,
    )
    with contextlib.suppress(KeyboardInterrupt):
        Server(config).run(sockets=[listener])


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)
