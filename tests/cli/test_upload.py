"""`rushes upload`: to a real server on loopback that answers as Rushes does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from rushes.cli import main


class Answers(BaseHTTPRequestHandler):
    """Takes an upload if its token is right."""

    bodies: list[bytes] = []  # noqa: RUF012  # of the whole server
    paths: list[str] = []  # noqa: RUF012  # that files were sent to
    asked = 0

    def do_POST(self) -> None:  # the library's name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != "Token right":
            self.say(401, {"error": {"code": "x", "message": "This token is unknown.", "fields": {}}})
            return
        Answers.bodies.append(body)
        Answers.paths.append(self.path)
        self.say(201, {"public_id": "abc", "status": "pending", "playable": False})

    def do_GET(self) -> None:
        Answers.asked += 1
        status = "failed" if self.path.endswith("bad/") else "ready"
        self.say(200, {"public_id": "abc", "status": status, "playable": True, "error": None})

    def say(self, status: int, told: object) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def clip_file(tmp_path: Path) -> Path:
    path = tmp_path / "my clip.mp4"
    path.write_bytes(b"content" * 100_000)
    return path


def run(*arguments: str, **environ: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["upload", *arguments], env=environ)
    return result.exit_code, result.output


def test_the_file_and_its_title_arrive_whole(url: str, clip_file: Path) -> None:
    code, said = run(str(clip_file), "--url", url, "--token", "right", "--title", "Größe")
    assert (code, said.strip()) == (0, f"{url}/v/abc/")
    body = Answers.bodies[-1]
    assert clip_file.read_bytes() in body
    assert "Größe".encode() in body
    assert b'filename="my clip.mp4"' in body


def test_a_photo_goes_where_photos_go(url: str, tmp_path: Path) -> None:
    (tmp_path / "dog").write_bytes(b"\x89PNG\r\n\x1a\n and so on")
    code, said = run(str(tmp_path / "dog"), "--url", url, "--token", "right", "--wait", "playable")
    assert (code, said.strip()) == (0, f"{url}/p/abc/")
    assert Answers.paths[-1] == "/api/photo/"


def test_it_waits_until_ready_and_speaks_json(url: str, clip_file: Path) -> None:
    code, said = run(str(clip_file), "--url", url, "--token", "right", "--wait", "ready", "--json")
    assert code == 0
    assert json.loads(said)["status"] == "ready"


def test_credentials_come_from_the_instance_of_make_run(url: str, clip_file: Path, tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text(json.dumps({"url": url, "token": "right"}))
    assert run(str(clip_file), RUSHES_VAR=str(tmp_path))[0] == 0


def test_the_key_of_make_run_goes_to_no_other_server(url: str, clip_file: Path, tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text(json.dumps({"url": "http://127.0.0.1:1", "token": "right"}))
    code, said = run(str(clip_file), "--url", url, RUSHES_VAR=str(tmp_path))
    assert code == 1
    assert "give --token" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--token", "wrong"], "This token is unknown."),
        (["--url", "http://127.0.0.1:1", "--token", "right"], "does not answer"),
        (["--url", "nonsense", "--token", "right"], "is not an address"),
        (["--url", "http://127.0.0.1:abc", "--token", "right"], "is not an address"),
    ],
)
def test_what_goes_wrong_is_one_line_and_status_1(
    url: str, clip_file: Path, arguments: list[str], sentence: str
) -> None:
    code, said = run(str(clip_file), "--url", url, *arguments)
    assert code == 1
    assert sentence in said
    assert said.count("\n") == 1


def test_without_an_instance_it_says_what_to_do(clip_file: Path, tmp_path: Path) -> None:
    code, said = run(str(clip_file), RUSHES_VAR=str(tmp_path / "none"))
    assert code == 1
    assert "make run" in said
