"""Nothing is called ready unverified: what a finished encode may have, and what comes of it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rushes.engine.cmaf import find
from rushes.engine.download import download_of
from rushes.engine.plan import Plan
from rushes.jobs.attempts import attempt
from rushes.jobs.handlers import Report
from rushes.jobs.models import Job, Status
from rushes.jobs.queues import TRANSCODE, WAITING
from rushes.jobs.reporting import Running
from rushes.pipeline import building, finalise, intake, outputs, publishing, verifying, window
from rushes.pipeline.outputs import MP4_OUTPUT
from rushes.pipeline.plans import plan_of
from rushes.videos.models import Chunk, Encode, EncodeState, Video, VideoStatus
from rushes.videos.store import FolderStore, MediaStore, hls_store
from tests.pipeline.hands import claim, step, until, work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

Clip = Callable[..., Path]
Upload = Callable[..., Video]


def encoded(video: Video) -> tuple[Encode, Plan, FolderStore]:
    """Do all but the verification."""
    assert step() == "ingest"
    until("finalise")
    video.refresh_from_db()
    assert video.active_encode is not None
    return video.active_encode, plan_of(video.active_encode.pk), hls_store(video.pk)


def spoil(path: Path) -> bytes:
    """Make garbage of the samples of a segment, under headers that are right; what it was before."""
    good = path.read_bytes()
    mdat = find(good, b"mdat")
    data = bytearray(good)
    data[mdat.start + 16 : mdat.end] = random.Random(1).randbytes(mdat.end - mdat.start - 16)
    path.write_bytes(data)
    return good


def made_again(since: int) -> list[tuple[list[str], int]]:
    jobs = Job.objects.filter(kind="chunk", pk__gt=since).order_by("pk").values_list("args", flat=True)
    return [(args["renditions"], args["chunk"]) for args in jobs]


def test_streams_are_verified_once_and_beside_what_is_made_from_them(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []

    def look(plan: Plan, encode: Encode, report: Report) -> tuple[verifying.Broken, verifying.Broken]:
        looked.append(encode.pk)
        return verifying.broken_places(plan, encode, report)

    monkeypatch.setattr(finalise, "broken_places", look)
    video = upload()
    encode, _, _ = encoded(video)
    assert Job.objects.filter(kind__in=outputs.KINDS, status=Status.PENDING).exists()
    assert step() == "finalise"
    encode.refresh_from_db()
    video.refresh_from_db()
    assert encode.verified_at is not None
    assert (encode.completed_at, video.status) == (None, VideoStatus.PROCESSING)
    assert not Job.objects.filter(kind="finalise", status=Status.PENDING).exists()
    work()
    video.refresh_from_db()
    assert (video.status, looked) == (VideoStatus.READY, [encode.pk])


def test_what_was_being_made_of_segments_that_turn_out_broken_is_made_again(upload: Upload) -> None:
    video = upload(duration_s=20, size=(256, 144), rate=10)
    encode, plan, store = encoded(video)
    while (running := claim(MP4_OUTPUT.queue.name)) is not None and running.kind != "mp4":
        attempt(Running(running))
    assert running is not None
    for rung in plan.encoded_rungs:
        spoil(store.path(rung.segment_name(rung.timeline.segment_count - 1)))
    assert step() == "finalise"
    attempt(Running(running))
    encode.refresh_from_db()
    assert "mp4" not in encode.outputs
    work()
    video.refresh_from_db()
    encode.refresh_from_db()
    assert (video.status, video.warnings, encode.outputs["mp4"]) == (VideoStatus.READY, [], "")
    assert Job.objects.filter(kind="mp4", status=Status.COMPLETED).count() == 2


def test_streams_of_which_something_could_not_be_made_are_looked_at_once_more(upload: Upload) -> None:
    video = upload()
    _, plan, store = encoded(video)
    assert step() == "finalise"
    lost = store.path(download_of(plan).finished[0].segment_name(0))
    lost.unlink()
    work()
    video.refresh_from_db()
    assert (video.status, video.warnings, lost.is_file()) == (VideoStatus.READY, [], True)


@pytest.mark.parametrize("recorded", [True, False], ids=["by its checksum", "by decoding"])
def test_a_segment_of_garbage_is_found_and_its_chunk_alone_made_again(upload: Upload, recorded: bool) -> None:
    video = upload(duration_s=20, size=(256, 144), rate=10)
    _, plan, store = encoded(video)
    rung = plan.encoded_rungs[0]
    assert rung.timeline.chunk_count > 1
    path = store.path(rung.segment_name(rung.timeline.segment_count - 1))
    good = spoil(path)
    if not recorded:
        Chunk.objects.update(segment_crcs=b"")
    since = Job.objects.order_by("-pk").values_list("pk", flat=True)[0]
    work()
    video.refresh_from_db()
    assert (video.status, video.error, path.read_bytes()) == (VideoStatus.READY, "", good)
    assert made_again(since) == [([rung.name], rung.timeline.chunk_count - 1)]


def test_a_single_bit_that_has_changed_on_the_disk_is_found_wherever_it_is(upload: Upload) -> None:
    video = upload(duration_s=20, size=(256, 144), rate=10)
    _, plan, store = encoded(video)
    path = store.path(plan.encoded_rungs[0].segment_name(2))
    good = path.read_bytes()
    data = bytearray(good)
    data[-1] ^= 1  # the last picture of a segment that is not decoded as a whole
    path.write_bytes(data)
    work()
    video.refresh_from_db()
    assert (video.status, path.read_bytes()) == (VideoStatus.READY, good)


def test_parameters_that_are_wrong_are_written_anew(upload: Upload) -> None:
    video = upload()
    _, plan, store = encoded(video)
    path = store.path(plan.encoded_rungs[0].init_name)
    good = path.read_bytes()
    data = bytearray(good)
    at = data.index(b"avcC") + 16
    data[at : at + 8] = bytes(byte ^ 0x5A for byte in data[at : at + 8])
    path.write_bytes(data)
    work()
    video.refresh_from_db()
    assert (video.status, path.read_bytes()) == (VideoStatus.READY, good)


def test_an_init_segment_that_is_lost_is_written_anew(upload: Upload) -> None:
    video = upload()
    _, plan, store = encoded(video)
    paths = [store.path(rendition.init_name) for rendition in plan.renditions]
    good = [path.read_bytes() for path in paths]
    paths[0].unlink()
    paths[-1].write_bytes(good[-1][:100])
    work()
    video.refresh_from_db()
    assert (video.status, [path.read_bytes() for path in paths]) == (VideoStatus.READY, good)


def test_what_does_not_decode_again_and_again_is_made_twice_more_and_then_the_video_fails(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(plan: Plan, rendition: object, store: object, chunks: range, **_: object) -> dict[int, str]:
        return (
            {0: "240p: chunk 0 cannot be decoded: it is upside down."} if rendition == plan.rungs[-1] else {}
        )

    video = upload()
    encoded(video)
    since = Job.objects.order_by("-pk").values_list("pk", flat=True)[0]
    monkeypatch.setattr(verifying, "undecodable_chunks", never)
    work()
    video.refresh_from_db()
    assert (video.status, video.playable) == (VideoStatus.FAILED, True)
    assert video.error.startswith("The result is not what was planned: 240p: chunk 0 cannot be decoded")
    assert len(made_again(since)) == 2
    assert MediaStore().exists(video.source)
    # What was still being made beside it does not begin it all again.
    assert Job.objects.filter(kind="finalise", status=Status.FAILED).count() == 1


def test_a_copy_that_does_not_decode_because_its_source_does_not_is_encoded_instead(
    upload: Upload, clip: Clip, tmp_path: Path, settings: Any
) -> None:
    good = clip(
        size=(426, 240), duration_s=6, gop=30, options=("-preset", "veryfast", "-movflags", "+faststart")
    )
    data = bytearray(good.read_bytes())
    mdat = find(data, b"mdat")
    middle = (mdat.start + mdat.end) // 2
    data[middle : middle + 2_000] = random.Random(2).randbytes(2_000)
    (tmp_path / "damaged").write_bytes(data)
    settings.VIDEO_QUALITY_PRESETS = (240,)
    video = upload(tmp_path / "damaged")
    first, plan, _ = encoded(video)
    assert plan.rungs == (plan.copied_rung,)
    work()
    video.refresh_from_db()
    first.refresh_from_db()
    assert (video.status, video.error, first.state) == (VideoStatus.READY, "", EncodeState.RETIRED)
    assert any("damaged" in warning for warning in video.warnings)
    assert video.active_encode is not None
    assert plan_of(video.active_encode.pk).copied_rung is None
    assert Job.objects.filter(kind="ingest").count() == 2


def test_a_source_is_kept_until_its_video_is_verified_and_its_segments_are_on_the_disk_itself(
    upload: Upload, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RUSHES_KEEP_SOURCE = False
    video = upload()
    source = video.source
    _, plan, store = encoded(video)
    assert MediaStore().exists(source)
    synced: list[Path] = []

    def sync(path: Path) -> None:
        assert MediaStore().exists(source)
        synced.append(path)

    monkeypatch.setattr(publishing, "sync", sync)
    work()
    video.refresh_from_db()
    assert (video.status, video.source, MediaStore().exists(source)) == (VideoStatus.READY, "", False)
    for rendition in plan.renditions:
        names = [rendition.init_name, *map(rendition.segment_name, range(rendition.timeline.segment_count))]
        assert {store.path(name) for name in names} <= set(synced)


def test_a_source_whose_video_failed_is_kept(
    upload: Upload, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RUSHES_KEEP_SOURCE = False
    monkeypatch.setattr(
        verifying, "undecodable_chunks", lambda *_, **__: {0: "x: chunk 0 cannot be decoded: no."}
    )
    video = upload()
    work()
    video.refresh_from_db()
    assert (video.status, MediaStore().exists(video.source)) == (VideoStatus.FAILED, True)


def test_a_source_that_is_replaced_in_mid_encode_is_not_worked_on_any_more_but_plays_on(
    upload: Upload, clip: Clip, tmp_path: Path
) -> None:
    video = upload(duration_s=30, size=(256, 144), rate=10)
    assert step() == "ingest"
    while not video.playable:
        step()
        video.refresh_from_db()
    old = video.active_encode
    assert old is not None
    background = Job.objects.filter(kind="chunk", args__encode=old.pk, queue=TRANSCODE.name)
    assert background.filter(status=Status.PENDING).exists()
    shutil.copyfile(clip(size=(320, 180), duration_s=2), tmp_path / "second")
    intake.replace_source(video, tmp_path / "second", "second.mp4")
    until("ingest")
    assert step() == "ingest"
    assert not background.filter(status=Status.PENDING).exists()
    video.refresh_from_db()
    assert (video.active_encode_id, video.playable) == (old.pk, True)
    # What a viewer of the old one waits for is made, and nothing follows from it.
    plan = plan_of(old.pk)
    last = plan.encoded_rungs[-1]
    window.promote(old.pk, last.name, last.timeline.segment_count - 1)
    waited_for = Job.objects.filter(
        kind="chunk", args__encode=old.pk, queue=WAITING.name, status=Status.PENDING
    )
    assert waited_for.exists()
    while waited_for.exists():
        assert step() == "chunk"
    assert hls_store(video.pk).exists(last.segment_name(last.timeline.segment_count - 1))
    assert not background.filter(status=Status.PENDING).exists()
    assert building.go_on() == 0
    work()
    video.refresh_from_db()
    old.refresh_from_db()
    assert (video.status, old.state, old.completed_at) == (VideoStatus.READY, EncodeState.RETIRED, None)
    assert abs((video.duration_s or 0) - 2) < 0.1


def test_an_encode_whose_replacement_fails_is_gone_on_with(upload: Upload, tmp_path: Path) -> None:
    video = upload(duration_s=20, size=(256, 144), rate=10)
    source = video.source
    assert step() == "ingest"
    while not video.playable:
        step()
        video.refresh_from_db()
    for number in range(2):  # the second before anybody has looked at the first
        (tmp_path / f"bad {number}").write_bytes(b"nothing" * 100)
        intake.replace_source(video, tmp_path / f"bad {number}", f"bad {number}.mp4")
    assert Job.objects.filter(kind="ingest", status=Status.CANCELLED).count() == 1
    work()
    building.go_on()
    work()
    video.refresh_from_db()
    assert (video.status, video.source, video.original_name) == (VideoStatus.READY, source, "a clip.mp4")
    assert MediaStore().exists(source)
