"""Uploads over real connections, to uvicorn in a process of its own."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner
from django.contrib.auth.models import User
from django.test import Client

from rushes.cli import main
from rushes.jobs.ledger import cancel, enqueue
from rushes.pipeline import handlers  # noqa: F401  # registers the kinds
from rushes.videos.keys import make_key

pytestmark = [pytest.mark.django_db(transaction=True)]

DEADLINE_S = 30.0
HEAD = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="x.mov"\r\n\r\n'
TAIL = b"\r\n--xyz--\r\n"
TYPE = "multipart/form-data; boundary=xyz"


class Server:
    """A running server, its folders, and a token that it knows."""

    def __init__(
        self, address: tuple[str, int], process: psutil.Process, folder: Path, incoming: Path
    ) -> None:
        self.address = address
        self.process = process
        self.folder = folder
        self.incoming = incoming
        self.token = make_key(User.objects.create_user("ann"), "test", ["submit"])[1]

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self.address, timeout=DEADLINE_S)

    def begin(self, path: str = "/api/video/", **headers: str) -> http.client.HTTPConnection:
        """A connection on which the headers have been sent. `content_length="5"` is a header."""
        connection = self.connect()
        connection.putrequest("POST", path)
        given = {"content_type": TYPE, "authorization": f"Token {self.token}"} | headers
        for name, value in given.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        return connection

    def post(self, body: bytes, **headers: str) -> tuple[int, Any]:
        connection = self.begin(content_length=str(len(body)), **headers)
        connection.send(body)
        return said(connection)

    def left(self) -> list[Path]:
        return list(self.incoming.iterdir()) if self.incoming.exists() else []


def said(connection: http.client.HTTPConnection) -> tuple[int, Any]:
    response = connection.getresponse()
    told = json.loads(response.read())
    connection.close()
    return response.status, told


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


def field(name: str, value: str) -> bytes:
    return f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


@pytest.fixture
def start(
    product_environ: Callable[..., dict[str, str]], tmp_path: Path, settings: Any
) -> Iterator[Callable[..., Server]]:
    """`start(RUSHES_MAX_UPLOAD_MB="1")` is a server with that in its environment."""
    started: list[subprocess.Popen[bytes]] = []

    def run(**variables: str) -> Server:
        (tmp_path / "kept").mkdir()
        listener = socket.create_server(("127.0.0.1", 0))
        root = Path(__file__).parent.parent.parent
        environ = product_environ(
            MEDIA_ROOT=str(tmp_path / "media"), SECRET_KEY=settings.SECRET_KEY, **variables
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.uploads.inner", str(listener.fileno()), str(tmp_path / "kept")],
            cwd=root,
            env=environ,
            pass_fds=[listener.fileno()],
        )
        started.append(process)
        address = listener.getsockname()
        listener.close()
        return Server(
            address, psutil.Process(process.pid), tmp_path / "kept", tmp_path / "media" / "incoming"
        )

    yield run
    for process in started:
        process.terminate()
        process.wait(DEADLINE_S)


def test_forms_of_every_kind_arrive_whole(start: Callable[..., Server]) -> None:
    server = start()
    # Two files, a name in UTF-8, and one that would be a path.
    second = (
        '--xyz\r\nContent-Disposition: form-data; name="b"; filename="../../Größe 🎬.mov"\r\n\r\n'.encode()
    )
    body = HEAD + b"one\r\n--xyz" + b"\r\n" + second.removeprefix(b"--xyz\r\n") + b"two" + TAIL
    status, told = server.post(body)
    assert status == 200
    assert [(file["name"], file["size_bytes"]) for file in told["files"].values()] == [
        ("x.mov", 3),
        ("Größe 🎬.mov", 3),
    ]
    # An empty file is one of no bytes; a form without a file is for the view to refuse.
    assert server.post(HEAD + TAIL)[1]["files"]["file"]["size_bytes"] == 0
    assert server.post(field("title", "Größe") + TAIL[2:]) == (
        200,
        {"fields": {"title": ["Größe"]}, "files": {}},
    )
    # Chunked: nobody says how long it is.
    connection = server.connect()
    connection.request(
        "POST",
        "/api/video/",
        body=iter([HEAD[:20], HEAD[20:], b"content", TAIL]),
        headers={"Content-Type": TYPE, "Authorization": f"Token {server.token}"},
        encode_chunked=True,
    )
    assert said(connection)[1]["files"]["file"]["sha256"] == hashlib.sha256(b"content").hexdigest()
    until(lambda: not server.left())


def test_a_session_is_as_good_as_a_key(start: Callable[..., Server], settings: Any) -> None:
    server = start()
    client = Client()
    client.force_login(User.objects.get())
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    assert server.post(HEAD + TAIL, authorization="", cookie=cookie)[0] == 200
    assert server.post(HEAD + TAIL, authorization="", cookie=cookie[:-3])[0] == 401


def test_a_large_body_takes_disk_and_no_memory_and_adopting_it_is_a_rename(
    start: Callable[..., Server],
) -> None:
    server = start()
    server.post(HEAD + TAIL)  # everything is loaded
    before_bytes = server.process.memory_info().rss
    block, count = os.urandom(1 << 20), 150
    tail = b"\r\n" + field("keep", "big").removesuffix(b"\r\n") + TAIL
    connection = server.begin(content_length=str(len(HEAD) + count * len(block) + len(tail)))
    connection.send(HEAD)
    most_bytes = 0
    for _ in range(count):
        connection.send(block)
        most_bytes = max(most_bytes, server.process.memory_info().rss)
    connection.send(tail)
    status, told = said(connection)
    assert (status, told["files"]["file"]["size_bytes"]) == (200, count * len(block))
    whole = hashlib.sha256()
    for _ in range(count):
        whole.update(block)
    assert told["files"]["file"]["sha256"] == whole.hexdigest()
    assert (server.folder / "big-file").stat().st_size == count * len(block)
    assert most_bytes - before_bytes < 24 << 20


def test_strangers_are_answered_before_they_send_and_asked_not_to_go_on(start: Callable[..., Server]) -> None:
    server = start()
    connection = server.begin(content_length=str(10 << 30), authorization="Token wrong")
    response = connection.getresponse()
    assert (response.status, response.headers["connection"]) == (401, "close")
    assert json.loads(response.read())["error"]["code"] == "not_authenticated"
    # One that goes on all the same is cut off.
    deaf = server.begin(content_length=str(10 << 30), authorization="Token wrong")

    def is_cut_off() -> bool:
        try:
            deaf.sock.sendall(bytes(1 << 16))
        except OSError:
            return True
        return False

    until(is_cut_off)
    deaf.close()
    assert not server.left()


def test_who_expects_to_be_told_to_go_on_is_told_so_only_when_known(start: Callable[..., Server]) -> None:
    server = start()
    body = HEAD + b"content" + TAIL
    connection = server.begin(content_length=str(len(body)), expect="100-continue")
    assert connection.sock.recv(1024).startswith(b"HTTP/1.1 100 ")
    connection.send(body)
    assert said(connection)[0] == 200
    stranger = server.begin(content_length=str(len(body)), expect="100-continue", authorization="")
    assert stranger.sock.recv(1024).startswith(b"HTTP/1.1 401 ")
    stranger.close()


def test_a_full_line_is_told_before_the_body_also_by_rushes_upload(
    start: Callable[..., Server], tmp_path: Path
) -> None:
    server = start(RUSHES_QUEUE_LIMIT="1")
    job = enqueue("chunk", group="somebody's video")
    refused = server.begin(content_length=str(1 << 30)).getresponse()
    assert (refused.status, refused.headers["retry-after"], refused.headers["connection"]) == (
        503,
        "60",
        "close",
    )
    assert json.loads(refused.read())["error"]["code"] == "queue_full"
    large = tmp_path / "large.mov"
    with large.open("wb") as file:
        file.truncate(1 << 30)  # a hole: it takes no room
    host, port = server.address
    url = f"http://{host}:{port}"
    ended = CliRunner().invoke(main, ["upload", str(large), "--url", url, "--token", server.token])
    assert ended.exit_code == 1
    assert "A video that came before yours is still being worked on" in ended.output
    assert not server.left()
    cancel([job.pk])
    assert server.post(HEAD + TAIL)[0] == 200


def test_a_sender_that_goes_away_leaves_nothing(start: Callable[..., Server]) -> None:
    server = start()
    connection = server.begin(content_length=str(10 << 20))
    connection.send(HEAD + bytes(3 << 20))
    until(server.left)
    connection.close()
    until(lambda: not server.left())
    assert not (server.folder / "asked").exists()


def test_after_the_last_byte_the_sender_may_go(start: Callable[..., Server]) -> None:
    server = start()
    body = field("keep", "kept") + field("wait", "go") + HEAD + b"content" + TAIL
    connection = server.begin(content_length=str(len(body)))
    connection.send(body)
    until((server.folder / "asked").exists)
    connection.close()
    # The server has seen that it is gone once it has answered another.
    assert server.post(HEAD + TAIL)[0] == 200
    (server.folder / "go").touch()
    until((server.folder / "kept-file").exists)
    until(lambda: not server.left())


def test_a_slow_body_is_taken(start: Callable[..., Server]) -> None:
    server = start()
    body = HEAD + b"content" + TAIL
    connection = server.begin(content_length=str(len(body)))
    for at in range(len(body)):
        connection.sock.sendall(body[at : at + 1])
        time.sleep(0.002)
    assert said(connection)[0] == 200


def test_what_is_too_large_is_refused_by_its_length_and_as_it_comes(start: Callable[..., Server]) -> None:
    server = start(RUSHES_MAX_UPLOAD_MB="1")
    connection = server.begin(content_length=str(10 << 20))
    assert said(connection)[0] == 413
    connection = server.connect()
    connection.request(
        "POST",
        "/api/video/",
        body=iter([HEAD, *[bytes(1 << 16)] * 32]),
        headers={"Content-Type": TYPE, "Authorization": f"Token {server.token}"},
        encode_chunked=True,
    )
    status, told = said(connection)
    assert (status, told["error"]["code"]) == (413, "too_large")
    until(lambda: not server.left())


@pytest.mark.parametrize("chunked", [False, True])
def test_other_bodies_are_small(start: Callable[..., Server], chunked: bool) -> None:
    server = start()
    connection = server.connect()
    connection.request("POST", "/login/", body=b"a=1")
    assert said(connection)[0] == 200
    connection = server.connect()
    connection.putrequest("POST", "/login/")
    if chunked:
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        for _ in range(3):
            connection.send(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
    else:
        connection.putheader("Content-Length", str(1 << 30))
        connection.endheaders()
    assert said(connection)[0] == 413
