"""What the benchmarks of the product share: an instance of its own, uploads with a clock, and a look at its ledger."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.crash.instance import Api, Instance, product_environment, wait_until

QUIET_LIMIT_S = 120.0
WORK_LIMIT_S = 3600.0
_BLOCK_BYTES = 1 << 20
_LAST_BYTES = 1 << 16  # held back, so that the server has taken in all before them when the clock starts
_CATCH_UP_S = 0.3
#: Each question costs the machine that is measured 10 ms of a core.
_POLL_S = 0.05
_SELDOM_S = 2.0


@contextmanager
def running(folder: Path, **variables: str) -> Iterator[Instance]:
    """An instance below `folder`, on SQLite unless `variables` say otherwise."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with Instance(product_environment(folder / "var", **variables), folder) as instance:
        yield instance


def use_ledger(folder: Path) -> None:
    """Set Django up in this process on the database of the instance below `folder`; once a process."""
    os.environ.update(product_environment(folder / "var"), DJANGO_SETTINGS_MODULE="rushes.config.settings")
    import django

    django.setup()


@dataclass(frozen=True)
class Sent:
    """An upload whose last byte was sent at `at_s` (monotonic)."""

    public_id: str
    at_s: float
    at: datetime  # the same moment on the clock that the product's times are of

    def until_playable(self, api: Api) -> float:
        """Seconds from the last byte until it was seen that it plays. Raises RuntimeError where it fails."""
        self._wait_for(api, "playable_at", _POLL_S)
        return time.monotonic() - self.at_s

    def until_ready(self, api: Api) -> float:
        """Seconds from the last byte to `ready_at`; asked for seldom. Raises RuntimeError where it fails."""
        return (datetime.fromisoformat(self._wait_for(api, "ready_at", _SELDOM_S)) - self.at).total_seconds()

    def _wait_for(self, api: Api, field: str, every_s: float) -> str:
        while (video := api.video(self.public_id))[field] is None:
            if video["status"] == "failed" or time.monotonic() - self.at_s > WORK_LIMIT_S:
                raise RuntimeError(f"{video['status']}: {video['error']}")
            time.sleep(every_s)
        return str(video[field])


def send(api: Api, path: Path, title: str) -> Sent:
    """Upload a file as a form does, the last bytes by themselves: sending the rest is the network's time."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="title"\r\n\r\n{title}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n'
        "Content-Type: video/mp4\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    size_bytes = path.stat().st_size
    parts = urlsplit(api.url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=120)
    connection.putrequest("POST", "/api/video/")
    connection.putheader("Authorization", api.http.headers["Authorization"])
    connection.putheader("Content-Type", f"multipart/form-data; boundary={boundary}")
    connection.putheader("Content-Length", str(len(head) + size_bytes + len(tail)))
    connection.endheaders(head)
    with path.open("rb") as file:
        left = max(0, size_bytes - _LAST_BYTES)
        while left:
            block = file.read(min(_BLOCK_BYTES, left))
            connection.send(block)
            left -= len(block)
        time.sleep(_CATCH_UP_S)
        last = file.read() + tail
    at_s, at = time.monotonic(), datetime.now(UTC)
    connection.send(last)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 201:
        raise RuntimeError(f"{answer.status}: {body[:500]!r}")
    return Sent(str(json.loads(body)["public_id"]), at_s, at)


def wait_until_quiet(instance: Instance) -> None:
    """Until no ffmpeg has run for a while."""
    quiet_since_s = time.monotonic()

    def quiet() -> bool:
        nonlocal quiet_since_s
        if instance.processes("ffmpeg"):
            quiet_since_s = time.monotonic()
        return time.monotonic() - quiet_since_s > 0.5

    wait_until(quiet, QUIET_LIMIT_S, "the instance is idle")
