"""Photos with media of the test alone, and clients that ask for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User

from rushes.engine.slots import Slots
from rushes.photos import handlers as photo_handlers  # noqa: F401  # registers the kinds
from rushes.photos.intake import create_photo
from rushes.photos.models import Photo
from rushes.photos.serving import PhotoFiles
from rushes.pipeline import handlers, workshop  # noqa: F401  # registers the kinds
from tests.photos.making import encoded


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MEDIA_ROOT; and CPU slots of this test alone."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.SCRATCH_ROOT = tmp_path / "media" / "scratch"
    settings.INCOMING_ROOT = tmp_path / "media" / "incoming"
    (tmp_path / "media").mkdir()
    slots = Slots(tmp_path / "slots", reserved=3)
    monkeypatch.setattr(workshop, "slots", lambda: slots)
    return tmp_path / "media"


@pytest.fixture
def owner(transactional_db: None) -> User:
    return User.objects.create_user("ann")


@pytest.fixture
def upload(owner: User, tmp_path: Path) -> Callable[..., Photo]:
    """`upload(bytes)`: a new photo of ann's, not yet worked on."""

    def make(data: bytes | None = None, **fields: Any) -> Photo:
        path = tmp_path / "incoming photo"
        path.write_bytes(encoded() if data is None else data)
        return create_photo(**{"owner": owner, "path": path, "original_name": "IMG_1.HEIC", **fields})

    return make


@pytest.fixture
def get() -> Callable[..., httpx.Response]:
    """`get(address, if_none_match=...)`: one request to the application that serves pictures."""

    def ask(path: str, method: str = "GET", **headers: str) -> httpx.Response:
        async def inside() -> httpx.Response:
            transport = httpx.ASGITransport(app=PhotoFiles())
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                named = {name.replace("_", "-"): value for name, value in headers.items()}
                return await client.request(method, path, headers=named)

        return async_to_sync(inside)()

    return ask
