"""How the test video of scripts/test_video_processing.py gets in and is seen: over HTTP, or by the database itself."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import click

from rushes.cli.product import connection_to
from rushes.cli.upload import Server

TITLE = "Test of the video processing"
ANSWER_LIMIT_S = 60.0


class Broken(Exception):
    """A stage did not come; the message says which, and what to look at."""


class Way(ABC):
    """How the test video gets in, and how its state comes out."""

    where: str

    @abstractmethod
    def send(self, path: Path) -> str:
        """Send the file; the public id."""

    @abstractmethod
    def look(self) -> dict[str, Any]:
        """`status`, `playable`, `error`; `worker` where that is known."""

    @abstractmethod
    def play(self) -> str:
        """Ask for what a player asks for first; what came. Raises Broken."""

    @abstractmethod
    def remove(self) -> None:
        """Remove the video."""


class OverHttp(Way):
    """The API of a running instance."""

    def __init__(self, address: str, token: str) -> None:
        self.where = address
        self._address, self._token = address, token
        self._server = Server(address, token)
        self._video: dict[str, Any] = {}

    def send(self, path: Path) -> str:
        """See Way."""
        self._video = self._server.send(path, {"title": TITLE, "visibility": "private"}, lambda size: None)
        return str(self._video["public_id"])

    def look(self) -> dict[str, Any]:
        """See Way."""
        self._video = self._server.video(self._video["public_id"])
        return self._video

    def play(self) -> str:
        """The first playlist, the first it names, and so on, down to the first bytes of the stream."""
        address = urljoin(f"{self._address}/", self._video["url_hls"])
        while True:
            body = self._get(address)
            if not body.startswith(b"#EXTM3U"):
                return f"{len(body)} bytes of {urlsplit(address).path.rpartition('/')[2]}"
            named = [line for line in body.decode().splitlines() if line and not line.startswith("#")]
            if not named:
                raise Broken(f"{urlsplit(address).path} names nothing that could be played")
            address = urljoin(address, named[0])

    def remove(self) -> None:
        """See Way."""
        self._server.delete(self._video["public_id"])

    def _get(self, address: str) -> bytes:
        parts = urlsplit(address)
        connection = connection_to(address, ANSWER_LIMIT_S)
        try:
            connection.request("GET", parts._replace(scheme="", netloc="").geturl())
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200 or not body:
            raise Broken(f"{parts.path} was answered {answer.status} {answer.reason}")
        return body


class InProcess(Way):
    """The database of this environment, and whatever workers it has."""

    where = "the database, without HTTP"

    def __init__(self) -> None:
        from rushes.videos.models import Video

        self._video = Video()

    def send(self, path: Path) -> str:
        """See Way."""
        from rushes.jobs.census import worker_states
        from rushes.pipeline.intake import create_video

        if not any(worker.alive for worker in worker_states()):
            click.echo("No worker is alive at this moment; start one: rushes worker", err=True)
        self._video = create_video(owner=None, path=path, original_name=path.name, title=TITLE)
        return self._video.public_id

    def look(self) -> dict[str, Any]:
        """See Way."""
        from rushes.jobs.models import Job

        self._video.refresh_from_db()
        job = Job.objects.filter(group=str(self._video.pk), kind="ingest").order_by("pk").first()
        return {
            "status": self._video.status,
            "playable": self._video.playable,
            "error": self._video.error,
            "worker": job.worker if job else "",
        }

    def play(self) -> str:
        """Every segment of the plan is on the disk."""
        from rushes.pipeline.health import health_of

        health = health_of(self._video)
        if not health["healthy"]:
            raise Broken(f"files are missing: {json.dumps(health['renditions'])}")
        count = sum(rendition["segments_on_disk"] for rendition in health["renditions"])
        return f"{count} segments on the disk, none missing"

    def remove(self) -> None:
        """See Way."""
        from rushes.pipeline.intake import delete_video

        delete_video(self._video)
