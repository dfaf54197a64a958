"""Whatever is wrong, and whoever finds it: the answer is a 4xx in the promised shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient
from rest_framework.throttling import BaseThrottle

from rushes.api.views import VideoList
from rushes.videos.models import Video
from tests.api.conftest import refused, some_file

pytestmark = pytest.mark.django_db

VIDEOS = "/api/video/"


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "file"),
        ({"title": "x"}, "file"),
        ({"file": "text"}, "file"),
        ({"file": some_file(b"")}, "file"),
        ({"file": some_file(), "title": "x" * 201}, "title"),
        ({"file": some_file(), "title": "a\0b"}, "title"),
        ({"file": some_file(), "description": "x" * 20_001}, "description"),
        ({"file": some_file(), "visibility": "all"}, "visibility"),
        ({"file": some_file(), "external_ref": "x" * 201}, "external_ref"),
    ],
)
def test_a_wrong_form_names_the_field(api: APIClient, sent: dict[str, Any], field: str) -> None:
    assert set(refused(api.post(VIDEOS, sent, format="multipart"), 400, "invalid")) == {field}
    assert not Video.objects.exists()


def test_every_wrong_field_is_named_at_once(api: APIClient) -> None:
    sent = {"file": some_file(), "title": "x" * 201, "visibility": "all"}
    assert set(refused(api.post(VIDEOS, sent, format="multipart"), 400, "invalid")) == {"title", "visibility"}


@pytest.mark.parametrize(
    "body",
    [
        "null",
        "[]",
        '"text"',
        "17",
        '{"title": []}',
        '{"title": {}}',
        '{"title": null}',
        '{"title": "\\ud800"}',
    ],
)
def test_json_that_is_no_video_is_refused(api: APIClient, video: Video, body: str) -> None:
    json.loads(body)
    here = f"{VIDEOS}{video.public_id}/"
    refused(api.post(VIDEOS, body.encode(), content_type="application/json"), 400, "invalid")
    refused(api.patch(here, body.encode(), content_type="application/json"), 400, "invalid")


def test_addresses_are_not_fetched_yet_and_it_says_so(api: APIClient) -> None:
    answer = api.post(VIDEOS, {"url": "http://example.com/x.mp4"}, format="json")
    refused(answer, 400, "url_not_supported")


def test_bodies_that_cannot_be_read_are_refused(api: APIClient) -> None:
    refused(api.post(VIDEOS, b"{", content_type="application/json"), 400, "parse_error")
    refused(api.post(VIDEOS, b'{"title": "\xff"}', content_type="application/json"), 400, "parse_error")
    refused(api.post(VIDEOS, b"x", content_type="multipart/form-data"), 400, "parse_error")
    refused(api.post(VIDEOS, b"x", content_type="multipart/form-data; boundary=\xfc"), 400, "parse_error")
    refused(api.post(VIDEOS, b"x", content_type="text/plain"), 415, "unsupported_media_type")


def test_too_much_of_anything_but_files_is_refused(api: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 10
    many = {str(number): "x" for number in range(20)}
    for body, status, code in (({"description": "x" * 2000}, 413, "too_large"), (many, 400, "bad_request")):
        refused(api.post(VIDEOS, body, format="multipart"), status, code)
    form = "&".join(f"{name}=x" for name in many)
    refused(api.post(VIDEOS, form, content_type="application/x-www-form-urlencoded"), 400, "bad_request")


@pytest.mark.parametrize(
    "query",
    [
        {"status": "lost"},
        {"status": ""},
        {"status": "a\0b"},
        {"visibility": "all"},
        {"external_ref": "a\0b"},
    ],
)
def test_wrong_filters_are_named(api: APIClient, query: dict[str, str]) -> None:
    assert set(refused(api.get(VIDEOS, query), 400, "invalid")) == set(query)


@pytest.mark.parametrize("page", ["0", "-1", "99", "x", "9" * 40, "a\0b"])
def test_pages_that_are_none_are_not_found(api: APIClient, page: str) -> None:
    refused(api.get(VIDEOS, {"page": page}), 404, "not_found")


@pytest.mark.parametrize(
    "sent",
    [
        {"resolutions": ["huge"]},
        {"resolutions": "720p"},
        {"resolutions": ["721p"]},
        {"resolutions": ["000p"]},
        {"resolutions": ["9998p"]},
        {"resolutions": [720]},
        {"resolutions": [None]},
        {"resolutions": ["720p"] * 17},
        {"resolutions": {"720p": True}},
        {"force": "perhaps"},
        [],
        "text",
    ],
)
def test_what_cannot_be_transcoded_to_is_named(api: APIClient, video: Video, sent: Any) -> None:
    fields = refused(api.post(f"{VIDEOS}{video.public_id}/transcode/", sent, format="json"), 400, "invalid")
    assert set(fields) <= {"resolutions", "force", "non_field_errors"}


@pytest.mark.parametrize(
    "path",
    [
        "/api/",
        "/api/nothing",
        "/api/video",
        "/api/video/unknown/",
        "/api/video/%00/",
        "/api/video/%ff/",
        "/api/video/%F0%9F%8E%A5/",
        "/api/video/..%2f..%2fetc/",
        f"/api/video/{'x' * 2000}/",
        "/api/video/unknown/nothing",
        "/api/video/unknown/health",
    ],
)
def test_what_is_not_there_is_said_to_be_not_there(api: APIClient, path: str) -> None:
    refused(api.get(path), 404, "not_found")


def test_a_form_sent_to_nowhere_is_not_taken_for_a_forgery(owner: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    refused(client.post("/api/nothing", {"title": "x"}), 404, "not_found")


def test_methods_that_are_none_are_said(api: APIClient, video: Video) -> None:
    here = f"{VIDEOS}{video.public_id}/"
    for method, path in (
        ("put", VIDEOS), ("delete", VIDEOS), ("patch", VIDEOS), ("put", here), ("post", here),
        ("get", f"{here}transcode/"), ("post", f"{here}health"), ("post", "/api/docs/"), ("post", "/api/schema/"),
    ):  # fmt: skip
        answer = getattr(api, method)(path)
        refused(answer, 405, "method_not_allowed")
        assert answer["Allow"]


def test_formats_that_are_not_spoken_are_said(api: APIClient) -> None:
    for path in (VIDEOS, "/api/schema/"):
        refused(api.get(path, headers={"Accept": "application/xml"}), 406, "not_acceptable")


def test_a_wrong_host_is_refused_in_the_same_shape(api: APIClient) -> None:
    refused(api.get(VIDEOS, headers={"Host": "evil.example"}), 400, "bad_request")
    page = api.get("/upload/", headers={"Host": "evil.example"})
    assert page.status_code == 400
    assert page["Content-Type"].startswith("text/html")


def test_who_asks_too_often_is_told_when_to_come_again(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Never(BaseThrottle):
        def allow_request(self, *_: Any) -> bool:
            return False

        def wait(self) -> float:
            return 2.2

    monkeypatch.setattr(VideoList, "throttle_classes", [Never])
    answer = api.get(VIDEOS)
    refused(answer, 429, "throttled")
    assert answer["Retry-After"] == "3"


def test_a_fault_of_ours_has_the_same_shape_and_is_logged(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, video: Video, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("rushes.api.views.health_of", broken)
    answer = api.get(f"{VIDEOS}{video.public_id}/health")
    refused(answer, 500, "error")
    assert "secret" not in answer.content.decode()
    assert "a secret" in caplog.text


def test_a_fault_outside_the_views_has_the_same_shape(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.MIDDLEWARE = ["tests.api.test_errors.broken_middleware", *settings.MIDDLEWARE]
    refused(api.get(VIDEOS), 500, "error")


def broken_middleware(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        raise RuntimeError("a secret")

    return middleware
