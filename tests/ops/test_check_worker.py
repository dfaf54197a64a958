"""`manage.py check_worker` tells people, monitors and scripts whether the work gets done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from rushes.config.environment import VARIABLES
from rushes.jobs import ledger
from rushes.jobs.clock import FromNow, now
from rushes.jobs.delivery.condition import Condition, Line
from rushes.jobs.models import Job, Status, Worker
from rushes.jobs.queues import CONTROL, QUEUES, TRANSCODE
from rushes.ops import workhealth
from rushes.pipeline import handlers  # noqa: F401  # registers the kinds
from rushes.videos.models import Video, VideoStatus

pytestmark = [pytest.mark.django_db, pytest.mark.databases]

ROOT = Path(__file__).parent.parent.parent


def check(*arguments: str) -> tuple[int, str]:
    said = StringIO()
    try:
        call_command("check_worker", *arguments, stdout=said)
    except SystemExit as ended:
        return int(ended.code or 0), said.getvalue()
    return 0, said.getvalue()


def told() -> dict[str, Any]:
    status, said = check("--json")
    report: dict[str, Any] = json.loads(said)
    assert report["healthy"] is (status == 0)
    return report


def worker(name: str = "w", seen_ago_s: float = 1.0, **fields: Any) -> Worker:
    made = Worker.objects.create(name=name, queues=dict.fromkeys(QUEUES, 1), **fields)
    Worker.objects.filter(pk=made.pk).update(seen_at=FromNow(-seen_ago_s))
    return made


def waiting_for(minutes: float, **fields: Any) -> Job:
    job = ledger.enqueue("ingest", **fields)
    past = FromNow(-60 * minutes)
    Job.objects.filter(pk=job.pk).update(created_at=past, run_after=past)
    return job


def video(minutes_old: float, status: str = VideoStatus.PROCESSING, **fields: Any) -> Video:
    made = Video.objects.create(status=status, **fields)
    Video.objects.filter(pk=made.pk).update(created_at=now() - timedelta(minutes=minutes_old))
    return made


def failed(error: str, kind: str = "chunk", hours_ago: float = 0.0) -> Job:
    job = ledger.enqueue(kind, group="7")
    Job.objects.filter(pk=job.pk).update(
        status=Status.FAILED, error=error, finished_at=FromNow(-3600 * hours_ago), failures=3
    )
    return job


def test_an_idle_installation_with_a_worker_is_healthy() -> None:
    worker()
    status, said = check()
    assert status == 0, said
    for line in (
        "Recent successful jobs (24h): 0",
        "✓ No recent failures",
        "✓ Queue is empty",
        "✓ No stuck videos",
    ):
        assert line in said
    assert "✓ Workers alive: 1" in said
    assert "Delivery: database" in said
    assert "\x1b" not in said  # colours are for terminals


def test_a_terminal_gets_colours() -> None:
    said = StringIO()
    with pytest.raises(SystemExit):
        call_command("check_worker", stdout=said, force_color=True)
    assert "\x1b[31;1m✗ Workers alive: 0" in said.getvalue()


def test_successes_and_failures_of_the_last_day_are_counted_and_the_latest_error_is_told() -> None:
    worker()
    for hours_ago in (1, 25):
        job = ledger.enqueue("ingest")
        finished = FromNow(-3600 * hours_ago)
        Job.objects.filter(pk=job.pk).update(status=Status.COMPLETED, finished_at=finished)
    failed("The older one.", hours_ago=2)
    newest = failed("ffmpeg ended with status 1:\n[in#0 @ 0x1] moov atom not found", hours_ago=1)
    failed("Yesterday's.", hours_ago=30)
    status, said = check()
    assert status == 0  # failures are for people to look at; the work gets done
    assert "Recent successful jobs (24h): 1" in said
    assert "⚠ Recent failed jobs (24h): 2" in said
    assert f"Latest failure: chunk, job {newest.pk} in {TRANSCODE.name}, video 7" in said
    assert "Error: ffmpeg ended with status 1: moov atom not found\n" in said
    report = told()
    assert (report["completed_24h"], report["failed_24h"]) == (1, 2)
    assert report["latest_failure"]["job"] == newest.pk
    assert "moov atom not found" in report["latest_failure"]["error"]
    assert report["warnings"]


def test_a_job_that_waits_for_more_than_ten_minutes_is_an_alarm() -> None:
    worker()
    waiting_for(9)
    status, said = check()
    assert status == 0
    assert "Jobs in queue: 1" in said
    assert f"Oldest queued job: 540s old ({CONTROL.name})" in said
    waiting_for(11)
    status, said = check()
    assert status == 1
    assert "✗ Oldest queued job is 11.0 minutes old" in said
    report = told()
    assert report["queue_depth"] == 2
    assert 655 < report["oldest_age_s"] < 700


def test_what_is_put_off_does_not_wait() -> None:
    worker()
    ledger.enqueue("ingest", run_after_s=3600)
    report = told()
    assert report["healthy"]
    assert (report["queue_depth"], report["oldest_age_s"]) == (0, None)
    assert next(q for q in report["queues"] if q["name"] == CONTROL.name)["later"] == 1


def test_without_a_living_worker_it_is_not_healthy() -> None:
    status, said = check()
    assert status == 1
    assert "✗ Workers alive: 0; last heartbeat never" in said
    worker("gone", seen_ago_s=5, stopped_at=now())
    worker("silent", seen_ago_s=120)
    status, said = check()
    assert status == 1
    assert "last heartbeat 5 s ago" in said
    assert "silent: heard of 2 min ago, 0 in work (not heard of)" in said
    assert told()["workers_alive"] == 0


def test_a_queue_with_work_that_no_living_worker_serves_is_named() -> None:
    narrow = worker()
    Worker.objects.filter(pk=narrow.pk).update(queues={TRANSCODE.name: 1})
    ledger.enqueue("ingest")
    report = told()
    assert not report["healthy"]
    assert f"No living worker serves {CONTROL.name}" in report["problems"][0]


def test_leases_are_counted_and_expired_ones_that_nobody_sweeps_are_an_alarm() -> None:
    worker()
    held = [waiting_for(1), waiting_for(1)]
    rows = Job.objects.filter(pk__in=[job.pk for job in held])
    rows.update(status=Status.PROCESSING, worker="w", lease_until=FromNow(10))
    report = told()
    assert report["healthy"]
    assert report["leases"] == {"held": 2, "expired": 0, "longest_expired_s": None}
    assert report["workers"][0]["holds"] == 2
    rows.filter(pk=held[0].pk).update(lease_until=FromNow(-60))
    report = told()
    assert (report["leases"]["held"], report["leases"]["expired"]) == (1, 1)
    assert not report["healthy"]


def test_a_video_without_a_sign_of_life_for_fifteen_minutes_is_stuck() -> None:
    worker()
    stuck, young = video(20), video(10)
    for made in (stuck, young):
        ledger.enqueue("ingest", group=str(made.pk), run_after_s=3600)
        Job.objects.filter(group=str(made.pk)).update(created_at=FromNow(-1200))
    status, said = check()
    assert status == 1
    assert "✗ 1 video(s) stuck in processing for >15 minutes" in said
    assert stuck.public_id in said
    assert young.public_id not in said
    # One that somebody works on is not stuck, however long that takes.
    Job.objects.filter(group=str(stuck.pk)).update(
        status=Status.PROCESSING, lease_until=FromNow(10), worker="w"
    )
    assert told()["healthy"]


def test_a_video_that_has_no_job_is_told_at_once() -> None:
    worker()
    lost = video(0, VideoStatus.PENDING)
    report = told()
    assert not report["healthy"]
    assert report["videos"]["idle"] == {"count": 1, "public_ids": [lost.public_id]}


def test_failed_videos_are_a_warning() -> None:
    worker()
    made = video(60, VideoStatus.FAILED, error="This is no video.")
    status, said = check()
    assert status == 0
    assert "⚠ 1 video(s) failed" in said
    assert f"{made.public_id} (60 min): This is no video." in said


def test_a_delivery_can_add_lines_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    worker()
    away = Condition(name="rq", lines=(Line(healthy=False, text="Redis at 127.0.0.1:1 does not answer."),))
    monkeypatch.setattr(workhealth, "condition", lambda: away)
    status, said = check()
    assert status == 1
    assert "Delivery: rq" in said
    assert "✗ Redis at 127.0.0.1:1 does not answer." in said


def test_a_database_without_tables_is_a_sentence_and_status_1(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    kept.pop("DJANGO_SETTINGS_MODULE", None)
    for arguments in ([], ["--json"]):
        ended = subprocess.run(
            [sys.executable, ROOT / "manage.py", "check_worker", *arguments],
            env={**kept, "RUSHES_VAR": str(tmp_path), "SECRET_KEY": "x"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 1
        assert "The database can't be asked" in ended.stdout
        assert "Traceback" not in ended.stderr
    assert json.loads(ended.stdout)["healthy"] is False
