"""What is made beside the streams: each by a job of its own, and a video is ready when all is there."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rushes.engine.binaries import toolchain
from rushes.engine.download import OWN_RUNG, download_of
from rushes.jobs.models import Job, Status
from rushes.pipeline import download, intake, outputs, plans
from rushes.videos.addresses import Addresses
from rushes.videos.models import Encode, Video, VideoStatus
from rushes.videos.store import MediaStore, hls_store
from tests.engine.pictures import size_of
from tests.pipeline.hands import step, until, work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

Clip = Callable[..., Path]
Upload = Callable[..., Video]


def ready(video: Video) -> Encode:
    work()
    video.refresh_from_db()
    assert (video.status, video.error) == (VideoStatus.READY, "")
    assert video.active_encode is not None
    return video.active_encode


def streams_of(path: Path) -> list[dict[str, Any]]:
    argv = [toolchain().ffprobe.path, "-v", "error", "-show_streams", "-of", "json", path]
    told: list[dict[str, Any]] = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)[
        "streams"
    ]
    return told


def test_each_is_a_child_of_the_root_job_on_a_queue_of_its_own_and_is_there_in_the_end(
    upload: Upload, media: Path
) -> None:
    video = upload()
    encode = ready(video)
    jobs = Job.objects.filter(kind__in=outputs.KINDS)
    assert {job.kind: job.queue for job in jobs} == {
        "poster": "image:poster",
        "storyboard": "image:sprite",
        "preview": "video:trickplay",
        "mp4": "video:transcode",
    }
    assert {job.parent_id for job in jobs} == {encode.root_job}
    assert encode.outputs == dict.fromkeys(outputs.KINDS, "")
    assert video.warnings == []
    folder = media / "images" / str(video.pk) / str(encode.pk)
    assert {path.name for path in folder.iterdir()} == {
        *("poster.jpg", "thumbnail.jpg", "preview.mp4", "storyboard.vtt", f"storyboard-{encode.pk}-0.jpg"),
    }
    assert f"\nstoryboard-{encode.pk}-0.jpg#xywh=0,0,192,108\n" in (folder / "storyboard.vtt").read_text()
    addresses = Addresses(video)
    assert None not in (
        addresses.poster,
        addresses.thumbnail,
        addresses.storyboard,
        addresses.preview,
        addresses.mp4,
    )


def test_pictures_come_as_soon_as_their_rung_is_there(upload: Upload) -> None:
    video = upload(duration_s=10, rate=5)
    assert step() == "ingest"
    until("poster")
    video.refresh_from_db()
    assert video.status == VideoStatus.PROCESSING
    assert step() == "poster"
    video.refresh_from_db()
    assert video.active_encode is not None
    assert MediaStore().exists(video.active_encode.thumbnail)


def test_where_no_rung_is_what_the_download_is_to_be_it_is_encoded_and_goes_on_where_it_was_interrupted(
    upload: Upload, settings: Any, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.VIDEO_QUALITY_PRESETS = (144,)
    video = upload(size=(320, 180), duration_s=20, rate=10)
    assert step() == "ingest"
    until("mp4")
    encode = Encode.objects.get(video=video)
    (own,) = download_of(plans.plan_of(encode.pk)).own
    made: list[int] = []
    make = download.make_video_chunk

    def counted(plan: Any, rungs: Any, chunk: int, bench: Any, watch: Any) -> Any:
        if chunk == 1 and not made.count(1):
            made.append(chunk)
            raise OSError("the disk was away for a moment")
        made.append(chunk)
        return make(plan, rungs, chunk, bench, watch)

    monkeypatch.setattr(download, "make_video_chunk", counted)
    assert step() == "mp4"
    assert hls_store(video.pk).exists(own.segment_name(0))
    Job.objects.filter(kind="mp4").update(run_after=video.created_at)
    ready(video)
    assert made == [0, 1, 1, 2]
    assert not (media / "hls" / str(video.pk) / OWN_RUNG).exists()
    picture, sound = streams_of(media / "mp4" / str(video.pk) / f"{encode.pk}.mp4")
    assert (picture["codec_name"], picture["profile"], picture["pix_fmt"]) == ("h264", "High", "yuv420p")
    assert (picture["width"], picture["height"], picture["nb_frames"]) == (320, 180, "200")
    assert (sound["codec_name"], sound["channels"], sound["sample_rate"]) == ("aac", 1, "48000")
    assert float(picture["start_time"]) == float(sound["start_time"]) == 0


def test_copied_sound_of_a_high_bitrate_is_encoded_for_the_download_alone(
    upload: Upload, media: Path
) -> None:
    # A sine alone would take few bits, whatever is asked for.
    video = upload(gop=15, options=("-af", "aeval=random(0)-0.5:c=same", "-b:a", "320k"))
    encode = ready(video)
    plan = plans.plan_of(encode.pk)
    assert plan.audio[0].method == "copy"
    assert plan.audio[0].bitrate_bps > 200_000
    _, sound = streams_of(media / "mp4" / str(video.pk) / f"{encode.pk}.mp4")
    assert int(sound["bit_rate"]) < 160_000
    assert float(sound["start_time"]) == 0


def test_a_rotated_video_has_upright_pictures(
    upload: Upload, clip: Clip, tmp_path: Path, media: Path
) -> None:
    turned = tmp_path / "turned.mp4"
    flat = clip(size=(426, 240), duration_s=2)
    argv = [
        toolchain().ffmpeg.path,
        "-v",
        "error",
        "-display_rotation:v",
        "90",
        "-i",
        flat,
        "-c",
        "copy",
        turned,
    ]
    subprocess.run(argv, check=True)
    encode = ready(video := upload(turned))
    assert size_of(MediaStore().path(encode.poster))[1:] == (240, 426)
    assert "#xywh=0,0,108,192" in MediaStore().path(encode.storyboard).read_text()
    preview, mp4 = MediaStore().path(encode.preview), media / "mp4" / str(video.pk) / f"{encode.pk}.mp4"
    assert [(s["width"], s["height"]) for s in (streams_of(preview)[0], streams_of(mp4)[0])] == [
        (240, 426)
    ] * 2


def test_sound_alone_has_a_poster_and_a_download_and_nothing_that_moves(upload: Upload) -> None:
    encode = ready(upload(codec="", audio_codec="aac", suffix=".m4a"))
    assert encode.outputs == {"poster": "", "mp4": ""}
    assert size_of(MediaStore().path(encode.poster))[1:] == (1280, 720)


def test_what_is_blank_gets_a_warning_instead_of_an_empty_storyboard(upload: Upload) -> None:
    video = upload(options=("-vf", "drawbox=t=fill:c=white"))
    encode = ready(video)
    assert encode.storyboard == ""
    assert video.warnings == ["No storyboard could be made: all pictures of this video are blank."]
    assert Job.objects.get(kind="storyboard").failures == 1  # the same again gives the same


def test_after_a_takeover_the_old_pictures_go_with_the_old_segments(
    upload: Upload, clip: Clip, tmp_path: Path, media: Path
) -> None:
    video = upload()
    old = ready(video)
    shutil.copyfile(clip(size=(320, 180), duration_s=1), tmp_path / "second")
    intake.replace_source(video, tmp_path / "second", "second.mp4")
    new = ready(video)
    assert new.pk != old.pk
    images = media / "images" / str(video.pk)
    assert {path.name for path in images.iterdir()} == {
        str(old.pk),
        str(new.pk),
    }  # somebody may still look at them
    Job.objects.filter(kind="retire").update(run_after=video.created_at)
    work()
    assert [path.name for path in images.iterdir()] == [str(new.pk)]
    assert [path.name for path in (media / "mp4" / str(video.pk)).iterdir()] == [f"{new.pk}.mp4"]


def test_what_was_made_from_a_broken_rung_is_made_again_with_it(upload: Upload, media: Path) -> None:
    video = upload()
    assert step() == "ingest"
    until("finalise")
    encode = Encode.objects.get(video=video)
    plan = plans.plan_of(encode.pk)
    while step(*(output.queue.name for output in outputs.OUTPUTS)) is not None:
        pass
    broken = plan.rungs[-1]
    (media / "hls" / str(video.pk) / broken.segment_name(0)).write_bytes(b"")
    Job.objects.filter(kind__in=outputs.KINDS).delete()
    ready(video)
    needing = {output.kind for output in outputs.OUTPUTS if broken.name in (output.needs(plan) or ())}
    assert set(Job.objects.filter(kind__in=outputs.KINDS).values_list("kind", flat=True)) == needing
    assert not Job.objects.filter(status=Status.FAILED).exists()
