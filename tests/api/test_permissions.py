"""Who may do what: every kind of asker, every visibility, every operation; and the scopes of keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from rushes.videos.keys import make_key
from rushes.videos.models import ApiKey, Video
from tests.api.conftest import refused, some_file

pytestmark = pytest.mark.django_db

SEEN, HIDDEN, UNKNOWN, NOT_THEIRS = 200, 404, 401, 403
#: (asker, visibility) -> what reading, and what changing, is answered.
ANSWERS = {
    ("anybody", "public"): (SEEN, UNKNOWN),
    ("anybody", "unlisted"): (SEEN, UNKNOWN),
    ("anybody", "private"): (HIDDEN, UNKNOWN),
    ("other", "public"): (SEEN, NOT_THEIRS),
    ("other", "unlisted"): (SEEN, NOT_THEIRS),
    ("other", "private"): (HIDDEN, HIDDEN),
    ("owner", "public"): (SEEN, SEEN),
    ("owner", "unlisted"): (SEEN, SEEN),
    ("owner", "private"): (SEEN, SEEN),
    ("staff", "public"): (SEEN, SEEN),
    ("staff", "unlisted"): (SEEN, SEEN),
    ("staff", "private"): (SEEN, SEEN),
}
#: Whose videos a list has: the owner's three by their visibility.
LISTED = {
    "anybody": {"public"},
    "other": {"public"},
    "owner": {"public", "unlisted", "private"},
    "staff": {"public", "unlisted", "private"},
}


@pytest.fixture
def asking(
    owner: User, other: User, anybody: APIClient, client_of: Callable[..., APIClient]
) -> dict[str, Any]:
    staff = User.objects.create_user("staff", is_staff=True)
    clients = {"owner": owner, "other": other, "staff": staff}
    return {"anybody": anybody, **{name: client_of(user) for name, user in clients.items()}}


@pytest.mark.parametrize(("asker", "visibility"), ANSWERS)
def test_who_may_see_and_change(asking: dict[str, Any], video: Video, asker: str, visibility: str) -> None:
    Video.objects.update(visibility=visibility)
    reading, changing = ANSWERS[asker, visibility]
    client, here = asking[asker], f"/api/video/{video.public_id}/"
    for path in (here, f"{here}health"):
        assert client.get(path).status_code == reading, path
    changes: list[tuple[Callable[[], Any], int]] = [
        (lambda: client.patch(here, {"title": "Two"}, format="json"), 200),
        (lambda: client.patch(here, {"file": some_file(b"2")}, format="multipart"), 202),
        (lambda: client.post(f"{here}transcode/", {}, format="json"), 202),
        (lambda: client.delete(here), 204),
    ]
    for change, done in changes:
        answer = change()
        assert answer.status_code == (done if changing == SEEN else changing)
        if changing != SEEN:
            assert set(answer.json()) == {"error"}
    assert Video.objects.exists() == (changing != SEEN)


@pytest.mark.parametrize("asker", LISTED)
def test_lists_have_what_their_reader_may_find(asking: dict[str, Any], owner: User, asker: str) -> None:
    for visibility in ("public", "unlisted", "private"):
        Video.objects.create(owner=owner, visibility=visibility)
    told = asking[asker].get("/api/video/").json()
    assert {video["visibility"] for video in told["results"]} == LISTED[asker]
    assert asking[asker].get("/api/video/", {"visibility": "private"}).json()["count"] == (
        "private" in LISTED[asker]
    )


@pytest.mark.parametrize(
    ("scope", "reads", "changes"),
    [("read", True, False), ("submit", False, True), ("work", False, False), ("admin", True, True)],
)
def test_keys_do_what_their_scopes_say(
    owner: User, video: Video, client_of: Callable[..., APIClient], scope: str, reads: bool, changes: bool
) -> None:
    client, here = client_of(owner, (scope,)), f"/api/video/{video.public_id}/"
    for path in (here, "/api/video/", f"{here}health"):
        assert client.get(path).status_code == (200 if reads else 403), path
    answers = [
        (client.patch(here, {"title": "Two"}, format="json"), 200),
        (client.post("/api/video/", {"file": some_file()}, format="multipart"), 201),
        (client.post(f"{here}transcode/", {}, format="json"), 202),
    ]
    for answer, done in answers:
        assert answer.status_code == (done if changes else 403)
    assert (client.delete(here).status_code == 204) == changes


def test_a_key_that_does_not_open_is_said(owner: User, video: Video, api: APIClient) -> None:
    here = f"/api/video/{video.public_id}/"
    _, secret = make_key(owner, "test", ["admin"])
    for said in (
        "Token",
        "Token ",
        "Token rsh_wrong",
        f"Token {secret}x",
        f"Token {secret} {secret}",
        "Token \xfc",
    ):
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=said)
        # Also for what everybody may see: whoever sends a key means to be known by it.
        Video.objects.update(visibility="public")
        answer = client.get(here)
        refused(answer, 401, "authentication_failed")
        assert answer["WWW-Authenticate"] == "Token"
    known = APIClient()
    known.credentials(HTTP_AUTHORIZATION=f"token {secret}")
    assert known.get(here).status_code == 200
    User.objects.filter(pk=owner.pk).update(is_active=False)
    refused(known.get(here), 401, "authentication_failed")
    User.objects.filter(pk=owner.pk).update(is_active=True)
    ApiKey.objects.update(revoked_at="2020-01-01T00:00:00Z")
    refused(known.get(here), 401, "authentication_failed")


def test_when_a_key_was_used_is_noted_without_a_write_for_each_request(
    api: APIClient, django_assert_num_queries: Any
) -> None:
    api.get("/api/video/")
    noted = ApiKey.objects.get().last_used_at
    assert noted is not None
    with django_assert_num_queries(2):  # the key, the count
        api.get("/api/video/")
    assert ApiKey.objects.get().last_used_at == noted
    ApiKey.objects.update(last_used_at="2020-01-01T00:00:00Z")
    api.get("/api/video/")
    assert ApiKey.objects.get().last_used_at >= noted


def test_a_session_needs_the_csrf_token(owner: User, video: Video) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    here = f"/api/video/{video.public_id}/"
    refused(client.post("/api/video/", {"file": some_file()}), 403, "permission_denied")
    refused(client.delete(here), 403, "permission_denied")
    assert client.get(here).status_code == 200
    token = client.get("/upload/").cookies["rushes_csrf"].value
    assert client.delete(here, headers={"X-CSRFToken": token}).status_code == 204
