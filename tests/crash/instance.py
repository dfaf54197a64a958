"""The product as `make run` starts it, and a client of its API: for proofs and benchmarks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx
import psutil

from rushes.engine.binaries import toolchain

Kind = Literal["web", "worker", "ffmpeg"]

ROOT = Path(__file__).resolve().parent.parent.parent
START_LIMIT_S = 60.0
STOP_LIMIT_S = 30.0  # three times what is promised
ANSWER_LIMIT_S = 60.0  # requests for segments are held for up to 30 s


class Instance:
    """`rushes up` on a free port, from entering the block to leaving it; what it says goes to `folder/said.log`.

    `environ` is the whole environment of its processes; RUSHES_VAR in it says where it writes.
    """

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = dict(environ)
        self._var = Path(environ["RUSHES_VAR"])
        self.log = folder / "said.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = self.token = ""

    def __enter__(self) -> Self:
        credentials = self._var / "credentials.json"
        credentials.unlink(missing_ok=True)  # of an earlier start: the port was another
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rushes", "up", "--port", "0"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environ,
                cwd=ROOT,
            )
        try:
            wait_until(lambda: self._gone() or credentials.exists(), START_LIMIT_S, "the product starts")
            assert not self._gone(), self.log.read_text()
            told = json.loads(credentials.read_text())
            self.url, self.token = told["url"].rstrip("/"), told["token"]
            wait_until(lambda: self._gone() or self._answers(), START_LIMIT_S, "the web process answers")
            wait_until(lambda: self._gone() or self.processes("worker"), START_LIMIT_S, "a worker runs")
            assert not self._gone(), self.log.read_text()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it in order, and see that nothing is left of it."""
        assert self._process is not None
        if self._gone():
            return
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        _, left = psutil.wait_procs(family, timeout=STOP_LIMIT_S)
        assert left == [], "processes outlive `rushes up`"

    def processes(self, kind: Kind | None = None) -> list[psutil.Process]:
        """Its living processes of that kind; None: all, the supervisor excepted."""
        assert self._process is not None
        found = []
        for process in psutil.Process(self._process.pid).children(recursive=True):
            try:
                if process.status() != psutil.STATUS_ZOMBIE and kind in (None, _kind(process)):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def client(self) -> Api:
        """A client that signs in by the instance's token."""
        return Api(self.url, self.token)

    def _gone(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False


class Api:
    """What the proofs ask of the HTTP API. Errors of the transport are httpx's; a refusal is HTTPStatusError."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.http = httpx.Client(
            base_url=url, headers={"Authorization": f"Token {token}"}, timeout=ANSWER_LIMIT_S
        )

    def upload(self, path: Path, title: str) -> dict[str, Any]:
        """Send a file as a form does; the video."""
        with path.open("rb") as file:
            answer = self.http.post("/api/video/", data={"title": title}, files={"file": (path.name, file)})
        return self._json(answer)

    def video(self, public_id: str) -> dict[str, Any]:
        """One video."""
        return self._json(self.http.get(f"/api/video/{public_id}/"))

    def videos(self) -> list[dict[str, Any]]:
        """All videos."""
        found: list[dict[str, Any]] = []
        url: str | None = "/api/video/"
        while url:
            page = self._json(self.http.get(url))
            found += page["results"]
            url = page["next"]
        return found

    def delete(self, public_id: str) -> None:
        """Remove a video and all it has."""
        self.http.delete(f"/api/video/{public_id}/").raise_for_status()

    def _json(self, answer: httpx.Response) -> dict[str, Any]:
        if answer.is_error:
            raise httpx.HTTPStatusError(
                f"{answer.status_code}: {answer.text[:500]}", request=answer.request, response=answer
            )
        return dict(answer.json())


def product_environment(var: Path, **variables: str) -> dict[str, str]:
    """The environment of an instance of its own below `var`, whatever this process was started with."""
    ours = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "FFMPEG_PATH", "FFPROBE_PATH", "VIRTUAL_ENV"}
    kept = {name: value for name, value in os.environ.items() if name in ours}
    return kept | {"RUSHES_VAR": str(var), "PYTHONPATH": str(ROOT)} | variables


def wait_until(condition: Callable[[], object], within_s: float, what: str, *, pause_s: float = 0.05) -> None:
    """Wait for a condition; `what` is said where it does not come."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {within_s:g} s: {what}"
        time.sleep(pause_s)


def ffmpegs_below(folder: Path) -> list[psutil.Process]:
    """Every ffmpeg and ffprobe on this machine, whoever started it, that works below `folder` or on a file in it."""
    found = []
    for process in psutil.process_iter():
        try:
            if _kind(process) != "ffmpeg" or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if folder in Path(process.cwd()).parents or any(
                str(folder) in part for part in process.cmdline()
            ):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def _kind(process: psutil.Process) -> Kind | None:
    tools = toolchain()
    command = process.cmdline()
    if command and command[0] in (str(tools.ffmpeg.path), str(tools.ffprobe.path)):
        return "ffmpeg"
    for kind, names in {"web": {"serve"}, "worker": {"worker", "engine-worker"}}.items():
        if "rushes" in command and names & set(command):
            return kind  # type: ignore[return-value]
    return None
