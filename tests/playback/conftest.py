"""A planned video with some of its files, and a client that asks the app without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import connections

from rushes.engine.plan import Plan
from rushes.engine.planning import make_plan
from rushes.engine.settings import Settings
from rushes.pipeline import handlers  # noqa: F401  # registers the kinds
from rushes.pipeline.plans import rendition_row, text_of
from rushes.playback.app import PlaybackApp
from rushes.videos.models import Encode, Rendition, Video
from rushes.videos.store import hls_store
from tests.engine.sources import film, sound

T = TypeVar("T")


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    (tmp_path / "media").mkdir()
    return tmp_path / "media"


@pytest.fixture
def plan() -> Plan:
    return make_plan(film(duration_s=60, tracks=[sound(1)]), Settings(rungs=(720, 360), copy=False), "build")


@pytest.fixture
def owner(transactional_db: None) -> User:
    return User.objects.create_user("ann")


@pytest.fixture
def video(owner: User, plan: Plan) -> Video:
    """Public, with a plan, and nothing made yet."""
    video = Video.objects.create(owner=owner, title="A film: one", visibility="public", status="processing")
    encode = Encode.objects.create(
        video=video,
        state="active",
        plan_json=text_of(plan),
        plan_version=plan.version,
        plan_key=plan.key,
        source="sources/x",
    )
    Rendition.objects.bulk_create(
        rendition_row(encode, n, r, promised_bytes=0) for n, r in enumerate(plan.renditions)
    )
    Video.objects.filter(pk=video.pk).update(active_encode=encode)
    video.refresh_from_db()
    return video


@pytest.fixture
def publish(video: Video, plan: Plan, tmp_path: Path) -> Callable[..., bytes]:
    """`publish("360p", 0)` puts a segment into the store; its bytes."""

    def put(rendition: str, number: int | None, content: bytes = b"0123456789" * 10) -> bytes:
        planned = plan.rendition(rendition)
        name = planned.init_name if number is None else planned.segment_name(number)
        (tmp_path / "made").write_bytes(content)
        hls_store(video.pk).put(name, tmp_path / "made")
        return content

    return put


async def aside(work: Callable[..., T], *arguments: Any) -> T:
    """Ask or change the database from within an event loop; no connection is left behind in the thread."""

    def run() -> T:
        try:
            return work(*arguments)
        finally:
            connections.close_all()

    return await asyncio.to_thread(run)


class Viewer:
    """Asks a fresh app; every call is a world of its own unless made within `run`."""

    def __init__(self, hold_s: float) -> None:
        self.hold_s = hold_s

    def run(self, work: Callable[[httpx.AsyncClient, PlaybackApp], Awaitable[T]]) -> T:
        """Do `work(client, app)` on an event loop."""

        async def inside() -> T:
            app = PlaybackApp(hold_s=self.hold_s)
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                try:
                    return await work(client, app)
                finally:
                    app.close()

        return async_to_sync(inside)()

    def get(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        """One request; `if_none_match=` is a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.run(lambda client, _: client.request(method, path, headers=named))


@pytest.fixture
def viewer() -> Viewer:
    return Viewer(hold_s=0.3)


@pytest.fixture
def here(video: Video) -> str:
    return f"/api/video/{video.public_id}/"
