"""The way of a video, with real ffmpeg: from an upload to ready, and what people and accidents do on the way."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.jobs import claims
from rushes.jobs.models import OPEN, Job, Status
from rushes.jobs.queues import QUEUES, TRANSCODE
from rushes.pipeline import intake, streams, window
from rushes.pipeline.progress import describe
from rushes.videos.models import Chunk, EncodeState, Video, VideoStatus
from rushes.videos.store import MediaStore, hls_store
from tests.pipeline.hands import step, work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

Clip = Callable[..., Path]


def test_a_video_becomes_playable_then_ready_with_everything_that_is_promised(
    upload: Callable[..., Video], media: Path
) -> None:
    video = upload(gop=15)
    assert video.status == VideoStatus.PENDING
    assert step() == "ingest"
    video.refresh_from_db()
    assert (video.status, video.playable) == (VideoStatus.PROCESSING, False)
    stream = streams.load_stream(video.public_id)
    assert stream is not None
    assert "#EXT-X-ENDLIST" in streams.media_playlist(stream, stream.plan.rungs[0].name)
    while not video.playable:
        assert step() == "chunk"
        video.refresh_from_db()
    work()
    video.refresh_from_db()
    assert (video.status, video.error, video.progress_percentage) == (VideoStatus.READY, "", 100)
    folder = media / "hls" / str(video.pk)
    for rung in stream.plan.rungs:
        assert (folder / rung.name / "index.m3u8").exists()
        for number in range(rung.timeline.segment_count):
            assert (folder / rung.segment_name(number)).stat().st_size > 0
    assert (folder / "master.m3u8").exists()
    assert (folder / "manifest.mpd").exists()
    assert video.active_encode is not None
    for name in (video.active_encode.mp4, video.active_encode.poster, video.active_encode.thumbnail):
        assert MediaStore().exists(name)
    assert not Job.objects.filter(status__in=OPEN).exists()
    assert not list((media / "scratch").glob("run-*"))
    told = describe(video)
    assert {rung["status"] for rung in told["renditions"]} == {"ready"}


def test_sound_alone_is_a_video_too(upload: Callable[..., Video]) -> None:
    video = upload(codec="", audio_codec="aac", suffix=".m4a")
    work()
    video.refresh_from_db()
    assert (video.status, video.error) == (VideoStatus.READY, "")


def test_what_is_no_video_fails_at_once_with_a_sentence_that_names_the_user_s_file(
    upload: Callable[..., Video], tmp_path: Path
) -> None:
    path = tmp_path / "text"
    path.write_text("This is not a video at all. " * 100)
    video = upload(path)
    work()
    video.refresh_from_db()
    assert video.status == VideoStatus.FAILED
    assert video.error.startswith("a clip.mp4 is not")
    assert str(tmp_path) not in video.error
    assert Job.objects.get(kind="ingest").failures == 1


def test_a_new_source_takes_over_when_it_is_ready_and_the_old_segments_stay_for_whoever_watches(
    upload: Callable[..., Video], clip: Clip, tmp_path: Path, media: Path
) -> None:
    video = upload()
    work()
    video.refresh_from_db()
    old = video.active_encode
    assert old is not None
    old_segment = streams.load_stream(video.public_id).plan.rungs[-1].segment_name(0)  # type: ignore[union-attr]
    shutil.copyfile(clip(size=(320, 180), duration_s=3), tmp_path / "second")
    intake.replace_source(video, tmp_path / "second", "second.mp4")
    assert step() == "ingest"
    video.refresh_from_db()
    assert (video.active_encode_id, video.status) == (old.pk, VideoStatus.READY)
    work()
    video.refresh_from_db()
    assert video.active_encode_id != old.pk
    old.refresh_from_db()
    assert old.state == EncodeState.RETIRED
    assert hls_store(video.pk).exists(old_segment)
    rung, key = old_segment.split("/")[:2]
    assert streams.retired_stream(video.public_id, rung, key) is not None
    assert abs((video.duration_s or 0) - 3) < 0.1
    assert len(list((media / "sources" / str(video.pk)).iterdir())) == 1
    retire = Job.objects.get(kind="retire")
    Job.objects.filter(pk=retire.pk).update(run_after=retire.created_at)
    work()
    assert not hls_store(video.pk).exists(old_segment)
    assert not video.encodes.filter(pk=old.pk).exists()


def test_a_source_that_cannot_be_used_leaves_a_ready_video_as_it_was(
    upload: Callable[..., Video], tmp_path: Path
) -> None:
    video = upload()
    work()
    (tmp_path / "bad").write_bytes(b"nothing")
    intake.replace_source(video, tmp_path / "bad", "bad.mp4")
    work()
    before = video.active_encode_id
    video.refresh_from_db()
    assert (video.status, video.playable) == (VideoStatus.READY, True)
    assert "bad.mp4" in video.error.lower()
    assert before is None or video.active_encode_id == before


def test_renditions_that_do_not_change_are_not_made_again(upload: Callable[..., Video]) -> None:
    video = upload()
    work()
    Job.objects.all().delete()
    intake.transcode(video, ["144p"])
    work()
    assert not Job.objects.filter(kind="chunk", args__renditions=["audio-1-und"]).exists()
    video.refresh_from_db()
    assert video.status == VideoStatus.READY


def test_all_is_made_again_where_that_is_asked_for(upload: Callable[..., Video], media: Path) -> None:
    video = upload()
    work()
    Job.objects.all().delete()
    before = {path: path.read_bytes() for path in (media / "hls").rglob("*.m4s")}
    assert before
    lost = next(iter(before))
    lost.unlink()  # somebody has cleaned up by hand
    intake.transcode(video, force=True)
    work()
    video.refresh_from_db()
    assert video.status == VideoStatus.READY
    assert {path: path.read_bytes() for path in (media / "hls").rglob("*.m4s")} == before
    assert Job.objects.filter(kind="chunk", args__renditions=["audio-1-und"]).exists()


def test_deleting_in_the_middle_leaves_nothing(upload: Callable[..., Video], media: Path) -> None:
    video = upload()
    assert [step(), step()] == ["ingest", "chunk"]
    real = str(video.pk)
    intake.delete_video(video)
    work()
    assert not Video.objects.exists()
    assert not Chunk.objects.exists()
    assert not [path for path in media.rglob("*") if path.is_dir() and path.name == real]
    assert not Job.objects.filter(status__in=OPEN).exists()


def test_a_second_wish_within_seconds_is_the_same_job(upload: Callable[..., Video]) -> None:
    video = upload()
    work()
    Job.objects.all().delete()
    assert intake.transcode(video).pk == intake.transcode(video).pk
    work()
    MediaStore().delete(Video.objects.get(pk=video.pk).source)
    Job.objects.all().delete()
    with pytest.raises(intake.SourceDeleted):
        intake.transcode(video)


def test_a_first_picture_has_the_machine_for_itself(upload: Callable[..., Video]) -> None:
    video = upload()
    assert step() == "ingest"
    background = Job.objects.filter(kind="chunk", queue=TRANSCODE.name)
    while not background.exists():
        video.refresh_from_db()
        assert not video.playable
        assert step() == "chunk"
    video.refresh_from_db()
    assert video.playable
    assert video.status == VideoStatus.PROCESSING


def test_who_waits_for_a_segment_moves_its_chunk_to_the_front(upload: Callable[..., Video]) -> None:
    video = upload(rate=5)
    step()
    video.refresh_from_db()
    encode = video.active_encode
    assert encode is not None
    stream = streams.load_stream(video.public_id)
    assert stream is not None
    lead = stream.plan.lead_rung
    assert lead is not None
    window.promote(encode.pk, lead.name, 0)
    best = claims.claim(list(QUEUES), "w")
    assert best is not None
    assert best.args == {"encode": encode.pk, "renditions": [lead.name], "chunk": 0}
    with pytest.raises(KeyError):
        window.promote(encode.pk, "nothing", 0)


def test_a_damaged_segment_is_found_and_made_again(upload: Callable[..., Video], media: Path) -> None:
    video = upload()
    while step() != "ingest":
        pass
    while Job.objects.filter(kind="chunk", status=Status.PENDING).exists():
        step()
    segment = next((media / "hls" / str(video.pk)).rglob("0.m4s"))
    good = segment.read_bytes()
    segment.write_bytes(good[: len(good) // 2])
    work()
    video.refresh_from_db()
    assert video.status == VideoStatus.READY
    assert segment.read_bytes() == good
