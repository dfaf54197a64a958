"""/healthz answers as long as the process does; /readyz says whether it can work."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connection

from rushes.config.asgi import application

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]


def get(path: str, method: str = "GET") -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=application)  # type: ignore[arg-type]
        # Probes ask by addresses that Django's ALLOWED_HOSTS does not know.
        async with httpx.AsyncClient(transport=transport, base_url="http://10.1.2.3") as client:
            return await client.request(method, path)

    return asyncio.run(ask())


def test_a_process_that_answers_is_healthy() -> None:
    answer = get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"healthy": True})
    assert answer.headers["cache-control"] == "no-store"
    assert get("/healthz", "HEAD").content == b""
    assert get("/healthz", "POST").status_code == 405


def test_it_is_ready_when_database_ffmpeg_and_media_are(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "made" / "when asked"
    answer = get("/readyz")
    checks = {"database": "ok", "ffmpeg": "ok", "media": "ok"}
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "checks": checks})


def test_a_media_folder_that_can_not_be_written_is_named_without_its_path(
    settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    settings.MEDIA_ROOT = tmp_path / "file" / "media"
    answer = get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "ok", "ffmpeg": "ok", "media": "it is not writable"}
    assert str(tmp_path) not in answer.text


@pytest.fixture
def no_tables() -> Iterator[None]:
    """As before the first migration."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_migrations RENAME TO elsewhere")
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE elsewhere RENAME TO django_migrations")


@pytest.mark.usefixtures("no_tables")
def test_a_database_without_tables_is_not_ready_but_the_process_is_healthy() -> None:
    answer = get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "it does not answer"
    assert get("/healthz").status_code == 200
