"""What goes wrong on the way of a video, and what is asked for in the middle of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rushes.engine.assembly import BrokenPromise
from rushes.engine.process import FfmpegFailed
from rushes.jobs import ledger
from rushes.jobs.attempts import attempt
from rushes.jobs.models import OPEN, Job, Status
from rushes.jobs.queues import TRANSCODE, Priority
from rushes.jobs.reporting import Running
from rushes.pipeline import (
    building,
    download,
    intake,
    plans,
    removal,
    streams,
    takeover,
    verifying,
    window,
)
from rushes.pipeline.chunks import pack_sizes, unpack_sizes
from rushes.pipeline.progress import describe
from rushes.videos.models import Chunk, Encode, EncodeState, Video, VideoStatus
from rushes.videos.store import MediaStore
from tests.pipeline.hands import claim, step, until, work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

Clip = Callable[..., Path]
Upload = Callable[..., Video]


def encode_of(video: Video) -> Encode:
    video.refresh_from_db()
    assert video.active_encode is not None
    return video.active_encode


def spoil(encode: Encode, track: int = -1) -> None:
    """Make one audio track of a plan one that no source has: none of its chunks can be made."""
    plan = json.loads(encode.plan_json)
    plan["audio"][track]["stream_index"] = 17
    Encode.objects.filter(pk=encode.pk).update(plan_json=json.dumps(plan))
    plans._plan.cache_clear()


def test_sizes_of_segments_come_back_as_they_were_packed() -> None:
    assert unpack_sizes(pack_sizes((0, 1, 70_000, 2**32 - 1))) == (0, 1, 70_000, 2**32 - 1)


def test_what_cannot_be_made_of_a_video_leaves_the_rest_playable_and_says_why(upload: Upload) -> None:
    video = upload(audio_tracks=2)
    assert step() == "ingest"
    spoil(encode_of(video))
    work()
    video.refresh_from_db()
    assert (video.status, video.playable) == (VideoStatus.FAILED, True)
    assert video.error.startswith("The part at 0:00 cannot be decoded")
    assert "\n" not in video.error
    stream = streams.load_stream(video.public_id)
    assert stream is not None
    assert {rung.name for rung in stream.plan.rungs} <= stream.complete
    assert [name for name, _ in stream.failed] == [stream.plan.audio[1].name]
    # Begun again, what is there is not made again, and this time it all is.
    Job.objects.all().delete()
    intake.retry_video(video)
    work()
    video.refresh_from_db()
    assert (video.status, video.error) == (VideoStatus.READY, "")
    made = {
        name
        for args in Job.objects.filter(kind="chunk").values_list("args", flat=True)
        for name in args["renditions"]
    }
    assert made == {stream.plan.audio[1].name}


def test_a_reencode_that_fails_late_leaves_the_video_and_its_source_as_they_were(
    upload: Upload, clip: Clip, tmp_path: Path, media: Path
) -> None:
    video = upload()
    work()
    old, source = encode_of(video), video.source
    shutil.copyfile(clip(size=(320, 180), duration_s=1), tmp_path / "second")
    intake.replace_source(video, tmp_path / "second", "second.mp4")
    assert step() == "ingest"
    new = video.encodes.get(state=EncodeState.BUILDING)
    spoil(new)
    takeover.follow(video.pk)
    until("publish")
    assert step() == "publish"
    work()
    video.refresh_from_db()
    new.refresh_from_db()
    assert (video.status, video.active_encode_id, new.state) == (
        VideoStatus.READY,
        old.pk,
        EncodeState.FAILED,
    )
    assert video.error.startswith("The part at 0:00 cannot be decoded")
    assert (video.source, video.original_name) == (source, "a clip.mp4")
    assert [path.name for path in (media / "sources" / str(video.pk)).iterdir()] == [Path(source).name]
    # What it has left is removed in time, and nothing that the living one uses.
    retire = Job.objects.get(kind="retire", args__encode=new.pk)
    Job.objects.filter(pk=retire.pk).update(run_after=retire.created_at)
    work()
    stream = streams.load_stream(video.public_id)
    assert stream is not None
    folder = media / "hls" / str(video.pk)
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {
        r.name for r in stream.plan.renditions
    }
    assert all((folder / r.folder / "init.mp4").exists() for r in stream.plan.renditions)
    assert not any((folder / row.name / row.key).exists() for row in new.renditions.all())


def test_a_chunk_that_is_delivered_twice_is_committed_once_and_the_video_is_finished_once(
    upload: Upload,
) -> None:
    video = upload()
    assert step() == "ingest"
    until("chunk")
    first = claim()
    assert first is not None
    twin = Job.objects.get(pk=first.id)
    twin.pk, twin.key, twin.status, twin.lease_until = None, None, Status.PENDING, None
    twin.save(force_insert=True)
    second = next(job for job in iter(claim, None) if job.id == twin.pk)
    ledger.sweep()
    attempt(Running(second))
    attempt(Running(first))
    place = {"rendition__name": first.args["renditions"][0], "index": first.args["chunk"]}
    assert Chunk.objects.filter(**place).count() == 1
    Job.objects.filter(status=Status.PROCESSING).update(status=Status.PENDING, lease_until=None)
    work()
    assert encode_of(video).completed_at is not None
    # And once more when all is over.
    Job.objects.filter(kind="finalise").delete()
    Job.objects.filter(pk=twin.pk).update(status=Status.PENDING)
    work()
    assert not Job.objects.filter(kind="finalise").exists()


def test_an_encode_goes_on_when_viewers_have_taken_all_that_was_in_its_window(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "WINDOW_PER_CORE", 1)
    monkeypatch.setattr(window, "usable_cores", lambda: 1)
    video = upload(duration_s=48, rate=5)
    assert step() == "ingest"
    encode = encode_of(video)
    plan = plans.plan_of(encode.pk)
    assert plan.encoded_rungs[0].timeline.chunk_count == 2 + window.AHEAD_CHUNKS + 1
    in_window = Job.objects.filter(kind="chunk", queue=TRANSCODE.name, status=Status.PENDING)
    while not in_window.exists() or len(in_window.get().args["renditions"]) < 2:
        assert step() in ("chunk", "subtitle")
    assert in_window.get().args["chunk"] == 1
    for rendition in plan.renditions:
        second_chunk = rendition.timeline.chunk_segments(1)[0]
        window.promote(encode.pk, rendition.name, second_chunk)
    while step():  # one after the other: what was in the window comes when nothing of it is left to do
        pass
    video.refresh_from_db()
    assert video.status == VideoStatus.READY


def test_an_encode_whose_last_jobs_somebody_cancelled_goes_on(upload: Upload) -> None:
    video = upload()
    assert step() == "ingest"
    assert building.go_on() == 0
    ledger.cancel(list(Job.objects.filter(status__in=OPEN).values_list("pk", flat=True)))
    assert building.go_on() == 1
    work()
    video.refresh_from_db()
    assert video.status == VideoStatus.READY


def test_a_second_upload_goes_before_what_is_left_of_the_first(upload: Upload) -> None:
    first = upload(duration_s=20, size=(256, 144), rate=10)
    assert step() == "ingest"
    while Job.objects.filter(status=Status.PENDING, priority__lt=Priority.BACKGROUND).exists():
        step()
    assert Job.objects.filter(queue=TRANSCODE.name, group=str(first.pk), status=Status.PENDING).exists()
    second = upload()
    assert step() == "ingest"
    while not second.playable:
        job = claim()
        assert job is not None
        assert job.group == str(second.pk)
        attempt(Running(job))
        second.refresh_from_db()


def test_what_is_wrong_again_and_again_is_not_made_for_ever(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> dict[int, str]:
        return {0: "240p: segment 0 is upside down."}

    monkeypatch.setattr(verifying, "broken_chunks", never)
    video = upload()
    work()
    video.refresh_from_db()
    assert (video.status, video.playable) == (VideoStatus.FAILED, True)
    assert video.error == "The result is not what was planned: 240p: segment 0 is upside down."
    assert Job.objects.filter(kind="finalise", status=Status.COMPLETED).count() == 2


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (FfmpegFailed("ffmpeg ended with status 1", ["ffmpeg"], 1, ("no",)), "ffmpeg ended with status 1"),
        (BrokenPromise("30 samples and 903 ticks"), "what ffmpeg wrote is not what was planned"),
    ],
)
def test_a_video_is_ready_without_a_download_where_that_cannot_be_made(
    upload: Upload, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(download, "write_mp4", never)
    video = upload()
    work()
    video.refresh_from_db()
    assert video.status == VideoStatus.READY
    assert video.warnings == [f"No MP4 could be made: {why}."]
    assert encode_of(video).poster
    # Somebody has mended it: the job alone is retried, and nothing is wrong any more.
    monkeypatch.undo()
    assert ledger.retry(Job.objects.get(kind="mp4", status=Status.FAILED).pk)
    work()
    video.refresh_from_db()
    assert (video.status, video.warnings) == (VideoStatus.READY, [])
    assert MediaStore().exists(encode_of(video).mp4)


def test_a_plan_for_an_encoder_that_is_gone_is_made_anew_but_not_for_ever(upload: Upload) -> None:
    video = upload()
    assert step() == "ingest"
    encode = encode_of(video)
    Encode.objects.filter(pk=encode.pk).update(encoder_build="of yesterday", plan_key="of yesterday")
    work()
    video.refresh_from_db()
    assert (video.status, video.active_encode_id != encode.pk) == (VideoStatus.READY, True)
    again = encode_of(video)
    Encode.objects.filter(pk=again.pk).update(settings={"replans": 2})
    intake.plan_again(Encode.objects.get(pk=again.pk))
    video.refresh_from_db()
    assert (video.status, "different builds" in video.error) == (VideoStatus.FAILED, True)


def test_asked_resolutions_are_made_and_no_others(upload: Upload) -> None:
    video = upload()
    intake.transcode(video, ["144p"])
    work()
    plan = plans.plan_of(encode_of(video).pk)
    assert [rung.name for rung in plan.rungs if rung.method == "encode"] == ["144p"]
    with pytest.raises(intake.UnknownResolution):
        intake.transcode(video, ["big"])


def test_the_later_of_two_wishes_that_are_looked_at_side_by_side_holds(upload: Upload) -> None:
    video = upload()
    later = intake.transcode(video, ["144p"])
    first, second = claim(), claim()
    assert first is not None
    assert second is not None
    assert (second.id, second.kind) == (later.pk, "ingest")
    attempt(Running(second))
    attempt(Running(first))
    work()
    assert encode_of(video).root_job == later.pk
    assert (video.status, video.encodes.count()) == (VideoStatus.READY, 1)


def test_asking_for_what_is_there_is_a_job_with_nothing_to_do(upload: Upload) -> None:
    video = upload()
    work()
    encode = encode_of(video)
    assert intake.transcode(video).kind == "ingest"
    work()
    assert encode_of(video).pk == encode.pk
    assert (video.status, video.encodes.count()) == (VideoStatus.READY, 1)


def test_a_source_that_cannot_be_sought_in_is_copied_and_the_copy_removed_in_the_end(
    upload: Upload, clip: Clip, media: Path
) -> None:
    video = upload(clip(suffix=".ts", size=(256, 144), duration_s=2))
    assert step() == "ingest"
    assert MediaStore().exists(encode_of(video).work_source)
    work()
    video.refresh_from_db()
    assert video.status == VideoStatus.READY
    assert not list((media / "work").rglob("*/*"))
    assert MediaStore().exists(video.source)


def test_a_source_is_removed_after_it_was_used_where_none_is_kept(upload: Upload, settings: Any) -> None:
    settings.RUSHES_KEEP_SOURCE = False
    video = upload()
    name = video.source
    work()
    video.refresh_from_db()
    assert (video.status, video.source, MediaStore().exists(name)) == (VideoStatus.READY, "", False)
    with pytest.raises(intake.SourceDeleted):
        intake.transcode(video)


def test_a_damaged_file_becomes_ready_with_a_warning(upload: Upload, clip: Clip, tmp_path: Path) -> None:
    good = clip(size=(426, 240), duration_s=6, gop=30, options=("-movflags", "+faststart"))
    data = bytearray(good.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = bytes(20_000)
    (tmp_path / "damaged").write_bytes(data)
    video = upload(tmp_path / "damaged")
    work()
    video.refresh_from_db()
    assert (video.status, video.error) == (VideoStatus.READY, "")
    assert any("damaged" in warning for warning in video.warnings)


def test_files_of_a_deleted_video_wait_for_whoever_still_works_on_it(
    upload: Upload, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "_PATIENCE_S", 0.0)
    video = upload()
    assert step() == "ingest"
    busy = claim()
    assert busy is not None
    real = str(video.pk)
    intake.delete_video(video)
    assert step() == "remove_files"
    assert (media / "sources" / real).is_dir()
    attempt(Running(busy))
    assert Job.objects.get(pk=busy.id).status == Status.CANCELLED
    again = Job.objects.get(kind="remove_files", status=Status.PENDING)
    Job.objects.filter(pk=again.pk).update(run_after=again.created_at)
    work()
    assert not [path for path in media.rglob(real) if path.is_dir()]


def test_time_left_follows_the_pace_of_what_is_done(upload: Upload) -> None:
    video = upload(duration_s=20, size=(256, 144), rate=10)
    assert describe(video)["queue_position"] == 1
    assert step() == "ingest"
    video.refresh_from_db()
    assert describe(video)["eta_seconds"] is None
    while video.progress_percentage < 5:
        assert step() == "chunk"
        video.refresh_from_db()
    left = describe(video)["eta_seconds"]
    assert left is not None
    assert 0 <= left < 600


def test_what_needs_more_room_than_there_is_is_refused_before_the_work(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))  # type: ignore[attr-defined]
    video = upload()
    work()
    video.refresh_from_db()
    assert video.status == VideoStatus.FAILED
    assert video.error.startswith("There is not enough room on the server")
