"""Subtitles on a video's page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile

from rushes.pipeline import handlers  # noqa: F401  # registers the kinds
from rushes.videos.models import Subtitle, Video
from tests.web.conftest import Sign

pytestmark = pytest.mark.django_db

SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello\n"


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def file(content: bytes = SRT) -> SimpleUploadedFile:
    return SimpleUploadedFile("a.srt", content)


def test_an_owner_adds_and_deletes_subtitles(signed_in: Sign, owner: User, video: Video) -> None:
    browser = signed_in(owner)
    page = f"/v/{video.public_id}/"
    answer = browser.post(f"{page}subtitles/", {"file": file(), "language": "de"}, follow=True)
    assert "“Deutsch” is in the player's menu." in answer.content.decode().replace("&#x27;", "'")
    assert "Delete Deutsch" in answer.content.decode()
    name = Subtitle.objects.get().name
    answer = browser.post(f"{page}subtitles/{name}/delete/", follow=True)
    assert "The subtitles are deleted." in answer.content.decode()
    assert not Subtitle.objects.exists()


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"file": file(b"nothing")}, "not a subtitle file"),
        ({"file": file(), "language": "Deutsch"}, "is not a language"),
        ({}, "This field is required."),
        ({"file": file(SRT + b" " * 2_100_000)}, "at most 2 MB"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_sentence(
    signed_in: Sign, owner: User, video: Video, fields: dict[str, Any], word: str
) -> None:
    answer = signed_in(owner).post(f"/v/{video.public_id}/subtitles/", fields, follow=True)
    assert word in answer.content.decode()
    assert not Subtitle.objects.exists()


def test_others_have_neither_form_nor_right(signed_in: Sign, other: User, video: Video) -> None:
    Video.objects.filter(pk=video.pk).update(visibility="public")
    browser = signed_in(other)
    assert "add-subtitles" not in browser.get(f"/v/{video.public_id}/").content.decode()
    assert browser.post(f"/v/{video.public_id}/subtitles/", {"file": file()}).status_code == 404
