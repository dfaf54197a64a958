"""The API of videos: what it takes, what it says, and what it refuses, always in the same shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from rest_framework.test import APIClient

from rushes.engine.plan import PLAN_VERSION, Plan
from rushes.jobs.models import Job
from rushes.pipeline.plans import OUTDATED
from rushes.videos.access import check_playback
from rushes.videos.models import Chunk, Encode, Rendition, Video
from rushes.videos.store import hls_store
from tests.api.conftest import refused, some_file

pytestmark = pytest.mark.django_db

PROMISED = set(
    " ".join(
        (
            "public_id title description status playable progress_percentage eta_seconds queue_position error",
            "warnings duration width height url_hls url_dash url_mp4 poster thumbnail storyboard renditions",
            "audio_tracks subtitle_tracks visibility owner external_ref created_at playable_at ready_at",
        )
    ).split()
)


def test_an_upload_makes_a_video_and_its_job(api: APIClient, media: Path) -> None:
    answer = api.post(
        "/api/video/",
        {"file": some_file(name="../../etc/My holiday.mov"), "description": "sea"},
        format="multipart",
    )
    assert answer.status_code == 201
    told = answer.json()
    assert set(told) >= PROMISED
    assert (told["title"], told["status"], told["playable"], told["owner"]) == (
        "My holiday",
        "pending",
        False,
        "ann",
    )
    assert answer["Location"].endswith(f"/api/video/{told['public_id']}/")
    video = Video.objects.get(public_id=told["public_id"])
    assert (media / video.source).read_bytes().startswith(b"a video")
    assert Job.objects.get(group=str(video.pk)).kind == "ingest"
    assert not list((media / "incoming").iterdir())


def test_lists_are_paged_and_filtered(api: APIClient, video: Video, owner: User) -> None:
    for number in range(3):
        Video.objects.create(owner=owner, title=f"{number}", external_ref="lesson-7", status="failed")
    page = api.get("/api/video/", {"page_size": 2}).json()
    assert (page["count"], len(page["results"]), page["previous"]) == (4, 2, None)
    assert api.get(page["next"]).json()["results"][-1]["title"] == "One"
    assert api.get("/api/video/", {"external_ref": "lesson-7"}).json()["count"] == 3
    assert api.get("/api/video/", {"status": "failed"}).json()["count"] == 3
    refused(api.get("/api/video/", {"status": "lost"}), 400, "invalid")
    refused(api.get("/api/video/", {"page": 99}), 404, "not_found")


def test_owners_change_the_words_and_the_source(api: APIClient, video: Video) -> None:
    here = f"/api/video/{video.public_id}/"
    told = api.patch(here, {"title": "Two", "visibility": "public"}, format="json")
    assert (told.status_code, told.json()["title"], told.json()["visibility"]) == (200, "Two", "public")
    refused(api.patch(here, {"visibility": "nobody"}, format="json"), 400, "invalid")
    refused(api.patch(here, {"file": "x"}, format="json"), 400, "invalid")
    refused(api.patch(here, {"url": "http://example.com/x.mp4"}, format="json"), 400, "url_not_supported")
    refused(api.patch(here, {"file": some_file(b"")}, format="multipart"), 400, "invalid")
    before = Video.objects.get().source
    answer = api.patch(here, {"file": some_file(b"another")}, format="multipart")
    assert answer.status_code == 202
    assert Video.objects.get().source != before
    assert Video.objects.get().title == "Two"


def test_what_workers_wrote_meanwhile_stays(api: APIClient, video: Video) -> None:
    """A patch writes what was sent, not the row as it was when it was read."""
    with CaptureQueriesContext(connection) as queries:
        api.patch(f"/api/video/{video.public_id}/", {"title": "Two"}, format="json")
    (update,) = [query["sql"] for query in queries if query["sql"].startswith('UPDATE "videos_video"')]
    assert '"status"' not in update
    assert '"progress_percentage"' not in update


def test_transcoding_is_debounced_and_needs_the_source(api: APIClient, video: Video, media: Path) -> None:
    here = f"/api/video/{video.public_id}/transcode/"
    Job.objects.all().delete()
    first = api.post(here, {"resolutions": ["720p"]}, format="json")
    assert first.status_code == 202
    assert api.post(here, {}, format="json").json()["id"] == first.json()["id"]
    refused(api.post(here, {"resolutions": ["huge"]}, format="json"), 400, "invalid")
    refused(api.post(here, {"resolutions": "720p"}, format="json"), 400, "invalid")
    (media / video.source).unlink()
    Job.objects.all().delete()
    refused(api.post(here, {}, format="json"), 409, "source_deleted")


def test_deleting_removes_rows_at_once(api: APIClient, video: Video) -> None:
    here = f"/api/video/{video.public_id}/"
    assert api.delete(here).status_code == 204
    refused(api.get(here), 404, "not_found")
    assert Job.objects.filter(kind="remove_files").count() == 1


def test_a_video_that_goes_while_it_is_asked_for_is_not_there(
    api: APIClient, video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise Video.DoesNotExist

    for name in ("delete_video", "transcode"):
        monkeypatch.setattr(f"rushes.pipeline.intake.{name}", gone)
    here = f"/api/video/{video.public_id}/"
    refused(api.delete(here), 404, "not_found")
    refused(api.post(f"{here}transcode/", {}, format="json"), 404, "not_found")


def test_addresses_are_absolute_and_private_ones_carry_a_token(
    api: APIClient, anybody: APIClient, video: Video, planned: Callable[..., Plan]
) -> None:
    here = f"/api/video/{video.public_id}/"
    before = api.get(here).json()
    promised = ("url_hls", "url_dash", "url_mp4", "poster", "thumbnail", "storyboard")
    assert [before[name] for name in promised] == [None] * 6
    planned(complete=["360p"])
    told = api.get(here).json()
    assert [told[name] for name in promised[2:]] == [None] * 4
    address = urlsplit(told["url_hls"])
    assert (address.scheme, address.netloc, address.path) == ("http", "testserver", f"{here}master.m3u8")
    (token,) = parse_qs(address.query)["token"]
    assert check_playback(video.public_id, token)
    assert told["url_dash"] == f"http://testserver{here}manifest.mpd?{address.query}"
    rungs = {rung["name"]: rung for rung in told["renditions"]}
    assert set(rungs) == {"720p", "360p"}
    assert rungs["360p"]["status"] == "ready"
    assert rungs["720p"]["status"] == "processing"
    assert rungs["720p"]["url"] == f"http://testserver{here}720p/index.m3u8?{address.query}"
    assert (rungs["720p"]["width"], rungs["720p"]["height"]) == (1280, 720)
    assert rungs["720p"]["bandwidth"] > rungs["360p"]["bandwidth"] > 0
    assert len(told["audio_tracks"]) == 1
    Encode.objects.update(mp4="mp4/1/x.mp4", poster="images/1/x.jpg", thumbnail="images/1/y.jpg")
    Video.objects.update(visibility="unlisted")
    told = anybody.get(here).json()
    names = ("master.m3u8", "manifest.mpd", "video.mp4", "poster.jpg", "thumbnail.jpg")
    assert [told[name] for name in promised] == [*(f"http://testserver{here}{name}" for name in names), None]


def test_health_counts_what_is_there(
    api: APIClient, video: Video, planned: Callable[..., Plan], tmp_path: Path
) -> None:
    here = f"/api/video/{video.public_id}/health"
    told = api.get(here).json()
    assert (told["healthy"], told["renditions"]) == (False, [])
    plan = planned()
    rung, store = plan.rendition("360p"), hls_store(video.pk)
    for number in (0, 1, 3):
        store.write(rung.segment_name(number), b"a segment")
    store.write(rung.init_name, b"an init")
    store.write("360p/video.m3u8", b"#EXTM3U")
    row = Rendition.objects.get(name="360p")
    Chunk.objects.create(rendition=row, index=0, state="done")
    Chunk.objects.create(rendition=row, index=1, state="failed")
    told = api.get(here).json()
    found = {rendition["name"]: rendition for rendition in told["renditions"]}
    assert set(found) == {rendition.name for rendition in plan.renditions}
    count = rung.timeline.segment_count
    assert found["360p"] == {
        "name": "360p",
        "manifest": True,
        "init": True,
        "segments_expected": count,
        "segments_on_disk": 3,
        "segments_in_database": len(rung.timeline.chunk_segments(0)),
        "missing": [number for number in range(count) if number not in (0, 1, 3)],
    }
    assert not found["720p"]["manifest"]
    assert told["healthy"] is False


def test_a_longer_page_takes_no_more_queries(api: APIClient, owner: User, video: Video) -> None:
    Video.objects.update(status="failed")

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert api.get("/api/video/").status_code == 200
        return len(found)

    queries()  # notes when the key was used
    few = queries()
    for _ in range(10):
        Video.objects.create(owner=owner, status="failed")
    assert queries() == few


def test_schema_and_docs_are_there_for_everybody(anybody: APIClient) -> None:
    schema = anybody.get("/api/schema/")
    assert schema.status_code == 200
    docs = anybody.get("/api/docs/")
    assert docs.status_code == 200
    assert b"/api/video/{public_id}/transcode/" in docs.content


def test_an_encode_of_another_version_is_told_of(
    api: APIClient, video: Video, planned: Callable[..., Plan]
) -> None:
    planned(completed_at=now())
    Video.objects.update(status="ready", playable_at=now(), ready_at=now())
    Encode.objects.update(plan_version=PLAN_VERSION - 1, plan_json="{}")
    here = f"/api/video/{video.public_id}/"
    told = api.get(here).json()
    assert (told["error"], told["playable"], told["url_hls"]) == (OUTDATED, False, None)
    assert told["renditions"] == []
    assert not api.get(f"{here}health").json()["healthy"]
