"""The admin: volunteers see what happened, and can begin again."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from rushes.api.admin import VideoAdmin
from rushes.jobs.models import Job
from rushes.videos.models import Chunk, Encode, Rendition, Video

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(owner: User) -> Client:
    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(owner)
    return client


def test_every_list_and_video_can_be_looked_at(admin: Client, video: Video) -> None:
    for name in ("videos/video", "videos/encode", "videos/apikey", "jobs/job", "jobs/worker"):
        assert admin.get(f"/admin/{name}/").status_code == 200, name
    page = admin.get(f"/admin/videos/video/{video.pk}/change/")
    assert page.status_code == 200
    assert b"Pending" in page.content


def test_a_failed_video_is_tried_again(admin: Client, video: Video) -> None:
    Video.objects.update(status="failed", error="No luck.")
    Job.objects.all().delete()
    admin.post("/admin/videos/video/", {"action": "try_again", "_selected_action": [video.pk]})
    assert Job.objects.get().kind == "ingest"
    assert Video.objects.get().status == "pending"


def test_deleting_takes_jobs_and_files_along(admin: Client, video: Video) -> None:
    admin.post(f"/admin/videos/video/{video.pk}/delete/", {"post": "yes"})
    assert not Video.objects.exists()
    assert Job.objects.filter(kind="remove_files").exists()


def test_editing_the_words_leaves_what_workers_wrote_meanwhile(
    admin: Client, video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = VideoAdmin.save_model

    def save_late(self: VideoAdmin, *arguments: Any) -> None:
        Video.objects.update(status="processing", progress_percentage=42)
        saved(self, *arguments)

    monkeypatch.setattr(VideoAdmin, "save_model", save_late)
    form = {
        "title": "Two",
        "description": "",
        "visibility": "public",
        "owner": video.owner_id,
        "external_ref": "",
    }
    encodes = {"encodes-TOTAL_FORMS": 0, "encodes-INITIAL_FORMS": 0}
    answer = admin.post(f"/admin/videos/video/{video.pk}/change/", form | encodes)
    assert answer.status_code == 302, answer.content.decode()
    video.refresh_from_db()
    assert (video.title, video.visibility, video.progress_percentage) == ("Two", "public", 42)


def test_several_are_deleted_as_one_is(admin: Client, video: Video) -> None:
    form = {"action": "delete_selected", "_selected_action": [video.pk]}
    asked = admin.post("/admin/videos/video/", form)
    assert b"One" in asked.content
    admin.post("/admin/videos/video/", form | {"post": "yes"})
    assert not Video.objects.exists()
    assert Job.objects.filter(kind="remove_files").exists()


def test_an_encode_says_which_chunks_will_never_come(admin: Client, video: Video) -> None:
    encode = Encode.objects.create(video=video, plan_json="a plan", plan_version=1, plan_key="k", source="s")
    rung = Rendition.objects.create(
        encode=encode,
        name="720p",
        key="k",
        kind="video",
        method="encode",
        codecs="avc1",
        position=0,
        chunk_count=3,
    )
    Chunk.objects.create(rendition=rung, index=2, state="failed", reason="It is <damaged>.")
    page = admin.get(f"/admin/videos/encode/{encode.pk}/change/").content.decode()
    assert "720p 2: It is &lt;damaged&gt;." in page
    assert "a plan" not in page
    assert admin.post(f"/admin/videos/encode/{encode.pk}/delete/", {"post": "yes"}).status_code == 403


def test_users_with_videos_cannot_be_deleted(admin: Client, video: Video, other: User) -> None:
    Video.objects.update(owner=other)
    asked = admin.post(f"/admin/auth/user/{other.pk}/delete/", {"post": "yes"})
    assert b"protected" in asked.content
    assert Video.objects.exists()
