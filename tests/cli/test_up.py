"""`make run`: one command starts everything, keeps it running, and leaves nothing behind."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from rushes.config.environment import VARIABLES
from tests.clones import MADE, make, make_clone

PATIENCE_S = 90.0
#: The promise; the processes' own graces add up to less, however busy the machine is.
STOP_LIMIT_S = 10.0
SECOND_START_LIMIT_S = 15.0  # three times the promise


def wait_until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    deadline_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline_s, "what was waited for did not happen"
        time.sleep(0.05)


def environ(folder: Path, **variables: str) -> dict[str, str]:
    """As on a machine where nothing is configured."""
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    clean.pop("DJANGO_SETTINGS_MODULE", None)
    return clean | {"RUSHES_VAR": str(folder), **variables}


@dataclass
class Running:
    """What was started, and what it printed."""

    process: subprocess.Popen[str]
    printed: list[str]
    credentials: dict[str, str]

    @property
    def url(self) -> str:
        return self.credentials["url"]

    def part(self, name: str) -> list[psutil.Process]:
        """The living processes of `rushes serve` or `rushes worker`."""
        return [child for child in self.family() if _is(child, name)]

    def family(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}healthz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


def _is(process: psutil.Process, name: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and f" rushes {name}" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def start(command: list[str], folder: Path, *, process_group: int | None = None, **variables: str) -> Running:
    """Start it and wait until it says how to get in."""
    process = subprocess.Popen(
        command,
        env=environ(folder, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=process_group,
    )
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        printed.append(line.rstrip())
        if line.startswith("Ctrl-C"):
            break
    else:
        pytest.fail(f"it ended: {printed}")
    return Running(process, printed, json.loads((folder / "credentials.json").read_text()))


UP = [sys.executable, "-m", "rushes", "up", "--port", "0"]


def stop(running: Running, number: int = signal.SIGTERM) -> None:
    family = running.family()
    running.process.send_signal(number)
    running.process.wait(STOP_LIMIT_S)
    assert not psutil.wait_procs(family, 0)[1], "something was left running"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up") / "var"


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Running]:
    running = start(UP, folder, ENCODING_WORKERS="1")
    yield running
    if running.process.poll() is None:
        stop(running)


def test_it_prints_how_to_get_in_and_the_token_works(running: Running, folder: Path) -> None:
    assert any(running.credentials[name] in " ".join(running.printed) for name in ("url", "password"))
    assert running.credentials.keys() >= {"url", "username", "password", "token"}
    for name in ("credentials.json", "secret_key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert httpx.get(f"{running.url}readyz", timeout=PATIENCE_S).json()["ready"] is True
    headers = {"Authorization": f"Token {running.credentials['token']}"}
    assert httpx.get(f"{running.url}api/video/", headers=headers, timeout=PATIENCE_S).json()["count"] == 0
    headers["Authorization"] += "x"
    assert httpx.get(f"{running.url}api/video/", headers=headers, timeout=PATIENCE_S).status_code == 401


def test_the_password_signs_in(running: Running) -> None:
    with httpx.Client(base_url=running.url, timeout=PATIENCE_S, follow_redirects=True) as client:
        page = client.get("/admin/login/")
        form = {
            "csrfmiddlewaretoken": page.cookies["rushes_csrf"],
            "username": running.credentials["username"],
            "password": running.credentials["password"],
            "next": "/admin/",
        }
        assert client.post("/admin/login/", data=form).url.path == "/admin/"


@pytest.mark.parametrize("name", ["serve", "worker"])
def test_a_process_that_is_killed_is_started_again_and_it_answers(running: Running, name: str) -> None:
    wait_until(lambda: running.part(name))
    (before,) = running.part(name)
    before.kill()
    wait_until(lambda: (now := running.part(name)) and now != [before])
    wait_until(running.answers)
    assert running.process.poll() is None


def test_ctrl_c_ends_all_of_it_and_the_second_start_is_quick_and_the_same(
    running: Running, folder: Path
) -> None:
    stop(running, signal.SIGINT)
    assert running.process.returncode == 0
    started_s = time.monotonic()
    again = start(UP, folder)
    assert time.monotonic() - started_s < SECOND_START_LIMIT_S
    try:
        for name in ("username", "password", "token"):
            assert again.credentials[name] == running.credentials[name]
    finally:
        stop(again)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_make_alone_ends_all_of_it(folder: Path, tmp_path: Path, number: int) -> None:
    """As process managers do it: make, and nobody else, gets the signal."""
    clone = make_clone(tmp_path, *MADE)
    running = start(make("run", "PORT=0", "-C", str(clone)), folder)
    family = running.family()
    assert any(_is(process, "serve") for process in family)
    running.process.send_signal(number)
    running.process.wait(STOP_LIMIT_S)
    wait_until(lambda: not any(process.is_running() for process in family), STOP_LIMIT_S)


def test_ctrl_c_at_make_ends_all_of_it(folder: Path, tmp_path: Path) -> None:
    """As a terminal does it: everybody gets the signal."""
    clone = make_clone(tmp_path, *MADE)
    running = start(make("run", "PORT=0", "-C", str(clone)), folder, process_group=0)
    family = running.family()
    os.killpg(running.process.pid, signal.SIGINT)
    running.process.wait(STOP_LIMIT_S)
    assert not psutil.wait_procs(family, 0)[1], "something was left running"


def test_a_killed_supervisor_leaves_nothing_behind(folder: Path) -> None:
    running = start(UP, folder)
    family = running.family()
    assert len(family) >= 2
    running.process.kill()
    running.process.wait()
    wait_until(lambda: not any(process.is_running() for process in family), STOP_LIMIT_S)


def test_workers_that_end_after_a_job_are_started_again_until_all_is_done(
    tmp_path: Path, clip: Callable[..., Path]
) -> None:
    folder = tmp_path / "var"
    running = start(UP, folder, RUSHES_WORKER_MAX_JOBS="1", ENCODING_WORKERS="2", WORKER_ID="studio")
    try:
        headers = {"Authorization": f"Token {running.credentials['token']}"}
        with httpx.Client(base_url=running.url, headers=headers, timeout=PATIENCE_S) as client:
            with clip(duration_s=3).open("rb") as file:
                video = client.post("api/video/", files={"file": ("clip.mp4", file)}).json()
            address = f"api/video/{video['public_id']}/"
            wait_until(lambda: client.get(address).json()["status"] == "ready", 3 * PATIENCE_S)
    finally:
        stop(running)
    with contextlib.closing(sqlite3.connect(folder / "rushes.sqlite3")) as database:
        workers = database.execute("SELECT name FROM jobs_worker").fetchall()
        ended = database.execute(
            "SELECT COUNT(*), SUM(interruptions), SUM(failures) FROM jobs_job"
        ).fetchone()
    assert set(workers) == {("studio-1",), ("studio-2",)}
    assert ended[0] > 2
    assert ended[1:] == (0, 0)


def refused(*arguments: str, folder: Path, **variables: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "rushes", "up", *arguments],
        env=environ(folder, **variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    return ended.stderr


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused("--port", str(port), folder=tmp_path)
    assert f"127.0.0.1 port {port}" in line
    assert "in use" in line
    assert f"PORT={port + 1}" in line
    assert not (tmp_path / "rushes.sqlite3").exists()  # nothing was begun


def test_a_folder_that_can_not_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "var"
    line = refused("--port", "0", folder=folder)
    assert str(folder) in line
    assert "RUSHES_VAR" in line


def test_a_refused_environment_and_a_database_that_is_not_there_are_one_clear_line(tmp_path: Path) -> None:
    assert "RUSHES_KEEPSOURCE" in refused("--port", "0", folder=tmp_path, RUSHES_KEEPSOURCE="1")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    nowhere = f"postgres://nobody@127.0.0.1:{port}/nothing"
    assert "DATABASE_URL" in refused("--port", "0", folder=tmp_path, DATABASE_URL=nowhere)
