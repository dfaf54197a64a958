"""`manage.py retry_videos` and scripts/retry_video_processing.py bring videos back, and say what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from rushes.jobs import ledger
from rushes.jobs.models import OPEN, Job
from rushes.pipeline import handlers, intake  # noqa: F401  # handlers: registers the kinds
from rushes.videos.models import Video, VideoStatus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

ROOT = Path(__file__).parent.parent.parent
Made = Callable[..., Video]


@pytest.fixture
def made(settings: Any, tmp_path: Path) -> Made:
    """A video with a source that is a few bytes: nobody reads them here."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.MEDIA_ROOT.mkdir()

    def make(title: str = "Harbour", **fields: Any) -> Video:
        path = tmp_path / "incoming"
        path.write_bytes(b"no video")
        video = intake.create_video(owner=None, path=path, original_name="a.mp4", title=title)
        Video.objects.filter(pk=video.pk).update(**fields)
        if fields.get("status") == VideoStatus.FAILED:
            Job.objects.filter(group=str(video.pk)).delete()
        return video

    return make


def retry(*arguments: str) -> tuple[int, str]:
    said = StringIO()
    try:
        call_command("retry_videos", *arguments, stdout=said)
    except SystemExit as ended:
        return int(ended.code or 0), said.getvalue()
    return 0, said.getvalue()


def open_jobs(video: Video) -> int:
    return Job.objects.filter(group=str(video.pk), kind="ingest", status__in=OPEN).count()


def test_all_that_failed_or_lost_their_job_are_brought_back_and_the_others_left_alone(made: Made) -> None:
    failed = made("Broken", status=VideoStatus.FAILED, error="The disk was full.")
    cancelled, waiting = made("Cancelled"), made("Waiting")
    ledger.cancel([Job.objects.get(group=str(cancelled.pk)).pk])
    status, said = retry("--dry-run")
    assert status == 0
    assert "2 of 2 would be brought back; nothing was changed." in said
    assert open_jobs(failed) == open_jobs(cancelled) == 0
    status, said = retry()
    assert status == 0
    assert f"{failed.public_id} ({failed.pk}) Broken" in said
    assert "The disk was full." in said
    assert "2 of 2 brought back." in said
    assert waiting.public_id not in said
    assert open_jobs(failed) == open_jobs(cancelled) == open_jobs(waiting) == 1
    failed.refresh_from_db()
    assert (failed.status, failed.error) == (VideoStatus.PENDING, "")
    status, said = retry()
    assert (status, said) == (0, "No video failed or is stuck.\n")


def test_one_reason_alone(made: Made) -> None:
    failed = made(status=VideoStatus.FAILED)
    cancelled = made()
    ledger.cancel([Job.objects.get(group=str(cancelled.pk)).pk])
    status, said = retry("--only", "idle", "--json")
    assert status == 0
    assert [video["public_id"] for video in json.loads(said)["videos"]] == [cancelled.public_id]
    assert open_jobs(failed) == 0


@pytest.mark.parametrize("name", ["public_id", "pk"])
def test_one_by_its_public_id_or_its_primary_key(made: Made, name: str) -> None:
    video, other = made(status=VideoStatus.FAILED), made(status=VideoStatus.FAILED)
    status, said = retry(str(getattr(video, name)), "--json")
    assert status == 0
    (told,) = json.loads(said)["videos"]
    assert (told["public_id"], told["id"], told["action"]) == (video.public_id, video.pk, "begun")
    assert told["job"] == Job.objects.get(group=str(video.pk)).pk
    assert open_jobs(other) == 0


def test_one_that_is_ready_needs_nothing(made: Made) -> None:
    video = made()
    Video.objects.filter(pk=video.pk).update(status=VideoStatus.READY, ready_at=video.created_at)
    Job.objects.all().delete()
    status, said = retry(video.public_id)
    assert status == 0
    assert "it is ready" in said
    assert open_jobs(video) == 0


def test_what_is_not_there_is_a_sentence_and_nothing_is_done_for_the_others(made: Made) -> None:
    video = made(status=VideoStatus.FAILED)
    with pytest.raises(CommandError, match="There is no video 'nobody'"):
        retry(video.public_id, "nobody")
    assert open_jobs(video) == 0
    with pytest.raises(CommandError, match="--only"):
        retry(video.public_id, "--only", "failed")


def test_one_whose_source_is_gone_says_so_with_status_1_and_the_others_go_on(made: Made) -> None:
    gone, video = made(status=VideoStatus.FAILED, source=""), made(status=VideoStatus.FAILED)
    status, said = retry()
    assert status == 1
    assert "upload it again" in said
    assert (open_jobs(gone), open_jobs(video)) == (0, 1)


def test_the_script_does_the_same(made: Made, product_environ: Callable[..., dict[str, str]]) -> None:
    video = made(status=VideoStatus.FAILED)

    def script(*arguments: str) -> subprocess.CompletedProcess[str]:
        path = ROOT / "scripts" / "retry_video_processing.py"
        argv = [sys.executable, str(path), *arguments]
        return subprocess.run(
            argv, env=product_environ(), capture_output=True, text=True, check=False, cwd="/"
        )

    ended = script("--dry-run")
    assert ended.returncode == 0, ended.stderr
    assert "1 of 1 would be brought back" in ended.stdout
    ended = script(str(video.pk))
    assert ended.returncode == 0, ended.stderr
    assert open_jobs(video) == 1
    ended = script("nobody")
    assert ended.returncode == 1
    assert "There is no video 'nobody'" in ended.stderr
    assert "Traceback" not in ended.stderr
