"""Subtitles by the API: files come and go, and what is no subtitle file is refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from rushes.engine.plan import Plan
from rushes.videos.models import Encode, Subtitle, Video
from tests.api.conftest import refused, some_file

pytestmark = pytest.mark.django_db

SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello <script>\n"
VTT = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHello"


def send(api: APIClient, video: Video, content: bytes = SRT, **fields: Any) -> Any:
    body = {"file": some_file(content, "../../a.srt"), **fields}
    return api.post(f"/api/video/{video.public_id}/subtitles/", body, format="multipart")


def test_a_file_becomes_a_track(
    api: APIClient, video: Video, planned: Callable[..., Plan], media: Path
) -> None:
    planned()
    answer = send(api, video, language="pt_br", title='Mine "own"', default="true")
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert {
        name: told[name] for name in ("name", "language", "label", "default", "status", "origin", "codec")
    } == {
        "name": "subs-101-pt-br",
        "language": "pt-BR",
        "label": "Mine 'own'",
        "default": True,
        "status": "ready",
        "origin": "upload",
        "codec": "srt",
    }
    row = Subtitle.objects.get()
    assert (media / "hls" / str(video.pk) / row.name / row.key / "all.vtt").read_text().startswith(VTT)
    assert told["url"].startswith(
        f"http://testserver/api/video/{video.public_id}/subs-101-pt-br/{row.key}/all.vtt?token="
    )
    listed = api.get(f"/api/video/{video.public_id}/subtitles/").json()
    assert [track["name"] for track in listed] == ["subs-101-pt-br"]
    assert [
        track["name"] for track in api.get(f"/api/video/{video.public_id}/").json()["subtitle_tracks"]
    ] == ["subs-101-pt-br"]


def test_another_default_takes_the_place_of_the_first_and_numbers_go_on(api: APIClient, video: Video) -> None:
    assert send(api, video, default="true").json()["name"] == "subs-101-und"
    assert send(api, video, default="true").json()["name"] == "subs-102-und"
    assert list(Subtitle.objects.order_by("number").values_list("default", flat=True)) == [False, True]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"\0\1\2\3", "not a text"),
        (b"no times here", "not a subtitle file"),
        (b"WEBVTT\n", "no line"),
    ],
)
def test_what_is_no_subtitle_file_is_refused_with_a_sentence(
    api: APIClient, video: Video, content: bytes, word: str
) -> None:
    fields = refused(send(api, video, content), 400, "invalid")
    assert word in fields["file"][0]
    assert not Subtitle.objects.exists()


def test_a_language_that_is_none_and_a_missing_file_are_refused(api: APIClient, video: Video) -> None:
    assert "en, de" in refused(send(api, video, language="Klingonese!"), 400, "invalid")["language"][0]
    answer = api.post(f"/api/video/{video.public_id}/subtitles/", {"language": "en"}, format="multipart")
    assert "file" in refused(answer, 400, "invalid")


def test_a_file_that_is_too_large_is_refused(api: APIClient, video: Video) -> None:
    refused(send(api, video, SRT + b" " * 2_100_000), 413, "too_large")


def test_a_track_is_deleted_with_its_files(api: APIClient, video: Video, media: Path) -> None:
    name = send(api, video).json()["name"]
    assert api.delete(f"/api/video/{video.public_id}/subtitles/{name}/").status_code == 204
    assert not (media / "hls" / str(video.pk) / name).exists()
    refused(api.delete(f"/api/video/{video.public_id}/subtitles/{name}/"), 404, "not_found")


def test_tracks_of_the_source_stay_and_say_what_cannot_be_converted(
    api: APIClient, video: Video, planned: Callable[..., Plan]
) -> None:
    planned()
    Subtitle.objects.create(
        video=video,
        encode=Encode.objects.get(),
        number=1,
        name="subs-1-en",
        origin="embedded",
        codec="hdmv_pgs_subtitle",
        status="not_convertible",
        reason="Blu-ray (PGS) subtitles are pictures, not text: they can't be converted.",
    )
    (told,) = api.get(f"/api/video/{video.public_id}/").json()["subtitle_tracks"]
    assert (told["status"], told["url"]) == ("not_convertible", None)
    assert "pictures" in told["reason"]
    refused(api.delete(f"/api/video/{video.public_id}/subtitles/subs-1-en/"), 409, "part_of_source")


def test_only_who_may_change_the_video_may_change_its_subtitles(
    api: APIClient, video: Video, other: User, client_of: Callable[..., APIClient], anybody: APIClient
) -> None:
    Video.objects.filter(pk=video.pk).update(visibility="public")
    name = send(api, video).json()["name"]
    stranger = client_of(other)
    refused(send(stranger, video), 403, "permission_denied")
    refused(stranger.delete(f"/api/video/{video.public_id}/subtitles/{name}/"), 403, "permission_denied")
    assert stranger.get(f"/api/video/{video.public_id}/subtitles/").status_code == 200
    assert send(anybody, video).status_code == 401
    assert send(client_of(video.owner, ("read",)), video).status_code == 403


def test_a_page_of_videos_asks_once_for_all_their_subtitles(
    api: APIClient, video: Video, owner: User
) -> None:
    for number in range(3):
        send(api, Video.objects.create(owner=owner, title=f"{number}"))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert api.get("/api/video/").json()["count"] == 4
    assert sum("videos_subtitle" in query["sql"] for query in queries.captured_queries) == 1


def test_captions_without_a_model_are_refused_with_what_is_missing(api: APIClient, video: Video) -> None:
    answer = api.post(f"/api/video/{video.public_id}/captions/")
    refused(answer, 409, "no_captions")
    assert "RUSHES_CAPTIONS_MODEL" in answer.json()["error"]["message"]
