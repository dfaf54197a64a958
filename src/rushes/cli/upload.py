"""`rushes upload`: sends a file to a running Rushes, with a progress bar."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import click

from rushes.cli.product import connection_to
from rushes.photos.sniffing import is_photo

_READ_BYTES = 1 << 18
_LOOK_S = 0.5
_TIMEOUT_S = 120.0


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", help="Where Rushes runs. [that of RUSHES_VAR/credentials.json]")
@click.option("--token", envvar="RUSHES_TOKEN", help="An API key that may submit. [that of credentials.json]")
@click.option("--title", default="", help="What to call it. [the file's name]")
@click.option("--visibility", type=click.Choice(["public", "unlisted", "private"]), default="private")
@click.option(
    "--wait",
    "wait_for",
    type=click.Choice(["playable", "ready"]),
    help="Wait until it is; of a photo both are the same.",
)
@click.option("--json", "as_json", is_flag=True, help="The video or photo as JSON, for machines.")
def upload(
    path: Path,
    url: str | None,
    token: str | None,
    title: str,
    visibility: str,
    wait_for: str | None,
    as_json: bool,
) -> None:
    """Send FILE, a video or a photo, and print the address of its page."""
    address, key = credentials(url, token)
    photo = is_photo(path)
    server = Server(address, key, "photo" if photo else "video")
    try:
        with _bar(path, shown=not as_json) as advance:
            video = server.send(path, {"title": title, "visibility": visibility}, advance)
        if wait_for:
            video = server.wait(video["public_id"], wait_for)
    except OSError as error:
        raise click.ClickException(f"{address} does not answer: {error.strerror or error}") from error
    except http.client.HTTPException as error:
        raise click.ClickException(f"{address} does not speak HTTP: {error!r}") from error
    click.echo(json.dumps(video) if as_json else f"{address}/{'p' if photo else 'v'}/{video['public_id']}/")
    if video["status"] == "failed":
        raise click.ClickException(video["error"] or "It failed.")


class Server:
    """A running Rushes, and its videos or photos. Refusals are ClickExceptions with the server's own sentence."""

    def __init__(self, address: str, token: str, kind: Literal["video", "photo"] = "video") -> None:
        self._address = address
        self._root = f"/api/{kind}/"
        self._headers = {"Authorization": f"Token {token}", "Accept": "application/json"}

    def send(self, path: Path, fields: dict[str, str], advance: Callable[[int], None]) -> dict[str, Any]:
        """Send a file as a form does, from the disk; the video."""
        boundary = secrets.token_hex(16)
        head = b"".join(_field(boundary, name, value) for name, value in fields.items() if value)
        name = path.name.encode("utf-8", "replace").decode().replace('"', "%22")
        head += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        connection = connection_to(self._address, _TIMEOUT_S)
        try:
            connection.putrequest("POST", self._root)
            for header, value in self._headers.items():
                connection.putheader(header, value)
            connection.putheader("Content-Type", f"multipart/form-data; boundary={boundary}")
            connection.putheader("Content-Length", str(len(head) + path.stat().st_size + len(tail)))
            connection.endheaders()
            try:
                connection.send(head)
                with path.open("rb") as file:
                    while data := file.read(_READ_BYTES):
                        connection.send(data)
                        advance(len(data))
                connection.send(tail)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused in the middle: the answer says why
            return _answer(connection.getresponse())
        finally:
            connection.close()

    def video(self, public_id: str) -> dict[str, Any]:
        """One video as it is now."""
        return self._ask("GET", f"{self._root}{public_id}/")

    def delete(self, public_id: str) -> None:
        """Remove a video."""
        self._ask("DELETE", f"{self._root}{public_id}/")

    def wait(self, public_id: str, until: str) -> dict[str, Any]:
        """Ask until the video is playable or ready, or has failed."""
        while True:
            video = self.video(public_id)
            over = video["status"] in ("ready", "failed") or (until == "playable" and video.get("playable"))
            if over:
                return video
            time.sleep(_LOOK_S)

    def _ask(self, method: str, path: str) -> dict[str, Any]:
        connection = connection_to(self._address, _TIMEOUT_S)
        try:
            connection.request(method, path, headers=self._headers)
            return _answer(connection.getresponse())
        finally:
            connection.close()


def _answer(response: http.client.HTTPResponse) -> dict[str, Any]:
    body = response.read()
    if response.status == http.HTTPStatus.NO_CONTENT:
        return {}
    try:
        told: Any = json.loads(body)
    except ValueError:
        told = None
    if response.status < 300 and isinstance(told, dict):
        return told
    said = told.get("error", {}).get("message") if isinstance(told, dict) else None
    raise click.ClickException(said or f"the server answered {response.status} {response.reason}")


def credentials(url: str | None, token: str | None) -> tuple[str, str]:
    """Address and key: what is given, else those of the instance that `make run` started."""
    path = Path(os.environ.get("RUSHES_VAR", "./var")) / "credentials.json"
    told: dict[str, str] = {}
    if not url or not token:
        try:
            told = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise click.ClickException(
                f"{path} cannot be read; start Rushes with make run, or give --url and --token"
            ) from error
    address = (url or told["url"]).rstrip("/")
    if not _is_address(address):
        raise click.ClickException(f"{address} is not an address; write for example http://127.0.0.1:8000")
    if not token and _place(address) != _place(told.get("url", "")):
        # The admin's own key is for the instance that it belongs to, and nobody else.
        raise click.ClickException(f"the key in {path} is not for {address}; give --token")
    return address, token or told["token"]


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        return False


def _place(address: str) -> tuple[str | None, int | None]:
    parts = urlsplit(address)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    return ("localhost" if local else parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)


def _field(boundary: str, name: str, value: str) -> bytes:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


@contextmanager
def _bar(path: Path, *, shown: bool) -> Iterator[Callable[[int], None]]:
    if not shown or not sys.stderr.isatty():
        yield lambda size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(path.name, total=path.stat().st_size)
        yield lambda size: progress.advance(task, size)
