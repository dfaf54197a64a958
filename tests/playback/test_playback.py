"""Playback: who gets what, at once or after a wait, and what players and caches are told."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from rushes.engine.plan import Plan
from rushes.jobs.models import Job
from rushes.pipeline.chunks import pack_sizes
from rushes.playback.app import PlaybackApp
from rushes.videos import access
from rushes.videos.keys import make_key
from rushes.videos.models import Chunk, Encode, Rendition, Video, Visibility
from rushes.videos.store import MediaStore
from tests.playback.conftest import Viewer, aside

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]
LIMIT_S = 20.0


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) == {"code", "message", "fields"}
    assert answer.json()["error"]["code"] == code


def test_playlists_are_there_before_anything_is_made(viewer: Viewer, here: str, plan: Plan) -> None:
    master = viewer.get(here + "master.m3u8")
    assert master.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert master.headers["access-control-allow-origin"] == "*"
    lead = plan.lead_rung
    assert lead is not None
    assert f"{lead.name}/video.m3u8" in master.text
    assert "720p/video.m3u8" not in master.text  # cannot be fed yet
    assert "720p/video.m3u8" in viewer.get(here + "all.m3u8").text
    media = viewer.get(here + "720p/video.m3u8")
    assert media.text.rstrip().endswith("#EXT-X-ENDLIST")
    assert viewer.get(here + "720p/video.m3u8", if_none_match=media.headers["etag"]).status_code == 304
    assert viewer.get(here + "720p/index.m3u8").status_code == 200
    assert viewer.get(here + f"{plan.audio[0].name}/audio.m3u8").status_code == 200
    assert viewer.get(here + "manifest.mpd").headers["content-type"] == "application/dash+xml"
    for wrong in (
        "1080p/video.m3u8",
        "720p/audio.m3u8",
        f"{plan.audio[0].name}/video.m3u8",
        "audio-9-und/audio.m3u8",
        "720p/iframes.m3u8",  # names parts of files, which are not there yet
    ):
        refused(viewer.get(here + wrong), 404, "not_found")


def test_a_complete_rung_has_a_playlist_of_its_first_pictures(
    viewer: Viewer, here: str, plan: Plan, video: Video
) -> None:
    row = Rendition.objects.get(encode=video.active_encode, name="360p")
    timeline = plan.rendition("360p").timeline
    for chunk in range(timeline.chunk_count):
        sizes = [100_000 + number for number in timeline.chunk_segments(chunk)]
        Chunk.objects.create(
            rendition=row,
            index=chunk,
            state="done",
            segment_sizes=pack_sizes(sizes),
            keyframe_sizes=pack_sizes([size // 10 for size in sizes]),
        )
    Rendition.objects.filter(pk=row.pk).update(chunks_done=timeline.chunk_count)
    master = viewer.get(here + "master.m3u8").text
    assert master.count("#EXT-X-I-FRAME-STREAM-INF:") == 1
    assert 'URI="360p/iframes.m3u8"' in master
    served = viewer.get(here + "360p/iframes.m3u8")
    assert served.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert "#EXT-X-I-FRAMES-ONLY" in served.text
    ranges = re.findall(r"#EXT-X-BYTERANGE:(\d+)@0\n\w+/(\d+)\.m4s", served.text)
    assert [(int(size), int(number)) for size, number in ranges] == [
        ((100_000 + number) // 10, number) for number in range(timeline.segment_count)
    ]


def test_segments_have_ranges_tags_and_types(
    viewer: Viewer, here: str, plan: Plan, publish: Callable[..., bytes]
) -> None:
    content = publish("360p", 0)
    path = here + plan.rendition("360p").segment_name(0)
    whole = viewer.get(path)
    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert viewer.get(path, if_none_match=whole.headers["etag"]).status_code == 304
    head = viewer.get(path, "HEAD")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(content)))
    part = viewer.get(path, range="bytes=10-19")
    assert (part.status_code, part.content) == (206, content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(content)}"
    assert viewer.get(path, range=f"bytes={len(content)}-").status_code == 416
    assert viewer.get(path, range="nonsense").status_code == 200
    refused(viewer.get(path, "DELETE"), 405, "method_not_allowed")
    assert viewer.get(path, "OPTIONS").status_code == 204


def test_what_is_not_in_the_plan_is_not_there_and_not_waited_for(
    viewer: Viewer, here: str, plan: Plan
) -> None:
    key = plan.rendition("360p").key
    for wrong in (
        f"360p/{key}/999.m4s",
        f"360p/{key}/x",
        "360p/0000/0.m4s",
        f"1080p/{key}/0.m4s",
        f"360p/{key}/..%2f0.m4s",
    ):
        refused(viewer.get(here + wrong), 404, "not_found")
    refused(viewer.get("/api/video/unknown/master.m3u8"), 404, "not_found")


def test_a_request_waits_for_its_segment_and_moves_it_to_the_front(
    viewer: Viewer, here: str, plan: Plan, publish: Callable[..., bytes], video: Video
) -> None:
    viewer.hold_s = LIMIT_S
    name = plan.rendition("360p").segment_name(5)

    async def work(client: httpx.AsyncClient, app: PlaybackApp) -> list[httpx.Response]:
        requests = [asyncio.ensure_future(client.get(here + name)) for _ in range(20)]
        async with asyncio.timeout(LIMIT_S):
            while app.waiting < 20 or not await aside(Job.objects.filter(priority=0).exists):
                await asyncio.sleep(0.01)
        await aside(publish, "360p", 5)
        return await asyncio.gather(*requests)

    answers = viewer.run(work)
    assert {answer.status_code for answer in answers} == {200}
    first = Job.objects.get(priority=0)
    assert first.args["renditions"] == ["360p"]
    assert first.args["chunk"] == plan.rendition("360p").timeline.chunk_of(5)
    assert Job.objects.filter(priority=20).count() == 3  # and soon what follows
    assert first.queue == "video:waiting"


def test_a_wait_ends_after_a_while_when_the_chunk_fails_and_when_the_video_is_deleted(
    viewer: Viewer, here: str, plan: Plan, video: Video
) -> None:
    name = plan.rendition("360p").segment_name(3)
    refused(viewer.get(here + name), 503, "not_ready")
    viewer.hold_s = LIMIT_S
    row = Rendition.objects.get(name="360p")
    chunk = plan.rendition("360p").timeline.chunk_of(3)
    Chunk.objects.create(rendition=row, index=chunk, state="failed", reason="The part cannot be decoded.")
    failed = viewer.get(here + name)
    refused(failed, 503, "not_ready")
    assert "cannot be decoded" in failed.text

    async def delete(client: httpx.AsyncClient, app: PlaybackApp) -> httpx.Response:
        request = asyncio.ensure_future(client.get(here + plan.rendition("720p").segment_name(0)))
        async with asyncio.timeout(LIMIT_S):
            while not app.waiting:
                await asyncio.sleep(0.01)
            await aside(partial(Video.objects.all().update, active_encode=None))
            await aside(Encode.objects.all().delete)
            return await request

    refused(viewer.run(delete), 404, "not_found")


def test_stopping_ends_every_wait(viewer: Viewer, here: str, plan: Plan) -> None:
    viewer.hold_s = LIMIT_S * 10

    async def work(client: httpx.AsyncClient, app: PlaybackApp) -> httpx.Response:
        request = asyncio.ensure_future(client.get(here + plan.rendition("360p").segment_name(0)))
        async with asyncio.timeout(LIMIT_S):
            while not app.waiting:
                await asyncio.sleep(0.01)
            app.close()
            return await request

    refused(viewer.run(work), 503, "not_ready")


def test_what_follows_a_served_segment_is_asked_for_in_time(
    viewer: Viewer, here: str, plan: Plan, publish: Callable[..., bytes]
) -> None:
    publish("360p", 0)

    async def work(client: httpx.AsyncClient, app: PlaybackApp) -> None:
        assert (await client.get(here + plan.rendition("360p").segment_name(0))).status_code == 200
        async with asyncio.timeout(LIMIT_S):
            while not await aside(Job.objects.filter(kind="chunk").exists):
                await asyncio.sleep(0.01)

    viewer.run(work)


def test_private_videos_are_for_their_owner_and_for_whoever_has_the_token(
    viewer: Viewer, here: str, plan: Plan, video: Video, owner: User, publish: Callable[..., bytes]
) -> None:
    Video.objects.update(visibility=Visibility.PRIVATE)
    publish("360p", 0)
    refused(viewer.get(here + "master.m3u8"), 404, "not_found")
    refused(viewer.get(here + "master.m3u8?token=wrong"), 404, "not_found")
    _, secret = make_key(owner, "tv", ["read"])
    assert viewer.get(here + "master.m3u8", authorization=f"Token {secret}").status_code == 200
    _, foreign = make_key(User.objects.create_user("bob"), "tv", ["read"])
    refused(viewer.get(here + "master.m3u8", authorization=f"Token {foreign}"), 404, "not_found")
    browser = Client()
    browser.force_login(owner)
    name = settings.SESSION_COOKIE_NAME
    cookie = f"{name}={browser.cookies[name].value}"
    answer = viewer.get(here + "360p/video.m3u8", cookie=cookie)
    assert answer.status_code == 200
    assert "token=" not in answer.text
    assert "access-control-allow-origin" not in answer.headers
    token = access.sign_playback(video.public_id, 60)
    for playlist in ("master.m3u8", "all.m3u8", "360p/index.m3u8", "360p/video.m3u8", "manifest.mpd"):
        text = viewer.get(f"{here}{playlist}?token={token}").text
        uris = re.findall(r'(?:URI|media|initialization)="([^"]+)"', text)
        uris += (
            [line for line in text.splitlines() if line and line[0] not in "#<"] if "m3u8" in playlist else []
        )
        assert uris
        assert all(uri.endswith(f"?token={token}") for uri in uris), playlist
    segment = viewer.get(f"{here}{plan.rendition('360p').segment_name(0)}?token={token}")
    assert segment.status_code == 200
    assert segment.headers["cache-control"].startswith("private")


def test_players_of_a_retired_encode_go_on(
    viewer: Viewer, here: str, plan: Plan, publish: Callable[..., bytes], video: Video
) -> None:
    content = publish("360p", 0)
    Encode.objects.update(state="retired")
    other = Encode.objects.create(
        video=video,
        state="active",
        plan_json=Encode.objects.get().plan_json.replace(plan.rendition("360p").key, "f" * 32),
        plan_version=plan.version,
        source="s",
    )
    Video.objects.update(active_encode=other)
    assert viewer.get(here + plan.rendition("360p").segment_name(0)).content == content
    # What it never had, nobody makes any more, and nobody waits for.
    viewer.hold_s = LIMIT_S * 10
    never = viewer.get(here + plan.rendition("360p").segment_name(5))
    refused(never, 503, "not_ready")
    assert "newer version" in never.text


def test_playlists_are_held_while_the_source_is_read_and_refused_where_there_is_nothing_to_play(
    viewer: Viewer, here: str, video: Video
) -> None:
    encode = video.active_encode
    Video.objects.update(active_encode=None)
    refused(viewer.get(here + "master.m3u8"), 503, "not_ready")
    viewer.hold_s = LIMIT_S

    async def work(client: httpx.AsyncClient, app: PlaybackApp) -> httpx.Response:
        request = asyncio.ensure_future(client.get(here + "master.m3u8"))
        await asyncio.sleep(0)
        await aside(partial(Video.objects.all().update, active_encode=encode))
        return await request

    assert viewer.run(work).status_code == 200
    Video.objects.update(active_encode=None, status="failed", error="This is no video.")
    answer = viewer.get(here + "master.m3u8")
    refused(answer, 404, "not_playable")
    assert "This is no video." in answer.text


def test_downloads_and_pictures(viewer: Viewer, here: str, tmp_path: Path, video: Video) -> None:
    refused(viewer.get(here + "video.mp4"), 404, "not_found")
    refused(viewer.get(here + "poster.jpg"), 404, "not_found")
    refused(viewer.get(here + "storyboard.vtt"), 404, "not_found")
    (tmp_path / "x").write_bytes(b"an mp4")
    MediaStore().put("mp4/1/1.mp4", tmp_path / "x")
    Encode.objects.update(mp4="mp4/1/1.mp4")
    answer = viewer.get(here + "video.mp4?download=1")
    assert answer.content == b"an mp4"
    assert (
        "A%20film" in answer.headers["content-disposition"]
        or "A film one.mp4" in answer.headers["content-disposition"]
    )
    assert viewer.get(here + "video.mp4", range="bytes=3-5").content == b"mp4"


async def allowed() -> bool:
    return True


def test_events_tell_everything_again_when_something_changes(viewer: Viewer, here: str, video: Video) -> None:
    async def work(client: httpx.AsyncClient, app: PlaybackApp) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        events = app._events.stream(video.public_id, allowed)
        async with asyncio.timeout(LIMIT_S):
            async for event in events:
                if event.startswith("event: deleted"):
                    break
                told.append(json.loads(event.partition("data: ")[2]))
                if len(told) == 1:
                    await aside(partial(Video.objects.all().update, title="Another"))
                else:
                    await aside(Video.objects.all().delete)
        return told

    first, second = viewer.run(work)
    assert (first["title"], second["title"]) == ("A film: one", "Another")
    assert {"state", "status", "playable", "progress", "duration_s", "rungs", "audio", "failures"} <= set(
        first
    )
    assert [rung["name"] for rung in first["rungs"] if rung["fed"]] == ["360p"]
