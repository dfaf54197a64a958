"""The API behind the product's own ASGI application: forms are streamed, and views get the files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from rushes.engine.plan import Plan
from rushes.videos.access import sign_playback
from rushes.videos.keys import make_key
from rushes.videos.models import Video

pytestmark = pytest.mark.django_db(transaction=True)

Ask = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]
CONTENT = b"a video, for all that the API knows" * 10_000


@pytest.fixture
def served() -> Callable[..., httpx.Response]:
    """`served(ask, **headers)`: one request to a fresh client of the application."""
    from rushes.config.asgi import application

    def run(ask: Ask, cookies: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        async def inside() -> httpx.Response:
            transport = httpx.ASGITransport(app=application)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost", headers=headers, cookies=cookies
            ) as client:
                return await ask(client)

        return async_to_sync(inside)()

    return run


@pytest.fixture
def sender(transactional_db: None) -> User:
    return User.objects.create_user("sender", password="a password")


def form(content: bytes = CONTENT) -> dict[str, Any]:
    return {"file": ("My holiday.mov", content, "video/quicktime")}


def test_a_form_is_streamed_to_where_the_source_will_be(served: Any, sender: User, media: Path) -> None:
    _, secret = make_key(sender, "test", ["submit"])
    words = {"title": "Größe & mehr", "visibility": "unlisted", "external_ref": "17"}
    answer = served(
        lambda client: client.post("/api/video/", data=words, files=form()), Authorization=f"Token {secret}"
    )
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert {name: told[name] for name in words} == words
    video = Video.objects.get()
    assert (video.owner, video.original_name, video.source_bytes) == (sender, "My holiday.mov", len(CONTENT))
    assert (media / video.source).read_bytes() == CONTENT
    assert not list((media / "incoming").iterdir())

    here = f"/api/video/{video.public_id}/"
    answer = served(
        lambda client: client.patch(here, files=form(b"another")), Authorization=f"Token {secret}"
    )
    assert answer.status_code == 202, answer.text
    video.refresh_from_db()
    assert (media / video.source).read_bytes() == b"another"


def test_what_a_view_refuses_leaves_nothing_on_the_disk(served: Any, sender: User, media: Path) -> None:
    _, secret = make_key(sender, "test", ["submit"])
    for files, words in ((form(b""), {}), (form(), {"visibility": "all"}), ({"other": form()["file"]}, {})):
        answer = served(
            lambda client, files=files, words=words: client.post("/api/video/", data=words, files=files),
            Authorization=f"Token {secret}",
        )
        assert answer.status_code == 400, answer.text
        assert set(answer.json()["error"]["fields"]) <= {"file", "visibility"}
    assert not Video.objects.exists()
    assert not list((media / "incoming").iterdir())


def test_who_is_signed_in_sends_the_csrf_token_along(served: Any, sender: User) -> None:
    browser = Client()
    browser.force_login(sender)
    browser.get("/upload/")
    cookies = {name: morsel.value for name, morsel in browser.cookies.items()}

    def post(client: httpx.AsyncClient) -> Awaitable[httpx.Response]:
        return client.post("/api/video/", files=form())

    forged = served(post, cookies)
    assert (forged.status_code, forged.json()["error"]["code"]) == (403, "permission_denied")
    assert served(post, cookies, **{"X-CSRFToken": cookies["rushes_csrf"]}).status_code == 201


def test_strangers_are_refused_before_their_file_is_read(served: Any, db: None, media: Path) -> None:
    answer = served(lambda client: client.post("/api/video/", files=form()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_authenticated")
    assert not list((media / "incoming").iterdir())


def test_the_addresses_of_a_private_video_open_without_a_header(
    served: Any, api: APIClient, video: Video, planned: Callable[..., Plan]
) -> None:
    planned()
    told = api.get(f"/api/video/{video.public_id}/").json()
    path, _, token = told["url_hls"].partition("http://testserver")[2].partition("?")
    other = sign_playback("another", 60)
    for query, status in ((token, 200), ("", 404), (f"token={other}", 404), ("token=", 404)):
        answer = served(lambda client, query=query: client.get(f"{path}?{query}"))
        assert answer.status_code == status, query
        if status == 200:
            assert answer.text.startswith("#EXTM3U")
            assert token in answer.text, "what it names opens, too"
        else:
            assert set(answer.json()["error"]) == {"code", "message", "fields"}
