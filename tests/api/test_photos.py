"""The API of photos: as that of videos, and each says where the other's files belong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from rushes.jobs.models import Job
from rushes.photos import handlers  # noqa: F401  # registers the kinds
from rushes.photos.models import Photo
from rushes.videos.models import Video
from tests.api.conftest import refused, some_file
from tests.photos.making import encoded

pytestmark = pytest.mark.django_db

PROMISED = {
    *("public_id", "title", "description", "status", "error", "warnings", "format", "width", "height"),
    *("thumbnail", "pictures", "visibility", "owner", "external_ref", "created_at", "ready_at"),
}


def a_photo(data: bytes | None = None, name: str = "IMG_1.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, encoded() if data is None else data)


def send(client: APIClient, **fields: Any) -> Any:
    return client.post("/api/photo/", {"file": a_photo(), **fields}, format="multipart")


def test_an_upload_makes_a_photo_and_its_job(api: APIClient, media: Path) -> None:
    answer = send(api, file=a_photo(name="../../etc/My dog.jpg"), visibility="unlisted")
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert set(told) == PROMISED
    assert (told["title"], told["status"], told["owner"], told["pictures"]) == (
        "My dog",
        "pending",
        "ann",
        [],
    )
    assert answer["Location"].endswith(f"/api/photo/{told['public_id']}/")
    assert (media / Photo.objects.get().source).read_bytes() == encoded()
    assert Job.objects.get().queue == "image:optimize"
    assert not list((media / "incoming").iterdir())


def test_what_is_made_has_absolute_addresses_with_a_token(api: APIClient) -> None:
    photo = Photo.objects.get(public_id=send(api).json()["public_id"])
    photo.key, photo.status, photo.ready_at = "ab", "ready", photo.created_at
    photo.pictures = [
        {"long_px": 720, "width": 720, "height": 480},
        {"long_px": 320, "width": 320, "height": 213},
    ]
    photo.save()
    told = api.get(f"/api/photo/{photo.public_id}/").json()
    here = f"http://testserver/api/photo/{photo.public_id}/ab"
    assert told["pictures"][0]["webp"].startswith(f"{here}/720.webp?token=")
    assert told["thumbnail"].startswith(f"{here}/320.jpg?token=")
    api.patch(f"/api/photo/{photo.public_id}/", {"visibility": "public"}, format="json")
    assert api.get(f"/api/photo/{photo.public_id}/").json()["thumbnail"] == f"{here}/320.jpg"


def test_photos_and_videos_are_sent_where_they_belong(api: APIClient) -> None:
    moving = encoded("GIF", save_all=True, append_images=[some_frame()])
    for wrong in (some_file(), a_photo(b"<svg/>"), a_photo(moving, "moves.gif")):
        answer = api.post("/api/photo/", {"file": wrong}, format="multipart")
        refused(answer, 415, "not_a_photo")
        assert "/api/video/" in answer.json()["error"]["message"]
    answer = api.post("/api/video/", {"file": a_photo(name="clip.mp4")}, format="multipart")
    refused(answer, 415, "is_photo")
    assert "/api/photo/" in answer.json()["error"]["message"]
    video = api.post("/api/video/", {"file": some_file()}, format="multipart").json()
    refused(
        api.patch(f"/api/video/{video['public_id']}/", {"file": a_photo()}, format="multipart"),
        415,
        "is_photo",
    )
    assert (
        api.post("/api/video/", {"file": a_photo(moving, "moves.gif")}, format="multipart").status_code == 201
    )
    assert (Photo.objects.count(), Video.objects.count()) == (0, 2)


def some_frame() -> Any:
    from PIL import Image

    return Image.new("RGB", (720, 480))


def test_what_is_no_upload_is_refused(api: APIClient, anybody: APIClient) -> None:
    refused(api.post("/api/photo/", {"title": "x"}, format="multipart"), 400, "invalid")
    refused(send(api, file=a_photo(b"")), 400, "invalid")
    refused(send(api, visibility="nobody"), 400, "invalid")
    refused(send(anybody), 401, "not_authenticated")
    here = f"/api/photo/{send(api).json()['public_id']}/"
    refused(api.patch(here, {"file": a_photo()}, format="multipart"), 400, "invalid")
    assert Photo.objects.count() == 1


def test_lists_are_paged_and_filtered(api: APIClient, owner: User, other: User) -> None:
    for number in range(3):
        Photo.objects.create(owner=owner, title=f"{number}", external_ref="lesson-7", status="failed")
    Photo.objects.create(owner=other, title="not hers")
    Photo.objects.create(owner=other, title="everybody's", visibility="public")
    page = api.get("/api/photo/", {"page_size": 2}).json()
    assert (page["count"], [photo["title"] for photo in page["results"]]) == (4, ["everybody's", "2"])
    assert api.get("/api/photo/", {"external_ref": "lesson-7", "status": "failed"}).json()["count"] == 3
    refused(api.get("/api/photo/", {"status": "lost"}), 400, "invalid")


def test_who_may_not_is_not_told(api: APIClient, anybody: APIClient, other: User, client_of: Any) -> None:
    here = f"/api/photo/{send(api, visibility='private').json()['public_id']}/"
    theirs = client_of(other)
    refused(anybody.get(here), 404, "not_found")
    refused(theirs.get(here), 404, "not_found")
    refused(theirs.delete(here), 404, "not_found")
    assert api.patch(here, {"title": "Two", "visibility": "public"}, format="json").json()["title"] == "Two"
    assert anybody.get(here).status_code == 200
    refused(theirs.patch(here, {"title": "Three"}, format="json"), 403, "permission_denied")
    refused(client_of(other, ("read",)).delete(here), 403, "permission_denied")


def test_deleting_removes_the_row_at_once(api: APIClient) -> None:
    here = f"/api/photo/{send(api).json()['public_id']}/"
    assert api.delete(here).status_code == 204
    refused(api.get(here), 404, "not_found")
    assert Job.objects.filter(kind="remove_photo").count() == 1
    assert Job.objects.get(kind="optimize").status == "cancelled"
