"""Who gets a photo's pictures, and what caches are told."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from django.contrib.auth.models import User

from rushes.photos.addresses import PhotoAddresses
from rushes.photos.models import Photo
from rushes.photos.serving import PhotoFiles
from rushes.videos.keys import make_key
from tests.pipeline.hands import work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

Get = Callable[..., httpx.Response]


@pytest.fixture
def ready(upload: Callable[..., Photo]) -> Callable[..., Photo]:
    def make(visibility: str) -> Photo:
        photo = upload(visibility=visibility)
        work()
        photo.refresh_from_db()
        return photo

    return make


def test_pictures_have_types_tags_and_long_lives(ready: Callable[..., Photo], get: Get) -> None:
    largest = PhotoAddresses(ready("public")).pictures[0]
    for kind, media_type in (("webp", "image/webp"), ("jpeg", "image/jpeg")):
        answer = get(largest[kind])
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert len(answer.content) == int(answer.headers["content-length"])
        assert get(largest[kind], if_none_match=answer.headers["etag"]).status_code == 304
        assert get(largest[kind], range="bytes=0-9").status_code == 206
        assert get(largest[kind], "HEAD").content == b""
        assert get(largest[kind], "POST").status_code == 405


def test_a_private_photo_is_for_its_owner_and_whoever_has_the_address(
    ready: Callable[..., Photo], get: Get, owner: User
) -> None:
    photo = ready("private")
    address = PhotoAddresses(photo).pictures[0]["jpeg"]
    bare, _, token = address.partition("?")
    assert get(address).headers["cache-control"].startswith("private")
    assert get(bare).status_code == 404
    assert get(f"{bare}?token=1.x").status_code == 404
    other = User.objects.create_user("bob")
    keys = {user.username: make_key(user, "test", ["read"])[1] for user in (owner, other)}
    mine = get(bare, authorization=f"Token {keys['ann']}")
    assert (mine.status_code, "access-control-allow-origin" in mine.headers) == (200, False)
    assert get(bare, authorization=f"Token {keys['bob']}").status_code == 404
    another = ready("private")
    elsewhere = PhotoAddresses(another).pictures[0]["jpeg"].partition("?")[0]
    assert get(f"{elsewhere}?{token}").status_code == 404


def test_nothing_else_is_served(ready: Callable[..., Photo], get: Get) -> None:
    photo = ready("public")
    here = f"/api/photo/{photo.public_id}"
    assert get(f"{here}/{photo.key}/99.webp").status_code == 404
    assert get(f"{here}/{'0' * 16}/320.webp").status_code == 404
    for path in (f"{here}/", f"{here}/{photo.key}/../x.jpg", f"{here}/{photo.key}/result.json"):
        assert not PhotoFiles.handles({"type": "http", "path": path})
