"""The web server of `rushes play`: one process, stopped within seconds whatever is being waited for."""

from __future__ import annotations

import socket
from types import FrameType

import uvicorn
from starlette.applications import Starlette

#: Answers under way get this long when the server stops; waits and event streams are ended at once.
GRACE_S = 1
BACKLOG = 2048


class AddressUnusable(OSError):
    """The server can't listen there; the message says why and what to do."""


class Server(uvicorn.Server):
    """Ends what waits as soon as it is told to stop; uvicorn alone would wait for it."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="error",
                access_log=False,
                timeout_graceful_shutdown=GRACE_S,
                lifespan="on",
                server_header=False,
            )
        )
        self._screening = app.state.screening

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal: SIGINT or SIGTERM."""
        self._screening.request_stop()
        super().handle_exit(sig, frame)

    def stop(self) -> None:
        """Stop from another thread."""
        self._screening.request_stop()
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises AddressUnusable."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise AddressUnusable(
            f"{host} is not an address of this machine: {error.strerror}; choose one with --host"
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        # A port that was in use a moment ago may be taken at once; one that is in use may not.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise AddressUnusable(
            f"can't listen on {host} port {port}: {error.strerror}; "
            f"choose another with --port, or --port 0 for a free one"
        ) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """The address to open in a browser on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
