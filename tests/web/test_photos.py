"""Photos on the pages: one form takes both, one library shows both, and each photo has a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.timezone import now

from rushes.jobs.models import Job
from rushes.photos import handlers  # noqa: F401  # registers the kinds
from rushes.photos.models import Photo
from rushes.videos.models import Video
from tests.photos.making import encoded

from .conftest import Sign
from .test_pages import text

pytestmark = pytest.mark.django_db

PICTURES = [{"long_px": side, "width": side, "height": side // 2} for side in (2400, 1280, 640, 320)]


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.INCOMING_ROOT = tmp_path / "incoming"


def a_photo(**fields: Any) -> Photo:
    told = {
        "title": "A dog",
        "status": "ready",
        "ready_at": now(),
        "key": "ab",
        "pictures": PICTURES,
        "width": 4000,
    }
    return Photo.objects.create(**{**told, "height": 2000, **fields})


def test_the_form_takes_photos(owner: User, signed_in: Sign) -> None:
    client = signed_in(owner)
    page = text(client.get("/upload/"))
    assert "image/*" in page
    assert 'data-photos="/api/photo/"' in page
    file = SimpleUploadedFile("dog.bin", encoded("WEBP"))
    answer = client.post("/upload/", {"file": file, "visibility": "unlisted"})
    photo = Photo.objects.get()
    assert answer["Location"] == f"/p/{photo.public_id}/"
    assert (photo.owner, photo.original_name, photo.visibility) == (owner, "dog.bin", "unlisted")
    assert Job.objects.get().kind == "optimize"
    assert not Video.objects.exists()


def test_a_photo_does_not_take_the_place_of_a_video(owner: User, video: Video, signed_in: Sign) -> None:
    client = signed_in(owner)
    assert "image/*" not in text(client.get(f"/upload/?replaces={video.public_id}"))
    file = SimpleUploadedFile("dog.jpg", encoded())
    answer = client.post(f"/upload/?replaces={video.public_id}", {"file": file})
    assert answer.status_code == 422
    assert "is a photo" in text(answer)
    assert not Photo.objects.exists()


def test_the_library_shows_both_newest_first(owner: User, other: User, video: Video, signed_in: Sign) -> None:
    a_photo(owner=owner)
    a_photo(owner=other, title="Not hers", visibility="public")
    Video.objects.create(owner=owner, title="Later")
    page = text(signed_in(owner).get("/"))
    assert page.index("Later") < page.index("A dog") < page.index("Harbour at dawn")
    assert "Not hers" not in page
    assert "640.webp?token=" in page
    assert page.index("320.jpg?token=") > 0
    everybody = text(signed_in(None).get("/"))
    assert "Not hers" in everybody
    assert "A dog" not in everybody


def test_the_library_is_paged_over_both(owner: User, signed_in: Sign) -> None:
    for number in range(20):
        a_photo(owner=owner, title=f"photo {number};")
        Video.objects.create(owner=owner, title=f"video {number};")
    client = signed_in(owner)
    first, second = text(client.get("/")), text(client.get("/?page=2"))
    assert "Page 1 of 2" in first
    for page, there, elsewhere in ((first, 19, 0), (second, 0, 19)):
        assert f"photo {there};" in page
        assert f"video {there};" in page
        assert f"photo {elsewhere};" not in page


def test_a_photo_has_a_page(owner: User, other: User, signed_in: Sign) -> None:
    photo = a_photo(owner=owner, description="<b>barks</b>", warnings=["It moves."])
    page = text(signed_in(owner).get(f"/p/{photo.public_id}/"))
    assert "4000 \u00d7 2000" in page
    assert "&lt;b&gt;barks" in page
    assert "It moves." in page
    assert f"/api/photo/{photo.public_id}/ab/2400.webp?token=" in page
    assert "Who may see it" in page
    assert "data-in-work" not in page
    for nobody in (None, other):
        assert signed_in(nobody).get(f"/p/{photo.public_id}/").status_code == 404
    Photo.objects.update(visibility="unlisted")
    page = text(signed_in(None).get(f"/p/{photo.public_id}/"))
    assert "Who may see it" not in page
    assert "token=" not in page


def test_a_photo_that_is_not_ready_says_how_far_it_is(owner: User, signed_in: Sign) -> None:
    photo = a_photo(owner=owner, status="pending", pictures=[], key="")
    client = signed_in(owner)
    page = text(client.get(f"/p/{photo.public_id}/"))
    assert ">Waiting<" in page
    assert "data-in-work" in page
    Photo.objects.update(status="failed", error="This photo is damaged.", source="sources/photos/1/x")
    page = text(client.get(f"/p/{photo.public_id}/"))
    assert "Failed: This photo is damaged." in page
    assert "Try again" in page
    answer = client.post(f"/p/{photo.public_id}/again/", follow=True)
    assert "upload it again" in text(answer)


def test_owners_change_and_delete(owner: User, other: User, signed_in: Sign) -> None:
    photo = a_photo(owner=owner)
    here, client = f"/p/{photo.public_id}/", signed_in(owner)
    told = {"title": "A cat", "description": "", "visibility": "public"}
    assert client.post(here, told)["Location"] == here
    assert "Saved." in text(client.get(here))
    assert client.post(here, {**told, "visibility": "nobody"}).status_code == 422
    for path in (here, f"{here}delete/", f"{here}again/"):
        assert signed_in(other).post(path, told).status_code == 404
    assert "The photo, its source and all its files" in text(client.get(f"{here}delete/"))
    assert client.post(f"{here}delete/")["Location"] == "/"
    assert not Photo.objects.exists()
    assert Job.objects.get(kind="remove_photo")


def test_the_admin_knows_photos(owner: User, signed_in: Sign) -> None:
    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    owner.refresh_from_db()
    photo, client = a_photo(owner=owner, status="failed", error="This photo is damaged."), signed_in(owner)
    assert "This photo is damaged." in text(client.get("/admin/photos/photo/"))
    assert client.get(f"/admin/photos/photo/{photo.pk}/change/").status_code == 200
    answer = client.post(
        "/admin/photos/photo/", {"action": "try_again", "_selected_action": [photo.pk]}, follow=True
    )
    assert "upload it again" in text(answer)
    client.post(f"/admin/photos/photo/{photo.pk}/delete/", {"post": "yes"})
    assert Job.objects.get(kind="remove_photo")
