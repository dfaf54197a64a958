"""Subtitles as players get them: playlist, segments and the whole text, with the token of a private video."""

from __future__ import annotations

from rushes.engine.plan import Plan
from rushes.pipeline import subtitles
from rushes.playback.events import snapshot
from rushes.videos.access import sign_playback
from rushes.videos.models import Video
from tests.playback.conftest import Viewer

SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello\n"


def test_players_get_playlist_and_text(viewer: Viewer, here: str, video: Video, plan: Plan) -> None:
    row = subtitles.add_subtitles(video, SRT, language="de")
    master = viewer.get(f"{here}master.m3u8").text
    assert f'URI="{row.name}/subs.m3u8"' in master
    assert 'SUBTITLES="subs"' in master
    playlist = viewer.get(f"{here}{row.name}/subs.m3u8")
    assert playlist.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert playlist.text.count("#EXTINF") == 2  # 60 s in segments of 30
    for file in ("0.vtt", "empty.vtt", "all.vtt"):
        answer = viewer.get(f"{here}{row.name}/{row.key}/{file}")
        assert answer.status_code == 200, file
        assert answer.text.startswith("WEBVTT")
        assert answer.headers["content-type"] == "text/vtt; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "immutable" in answer.headers["cache-control"]
    assert f"<BaseURL>{row.name}/{row.key}/all.vtt</BaseURL>" in viewer.get(f"{here}manifest.mpd").text
    assert [text["label"] for text in snapshot(video)["subtitles"]] == ["Deutsch"]


def test_what_is_not_there_is_not_there(viewer: Viewer, here: str, video: Video) -> None:
    row = subtitles.add_subtitles(video, SRT)
    for name in (
        f"{row.name}/{row.key}/1.vtt",
        f"{row.name}/0000/all.vtt",
        f"{row.name}/{row.key}/other.vtt",
        "subs-9-de/subs.m3u8",
        f"720p/{row.key}/all.vtt",
    ):
        assert viewer.get(here + name).status_code == 404, name
    subtitles.remove_subtitles(video, row.name)
    assert viewer.get(f"{here}{row.name}/{row.key}/all.vtt").status_code == 404
    assert "SUBTITLES" not in viewer.get(f"{here}master.m3u8").text


def test_subtitles_of_a_private_video_need_its_token(viewer: Viewer, here: str, video: Video) -> None:
    row = subtitles.add_subtitles(video, SRT)
    Video.objects.filter(pk=video.pk).update(visibility="private")
    token = sign_playback(video.public_id, 60)
    for name in (f"{row.name}/subs.m3u8", f"{row.name}/{row.key}/all.vtt"):
        assert viewer.get(here + name).status_code == 404
        assert viewer.get(f"{here}{name}?token={token}").status_code == 200
    playlist = viewer.get(f"{here}{row.name}/subs.m3u8?token={token}").text
    assert f"{row.key}/0.vtt?token={token}" in playlist
    assert f"all.vtt?token={token}</BaseURL>" in viewer.get(f"{here}manifest.mpd?token={token}").text
