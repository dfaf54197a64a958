"""Users, their tokens and videos."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from rushes.engine.plan import Plan
from rushes.engine.planning import make_plan
from rushes.engine.settings import Settings
from rushes.pipeline import handlers  # noqa: F401  # registers the kinds
from rushes.pipeline.plans import rendition_row, text_of
from rushes.videos.keys import SCOPES, make_key
from rushes.videos.models import Encode, Video
from tests.engine.sources import film, sound


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.INCOMING_ROOT = tmp_path / "media" / "incoming"
    settings.SCRATCH_ROOT = tmp_path / "media" / "scratch"
    (tmp_path / "media" / "incoming").mkdir(parents=True)
    return tmp_path / "media"


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("ann", password="a password")


@pytest.fixture
def other(db: None) -> User:
    return User.objects.create_user("bob", password="a password")


@pytest.fixture
def client_of() -> Callable[..., APIClient]:
    """A client that signs in by a token with these scopes."""

    def make(user: User, scopes: tuple[str, ...] = SCOPES) -> APIClient:
        client = APIClient(raise_request_exception=False)
        _, secret = make_key(user, "test", scopes)
        client.credentials(HTTP_AUTHORIZATION=f"Token {secret}")
        return client

    return make


@pytest.fixture
def api(owner: User, client_of: Callable[..., APIClient]) -> APIClient:
    return client_of(owner)


@pytest.fixture
def anybody() -> APIClient:
    return APIClient(raise_request_exception=False)


@pytest.fixture
def video(api: APIClient) -> Video:
    answer = api.post("/api/video/", {"file": some_file(), "title": "One"}, format="multipart")
    assert answer.status_code == 201, answer.content
    return Video.objects.get(public_id=answer.json()["public_id"])


@pytest.fixture
def planned(video: Video) -> Callable[..., Plan]:
    """`planned(complete=["720p"])`: the video has a plan that players get, and these renditions whole."""

    def make(complete: Collection[str] = (), **fields: Any) -> Plan:
        plan = make_plan(
            film(duration_s=60, tracks=[sound(1)]), Settings(rungs=(720, 360), copy=False), "build"
        )
        encode = Encode.objects.create(
            video=video,
            state="active",
            plan_json=text_of(plan),
            plan_version=plan.version,
            plan_key=plan.key,
            source=video.source,
            **fields,
        )
        for position, rendition in enumerate(plan.renditions):
            row = rendition_row(encode, position, rendition, promised_bytes=0)
            row.chunks_done = row.chunk_count if row.name in complete else 0
            row.save()
        Video.objects.filter(pk=video.pk).update(
            active_encode=encode, duration_s=60.0, width=1280, height=720
        )
        return plan

    return make


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Hold an answer against the promised shape; its `fields`."""
    assert answer.status_code == status, answer.content
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "fields"}
    assert error["code"] == code
    assert error["message"]
    return error["fields"]  # type: ignore[no-any-return]


def some_file(
    content: bytes = b"a video, for all that the API knows", name: str = "clip.mp4"
) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="video/mp4")
