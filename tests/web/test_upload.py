"""Uploads by the plain form, as browsers without scripts send them."""

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings

from rushes.jobs.models import Job
from rushes.videos.models import Video

from .conftest import Sign
from .test_pages import text

pytestmark = pytest.mark.django_db


def a_file(content: bytes = b"not much of a video") -> SimpleUploadedFile:
    return SimpleUploadedFile("holiday.mp4", content, "video/mp4")


def test_a_file_becomes_a_video_with_work_in_the_ledger(owner: User, signed_in: Sign) -> None:
    answer = signed_in(owner).post("/upload/", {"file": a_file(), "visibility": "unlisted"})
    video = Video.objects.get()
    assert answer["Location"] == f"/v/{video.public_id}/"
    assert (video.owner, video.original_name, video.visibility) == (owner, "holiday.mp4", "unlisted")
    assert Job.objects.get().kind == "ingest"


def test_a_video_is_private_unless_something_else_is_said(owner: User, signed_in: Sign) -> None:
    signed_in(owner).post("/upload/", {"file": a_file(), "visibility": "nonsense"})
    assert Video.objects.get().visibility == "private"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [({}, "Choose a file first."), ({"file": a_file(b"")}, "The file is empty.")],
)
def test_what_is_no_upload_is_said(
    owner: User, signed_in: Sign, fields: dict[str, object], sentence: str
) -> None:
    answer = signed_in(owner).post("/upload/", fields)
    assert answer.status_code == 422
    assert sentence in text(answer)
    assert not Video.objects.exists()


def test_nobody_uploads_without_signing_in(db: None, signed_in: Sign) -> None:
    answer = signed_in(None).post("/upload/", {"file": a_file()})
    assert answer["Location"].startswith("/login/")
    assert not Video.objects.exists()


def test_a_new_file_takes_the_place_of_the_old(owner: User, video: Video, signed_in: Sign) -> None:
    client = signed_in(owner)
    address = f"/upload/?replaces={video.public_id}"
    page = text(client.get(address))
    assert "A new file for “Harbour at dawn”" in page
    assert f'data-api="/api/video/{video.public_id}/" data-method="PATCH"' in page
    answer = client.post(address, {"file": a_file()})
    assert answer["Location"] == f"/v/{video.public_id}/"
    video.refresh_from_db()
    assert video.original_name == "holiday.mp4"
    assert Video.objects.count() == 1


def test_nobody_replaces_the_file_of_somebody_else(other: User, video: Video, signed_in: Sign) -> None:
    answer = signed_in(other).post(f"/upload/?replaces={video.public_id}", {"file": a_file()})
    assert answer.status_code == 404
    video.refresh_from_db()
    assert video.original_name == "MVI_4823.AVI"


def test_the_page_tells_the_limit(owner: User, signed_in: Sign) -> None:
    with override_settings(RUSHES_MAX_UPLOAD_MB=200):
        assert "Up to 200 MB each." in text(signed_in(owner).get("/upload/"))
    with override_settings(RUSHES_MAX_UPLOAD_MB=None):
        assert "Up to" not in text(signed_in(owner).get("/upload/"))
