"""Videos that don't get on are found, and go on when they are brought back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db.models import F

from rushes.jobs import ledger
from rushes.jobs.clock import FromNow
from rushes.jobs.models import Job, Status
from rushes.jobs.reasons import reason_of
from rushes.pipeline import ingest, plans, recovery
from rushes.pipeline.recovery import Action, Why
from rushes.videos.models import Encode, EncodeState, Video, VideoStatus
from rushes.videos.store import MediaStore
from tests.pipeline.hands import claim, step, work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

Upload = Callable[..., Video]


def stalled() -> dict[int, Why]:
    return {entry.video.pk: entry.why for entry in recovery.stalled_videos()}


def age(video: Video, minutes: float) -> None:
    past = FromNow(-60 * minutes)
    Video.objects.filter(pk=video.pk).update(created_at=past)
    Job.objects.filter(group=str(video.pk)).update(created_at=past)


def test_a_video_whose_ingest_was_cancelled_is_found_and_brought_back(upload: Upload) -> None:
    video = upload()
    job = Job.objects.get(group=str(video.pk))
    assert ledger.cancel([job.pk]) == 1
    assert stalled() == {video.pk: Why.IDLE}
    assert recovery.bring_back(video, pretend=True).action == Action.BEGUN
    assert stalled() == {video.pk: Why.IDLE}
    outcome = recovery.bring_back(video)
    assert outcome.action == Action.BEGUN
    assert outcome.job is not None
    assert outcome.job != job.pk
    work()
    video.refresh_from_db()
    assert video.status == VideoStatus.READY
    assert stalled() == {}
    assert recovery.bring_back(video).action == Action.NOTHING


def test_a_video_whose_ingest_was_cancelled_does_not_stay_pending(upload: Upload) -> None:
    video, other = upload(), upload()
    ledger.cancel([Job.objects.get(group=str(video.pk)).pk])
    assert ingest.tell_cancelled() == 1
    for row in (video, other):
        row.refresh_from_db()
    assert (video.status, video.error) == (VideoStatus.FAILED, ingest.CANCELLED)
    assert other.status == VideoStatus.PENDING
    assert stalled() == {video.pk: Why.FAILED}
    assert ingest.tell_cancelled() == 0
    # A wish of a moment ago that was cancelled does not stand in the way of another.
    again = recovery.bring_back(video)
    ledger.cancel([again.job or 0])
    assert recovery.bring_back(video).job != again.job
    work()
    video.refresh_from_db()
    assert (video.status, video.error) == (VideoStatus.READY, "")


def test_what_waits_is_stuck_after_a_while_and_need_not_wait_for_its_time_any_more(upload: Upload) -> None:
    video = upload()
    Job.objects.filter(group=str(video.pk)).update(run_after=FromNow(3600))
    assert stalled() == {}
    age(video, 16)
    assert stalled() == {video.pk: Why.STUCK}
    assert recovery.bring_back(video, pretend=True).action == Action.HASTENED
    assert claim() is None
    outcome = recovery.bring_back(video)
    assert outcome.action == Action.HASTENED
    assert step() == "ingest"
    assert stalled() == {}  # a sign of life


def test_what_is_in_work_is_left_alone_until_its_worker_is_gone(upload: Upload) -> None:
    video = upload()
    age(video, 60)
    held = claim()
    assert held is not None
    assert stalled() == {}
    assert recovery.bring_back(video).action == Action.IN_WORK
    Job.objects.filter(pk=held.id).update(lease_until=FromNow(-1))
    outcome = recovery.bring_back(video)
    assert outcome.action == Action.HASTENED
    assert Job.objects.get(pk=held.id).status == Status.PENDING


def test_what_has_no_source_any_more_cannot_be_brought_back(upload: Upload) -> None:
    video = upload()
    Video.objects.filter(pk=video.pk).update(status=VideoStatus.FAILED)
    Job.objects.all().delete()
    MediaStore().delete(video.source)
    for pretend in (True, False):
        outcome = recovery.bring_back(video, pretend=pretend)
        assert outcome.action == Action.IMPOSSIBLE
        assert "upload it again" in outcome.words
    video.delete()
    assert recovery.bring_back(video).action == Action.IMPOSSIBLE


def spoiled(upload: Upload) -> Video:
    """A video that failed: one of its audio tracks cannot be made. `mended` makes it possible."""
    video = upload(audio_tracks=2)
    assert step() == "ingest"
    video.refresh_from_db()
    _set_stream(video, 17)
    work()
    video.refresh_from_db()
    assert video.status == VideoStatus.FAILED
    return video


def mended(video: Video) -> None:
    _set_stream(video, 2)
    Job.objects.filter(status=Status.PENDING).update(
        run_after=F("created_at")
    )  # what was to be tried later is due


def _set_stream(video: Video, number: int) -> None:
    encode = video.active_encode
    assert encode is not None
    plan = json.loads(encode.plan_json)
    plan["audio"][-1]["stream_index"] = number
    Encode.objects.filter(pk=encode.pk).update(plan_json=json.dumps(plan))
    plans._plan.cache_clear()


def failed_job(kind: str) -> Job:
    return Job.objects.get(kind=kind, status=Status.FAILED)


def test_a_failed_chunk_that_is_retried_is_made_and_its_video_becomes_ready(upload: Upload) -> None:
    video = spoiled(upload)
    mended(video)
    assert ledger.retry(failed_job("chunk").pk)
    video.refresh_from_db()
    assert (video.status, video.error) == (VideoStatus.PROCESSING, "")
    work()
    video.refresh_from_db()
    assert (video.status, video.error) == (VideoStatus.READY, "")


def test_a_failed_last_step_that_is_retried_makes_first_what_had_failed_for_it(upload: Upload) -> None:
    video = spoiled(upload)
    mended(video)
    before = Job.objects.filter(kind="chunk").count()
    assert ledger.retry(failed_job("finalise").pk)
    work()
    video.refresh_from_db()
    assert (video.status, video.error) == (VideoStatus.READY, "")
    assert Job.objects.filter(kind="chunk").count() == before + 1


def test_what_is_retried_in_vain_fails_again_with_its_reason(upload: Upload) -> None:
    video = spoiled(upload)
    assert ledger.retry(failed_job("finalise").pk)
    work()
    video.refresh_from_db()
    assert video.status == VideoStatus.FAILED
    assert video.error


def test_a_failed_first_step_that_is_retried_lets_its_video_wait_for_it(
    upload: Upload, tmp_path: Path
) -> None:
    path = tmp_path / "no-video"
    path.write_bytes(b"no video at all")
    video = upload(path)
    work()
    video.refresh_from_db()
    assert video.status == VideoStatus.FAILED
    assert "that Rushes can read: a clip.mp4: Invalid data found" in reason_of(failed_job("ingest"))
    assert ledger.retry(failed_job("ingest").pk)
    video.refresh_from_db()
    assert (video.status, video.error) == (VideoStatus.PENDING, "")
    work()
    job = failed_job("ingest")
    Video.objects.filter(pk=video.pk).update(source="another")
    with pytest.raises(ledger.NothingToRetry, match="another source"):
        ledger.retry(job.pk)
    job.refresh_from_db()
    assert job.status == Status.FAILED


def test_a_part_of_what_is_over_is_not_retried(upload: Upload) -> None:
    video = spoiled(upload)
    job = failed_job("chunk")
    Encode.objects.filter(video=video).update(state=EncodeState.FAILED)
    with pytest.raises(ledger.NothingToRetry, match="retry its video instead"):
        ledger.retry(job.pk)
    assert failed_job("chunk") == job
