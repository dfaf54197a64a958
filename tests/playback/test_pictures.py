"""Storyboards and previews over HTTP: for whoever may watch, in parts, and sent again only when changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.videos.access import sign_playback
from rushes.videos.models import Encode, Video
from rushes.videos.store import MediaStore
from tests.playback.conftest import Viewer

VTT = "WEBVTT\n\n00:00:00.000 --> 00:00:04.000\nstoryboard-{0}-0.jpg#xywh=0,0,192,108\n"

Place = Callable[[str, bytes], str]


@pytest.fixture
def encode(video: Video) -> Encode:
    assert video.active_encode is not None
    return video.active_encode


@pytest.fixture
def place(video: Video, encode: Encode, tmp_path: Path) -> Place:
    """`place("poster.jpg", b"...")` puts a file where the encode's pictures lie; its name in the store."""

    def put(name: str, content: bytes) -> str:
        (tmp_path / "file").write_bytes(content)
        stored = f"images/{video.pk}/{encode.pk}/{name}"
        MediaStore().put(stored, tmp_path / "file")
        return stored

    return put


@pytest.fixture
def made(encode: Encode, place: Place) -> None:
    encode.storyboard = place("storyboard.vtt", VTT.format(encode.pk).encode())
    encode.preview = place("preview.mp4", b"0123456789")
    place(f"storyboard-{encode.pk}-0.jpg", b"sheet")
    encode.save()


def test_nothing_is_there_before_it_is_made(viewer: Viewer, here: str, encode: Encode) -> None:
    for name in ("storyboard.vtt", "preview.mp4", f"storyboard-{encode.pk}-0.jpg"):
        assert viewer.get(here + name).status_code == 404


def test_a_storyboard_names_its_sheets_which_may_be_kept_for_ever(
    viewer: Viewer, here: str, encode: Encode, made: None
) -> None:
    answer = viewer.get(f"{here}storyboard.vtt")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/vtt; charset=utf-8")
    assert answer.text == VTT.format(encode.pk)
    assert answer.headers["cache-control"] == "public, no-cache"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert viewer.get(f"{here}storyboard.vtt", if_none_match=answer.headers["etag"]).status_code == 304
    sheet = viewer.get(f"{here}storyboard-{encode.pk}-0.jpg")
    assert (sheet.content, sheet.headers["content-type"]) == (b"sheet", "image/jpeg")
    assert sheet.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_a_preview_is_sent_in_parts(viewer: Viewer, here: str, made: None) -> None:
    part = viewer.get(f"{here}preview.mp4", range="bytes=2-4")
    assert (part.status_code, part.content, part.headers["content-type"]) == (206, b"234", "video/mp4")
    etag = part.headers["etag"]
    assert viewer.get(f"{here}preview.mp4", if_none_match=etag).status_code == 304
    assert viewer.get(f"{here}preview.mp4", method="HEAD").headers["content-length"] == "10"


def test_of_a_private_video_every_address_carries_the_token(
    viewer: Viewer, here: str, video: Video, encode: Encode, made: None
) -> None:
    Video.objects.filter(pk=video.pk).update(visibility="private")
    names = ("storyboard.vtt", "preview.mp4", f"storyboard-{encode.pk}-0.jpg")
    for name in names:
        assert viewer.get(here + name).status_code == 404
        assert viewer.get(f"{here}{name}?token=1.x").status_code == 404
    token = sign_playback(video.public_id, 60)
    answer = viewer.get(f"{here}storyboard.vtt?token={token}")
    assert answer.headers["cache-control"] == "private, no-cache"
    (line,) = [line for line in answer.text.splitlines() if "#xywh" in line]
    address, _, fragment = line.partition("#")
    assert fragment == "xywh=0,0,192,108"
    assert viewer.get(here + address).content == b"sheet"


def test_sheets_of_an_encode_that_was_replaced_are_found_and_those_of_other_videos_are_not(
    viewer: Viewer, here: str, video: Video, encode: Encode, made: None
) -> None:
    other = Video.objects.create(visibility="public", status="processing")
    newer = Encode.objects.create(video=video, plan_json=encode.plan_json, plan_version=1, source="s")
    Video.objects.filter(pk=video.pk).update(active_encode=newer)
    assert viewer.get(f"{here}storyboard-{encode.pk}-0.jpg").content == b"sheet"
    assert viewer.get(f"/api/video/{other.public_id}/storyboard-{encode.pk}-0.jpg").status_code == 404
    for odd in (f"storyboard-{encode.pk}-1.jpg", f"storyboard-0{encode.pk}-0.jpg", "storyboard-0-0.jpg"):
        assert viewer.get(here + odd).status_code == 404
