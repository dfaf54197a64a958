"""A line that is full takes no more uploads, says so before they are sent, and loses none that it has taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from rushes.jobs.ledger import cancel_group, enqueue
from rushes.jobs.models import Job, Status
from rushes.pipeline import backpressure, handlers  # noqa: F401  # registers the kinds
from rushes.videos.keys import make_key
from rushes.videos.models import Video
from tests.api.conftest import refused, some_file

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

LIMIT_S = 60.0
BOUNDARY = b"--xyz\r\n"
HEAD = BOUNDARY + b'Content-Disposition: form-data; name="file"; filename="x.mov"\r\n\r\n'
TAIL = b"\r\n--xyz--\r\n"


@pytest.fixture(autouse=True)
def limit(settings: Any) -> None:
    settings.RUSHES_QUEUE_LIMIT = 3


def fill(count: int) -> list[Job]:
    return [enqueue("chunk", group=f"video {number}") for number in range(count)]


def post(api: APIClient) -> Any:
    return api.post("/api/video/", {"file": some_file()}, format="multipart")


def test_past_the_limit_the_api_refuses_in_its_shape_with_a_time_to_come_back(api: APIClient) -> None:
    fill(2)
    taken = post(api)
    assert taken.status_code == 201
    answer = post(api)
    refused(answer, 503, "queue_full")
    assert answer["Retry-After"] == "60"
    assert answer.json()["error"]["message"] == (
        "3 videos that came before yours are still being worked on, and no more can wait. Try again in a minute."
    )
    mine = f"/api/video/{taken.json()['public_id']}/"
    # Another source is as much work as another video; other words are none.
    refused(api.patch(mine, {"file": some_file()}, format="multipart"), 503, "queue_full")
    assert api.patch(mine, {"title": "Other"}, format="json").status_code == 200
    assert Video.objects.count() == 1


def test_there_is_room_again_when_somebody_is_ready(api: APIClient) -> None:
    first, *_ = fill(3)
    refused(post(api), 503, "queue_full")
    Job.objects.filter(pk=first.pk).update(status=Status.COMPLETED)
    assert post(api).status_code == 201
    refused(post(api), 503, "queue_full")
    cancel_group("video 1")
    assert post(api).status_code == 201


def test_several_jobs_of_a_video_are_one_place_and_what_is_put_off_is_none(api: APIClient) -> None:
    for _ in range(10):
        enqueue("chunk", group="video 1")
    for number in range(10):
        enqueue("chunk", group=f"later {number}", run_after_s=3600)
        enqueue("remove_files", group=f"gone {number}")
    assert post(api).status_code == 201


def test_the_page_says_it_before_a_file_is_chosen_and_after(owner: User) -> None:
    browser = Client()
    browser.force_login(owner)
    assert "came before yours" not in browser.get("/upload/").content.decode()
    fill(3)
    page = browser.get("/upload/")
    assert page.status_code == 200
    assert "3 videos that came before yours are still being worked on" in page.content.decode()
    answer = browser.post("/upload/", {"file": some_file()})
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert "Try again in a minute." in answer.content.decode()
    assert not Video.objects.exists()


class Sender:
    """Sends a form bit by bit: what comes after the head waits for `go`."""

    def __init__(self, client: httpx.AsyncClient, go: asyncio.Event, **headers: str) -> None:
        self._client = client
        self._go = go
        self._headers = {"content-type": "multipart/form-data; boundary=xyz", **headers}
        self.sent_all = False

    async def _body(self) -> AsyncIterator[bytes]:
        yield HEAD
        await self._go.wait()
        self.sent_all = True
        yield b"a video" + TAIL

    async def send(self, path: str = "/api/video/") -> httpx.Response:
        return await self._client.post(path, content=self._body(), headers=self._headers)


@pytest.fixture
def together() -> Callable[..., list[tuple[httpx.Response, bool]]]:
    """`together(8, limit=3, ...)`: so many uploads at once; each answer, and whether its body was asked for to the end.

    Those that are taken go on when all others have been refused.
    """
    from rushes.config.asgi import application

    def run(
        count: int, *, refusals: int, path: str = "/api/video/", **headers: str
    ) -> list[tuple[httpx.Response, bool]]:
        async def inside() -> list[tuple[httpx.Response, bool]]:
            go = asyncio.Event()
            transport = httpx.ASGITransport(app=application)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                senders = [Sender(client, go, **headers) for _ in range(count)]
                answers = [asyncio.ensure_future(sender.send(path)) for sender in senders]
                async with asyncio.timeout(LIMIT_S):
                    while sum(answer.done() for answer in answers) < refusals:
                        await asyncio.sleep(0.01)
                    go.set()
                    responses = await asyncio.gather(*answers)
                return [
                    (response, sender.sent_all) for response, sender in zip(responses, senders, strict=True)
                ]

        return async_to_sync(inside)()

    return run


@pytest.fixture
def token(transactional_db: None) -> str:
    _, secret = make_key(User.objects.create_user("sender"), "test", ["submit"])
    return f"Token {secret}"


def test_of_many_at_once_exactly_as_many_are_taken_as_there_is_room_for(
    together: Any, token: str, media: Any
) -> None:
    fill(1)
    answers = together(8, refusals=6, authorization=token)
    assert sorted(response.status_code for response, _ in answers) == [201] * 2 + [503] * 6
    for response, sent_all in answers:
        if response.status_code == 503:
            refused(response, 503, "queue_full")
            assert response.headers["retry-after"] == "60"
            assert not sent_all, "it was refused after its body was read"
    assert Video.objects.count() == Job.objects.filter(kind="ingest").count() == 2
    assert not list((media / "incoming").iterdir())


def test_a_place_of_an_upload_that_failed_is_free_again(together: Any, token: str) -> None:
    fill(2)
    for _ in range(3):
        bad = {"content-type": "multipart/form-data; boundary=another"}
        ((answer, _),) = together(1, refusals=0, authorization=token, **bad)
        assert answer.status_code == 400
    assert backpressure.places_taken() == 0
    ((answer, _),) = together(1, refusals=0, authorization=token)
    assert answer.status_code == 201


def test_who_was_given_a_place_is_taken_whatever_comes_meanwhile(
    together: Any, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line fills up by re-encodes while a file is on its way: it is not refused after it was sent."""
    take = backpressure.Place.take

    def take_and_fill(place: backpressure.Place) -> None:
        take(place)
        fill(5)

    monkeypatch.setattr(backpressure.Place, "take", take_and_fill)
    ((answer, sent_all),) = together(1, refusals=0, authorization=token)
    assert (answer.status_code, sent_all) == (201, True)


def test_a_browser_without_scripts_gets_words(together: Any, owner: User, settings: Any) -> None:
    fill(3)
    browser = Client()
    browser.force_login(owner)
    cookie = f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
    ((answer, _),) = together(
        1, refusals=1, path="/upload/", cookie=cookie, accept="text/html,application/xhtml+xml;q=0.9"
    )
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert "<p>3 videos that came before yours are still being worked on" in answer.text
