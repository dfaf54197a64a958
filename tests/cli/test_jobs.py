"""`rushes jobs`: what people see of the ledger on the command line, and what they can do with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from django.db import connections

from rushes.cli import main
from rushes.jobs import claims, ledger, pausing
from rushes.jobs.clock import FromNow
from rushes.jobs.models import Job, JobLog, PausedQueue, Status, Worker
from rushes.jobs.queues import CONTROL, QUEUES, TRANSCODE
from rushes.videos.models import Video
from tests.jobs import kinds  # noqa: F401  # registers its kind

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

ROOT = Path(__file__).parent.parent.parent
LIMIT_S = 60.0


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["jobs", *arguments])


def told(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def failed(error: str = "ffmpeg ended with status 1:\nmoov atom not found", **fields: Any) -> Job:
    job = ledger.enqueue("scripted", **fields)
    Job.objects.filter(pk=job.pk).update(status=Status.FAILED, failures=3, error=error, finished_at=FromNow())
    job.refresh_from_db()
    return job


def status_of(job: Job) -> str:
    job.refresh_from_db()
    return job.status


def test_alone_it_shows_queues_and_workers() -> None:
    job = failed()
    ledger.enqueue("scripted")
    Worker.objects.create(name="host-1", queues=dict.fromkeys(QUEUES, 2))
    shown = run()
    assert shown.exit_code == 0, shown.output
    for name in QUEUES:
        assert name in shown.stdout
    assert f"failing: job {job.pk}: ffmpeg ended with status 1" in shown.stdout
    assert "host-1" in shown.stdout
    fields = told()
    queue = next(queue for queue in fields["queues"] if queue["name"] == TRANSCODE.name)
    assert (queue["waiting"], queue["failed_24h"], queue["workers"]) == (1, 1, 1)
    assert fields["workers"][0]["name"] == "host-1"


def test_the_list_has_the_newest_first_and_says_why_something_failed() -> None:
    video = Video.objects.create()
    older = failed(group=str(video.pk))
    newer = ledger.enqueue("scripted")
    shown = run("list")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.index(str(newer.pk)) < shown.stdout.index("ffmpeg ended with status 1")
    assert video.public_id in shown.stdout
    fields = told("list")
    assert fields["count"] == 2
    assert [job["id"] for job in fields["jobs"]] == [newer.pk, older.pk]
    assert fields["jobs"][1]["video"] == video.public_id
    assert fields["jobs"][1]["error"].endswith("moov atom not found")


def test_the_list_is_narrowed_by_queue_status_kind_and_video() -> None:
    video = Video.objects.create()
    wanted = failed(group=str(video.pk))
    ledger.enqueue("scripted", queue=CONTROL)
    for narrowed in (
        ("--queue", TRANSCODE.name),
        ("--status", "failed"),
        ("--video", video.public_id),
        ("--video", str(video.pk)),
        ("--kind", "scripted", "--status", "failed", "--status", "cancelled"),
    ):
        assert [job["id"] for job in told("list", *narrowed)["jobs"]] == [wanted.pk]
    assert told("list", "--limit", "1")["count"] == 2
    assert "1 of 2; --limit shows more" in run("list", "--limit", "1").stdout
    assert run("list", "--status", "cancelled").stdout == "No such job.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("list", "--queue", "x"), "there is no queue 'x'; there are control"),
        (("list", "--kind", "x"), "there is no kind 'x'; there are"),
        (("list", "--video", "x"), "There is no video 'x'"),
        (("show", "4711"), "there is no job 4711"),
        (("retry", "4711"), "there is no job 4711"),
        (("drain", "x"), "there is no queue 'x'"),
        (("retry",), "Name jobs by their numbers"),
        (("cancel", "1", "--all"), "Name jobs by their numbers"),
        (("drain",), "Name queues, or give --all."),
        (("list", "--status", "x"), "Invalid value for '--status'"),
    ],
)
def test_what_is_not_there_is_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    result = run(*arguments)
    assert result.exit_code != 0
    assert sentence in result.stderr
    assert "Traceback" not in result.output


def test_a_job_is_shown_with_arguments_error_and_log() -> None:
    job = failed(args={"chunk": 3})
    JobLog.objects.create(job=job, claim=1, level="warning", text="[bold]a line of ffmpeg[/]")
    shown = run("show", str(job.pk))
    assert shown.exit_code == 0, shown.output
    for part in ('{"chunk": 3}', "moov atom not found", "[bold]a line of ffmpeg[/]", "3 of 3 failed"):
        assert part in shown.stdout
    fields = told("show", str(job.pk))
    assert (fields["args"], fields["log"][0]["level"]) == ({"chunk": 3}, "warning")


def test_failed_jobs_are_retried_by_number_and_all_together() -> None:
    first, second, third = failed(), failed(), failed(queue=CONTROL)
    waiting = ledger.enqueue("scripted")
    assert told("retry", str(first.pk))["retried"] == [first.pk]
    assert (status_of(first), status_of(second)) == ("pending", "failed")
    assert "would be retried" in run("retry", "--queue", TRANSCODE.name, "--dry-run").stdout
    assert status_of(second) == "failed"
    assert told("retry", "--queue", TRANSCODE.name)["retried"] == [second.pk]
    assert told("retry", "--all")["retried"] == [third.pk]
    assert run("retry", "--all").stdout == "No job to be retried.\n"
    refused = run("retry", str(waiting.pk))
    assert refused.exit_code == 1
    assert f"scripted {waiting.pk}: is pending" in refused.stderr


def test_what_was_cancelled_is_retried_only_by_its_number() -> None:
    job = ledger.enqueue("scripted")
    assert run("cancel", str(job.pk)).stdout == f"scripted {job.pk}: cancelled\n"
    assert run("retry", "--all").stdout == "No job to be retried.\n"
    assert run("retry", str(job.pk)).exit_code == 0
    assert status_of(job) == "pending"


def test_waiting_and_running_jobs_are_cancelled() -> None:
    running = ledger.enqueue("scripted")
    assert claims.claim([TRANSCODE.name], "w") is not None
    waiting = ledger.enqueue("scripted")
    over = failed()
    assert sorted(told("cancel", "--kind", "scripted")["cancelled"]) == [running.pk, waiting.pk]
    assert (status_of(waiting), status_of(running)) == ("cancelled", "processing")
    assert running.cancel_requested
    refused = run("cancel", str(over.pk))
    assert refused.exit_code == 1
    assert "it has ended already" in refused.stderr


def test_a_drained_queue_takes_jobs_in_and_begins_none_until_it_is_resumed() -> None:
    held = ledger.enqueue("scripted")
    claimed = claims.claim([TRANSCODE.name], "w")
    assert claimed is not None
    not_yet = run("drain", TRANSCODE.name, "--timeout", "0")
    assert not_yet.exit_code == 1
    assert "1 still in work" in not_yet.stdout
    job, other = ledger.enqueue("scripted"), ledger.enqueue("scripted", queue=CONTROL)
    assert claims.none_ready([TRANSCODE.name])
    best = claims.claim(list(QUEUES), "w")
    assert best is not None
    assert best.id == other.pk
    assert claims.claim(list(QUEUES), "w") is None
    assert "drained since" in run().stdout
    assert PausedQueue.objects.get().by
    ledger.complete(claimed, lambda: None)
    drained = run("drain", TRANSCODE.name)
    assert drained.exit_code == 0
    assert "nothing in work" in drained.stdout
    assert told("resume", TRANSCODE.name)["resumed"] == [TRANSCODE.name]
    best = claims.claim(list(QUEUES), "w")
    assert best is not None
    assert best.id == job.pk
    assert "was not drained" in run("resume", TRANSCODE.name).stdout
    assert status_of(held) == "completed"


def test_a_drain_waits_for_what_is_in_work() -> None:
    ledger.enqueue("scripted")
    claimed = claims.claim([TRANSCODE.name], "w")
    assert claimed is not None
    ended = threading.Event()

    def end_it() -> None:
        deadline_s = time.monotonic() + LIMIT_S
        while not PausedQueue.objects.exists() and time.monotonic() < deadline_s:
            time.sleep(0.02)
        ended.set()
        ledger.complete(claimed, lambda: None)
        connections.close_all()

    thread = threading.Thread(target=end_it)
    thread.start()
    assert run("drain", TRANSCODE.name).exit_code == 0
    assert ended.is_set()
    thread.join()
    assert pausing.in_work(TRANSCODE.name) == 0


def test_the_live_view_says_what_changes_until_ctrl_c(product_environ: Callable[..., dict[str, str]]) -> None:
    argv = [sys.executable, "-m", "rushes", "jobs", "list", "--watch", "0.2", "--json"]
    with subprocess.Popen(
        argv, env=product_environ(), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["count"] == 0
        job = ledger.enqueue("scripted")
        assert json.loads(process.stdout.readline())["jobs"][0]["id"] == job.pk
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0
        assert "Traceback" not in said


def test_the_live_view_redraws_itself_on_a_terminal(product_environ: Callable[..., dict[str, str]]) -> None:
    master, slave = os.openpty()
    argv = [sys.executable, "-m", "rushes", "jobs", "--watch", "0.2"]
    environ = product_environ(TERM="xterm-256color", COLUMNS="120", LINES="40")
    with subprocess.Popen(argv, env=environ, cwd=ROOT, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        drawn = b""
        deadline_s = time.monotonic() + LIMIT_S
        while b"no living worker" not in drawn and time.monotonic() < deadline_s:
            if CONTROL.name.encode() in drawn and not Job.objects.exists():
                ledger.enqueue("scripted")
            drawn += os.read(master, 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 0
    os.close(master)
    assert b"no living worker" in drawn


def test_a_database_without_tables_is_a_sentence(tmp_path: Path) -> None:
    environ = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/empty.sqlite3"}
    environ["DJANGO_SETTINGS_MODULE"] = "rushes.config.settings"
    argv = [sys.executable, "-m", "rushes", "jobs"]
    ended = subprocess.run(argv, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "the database can't be used" in ended.stderr
    assert "Traceback" not in ended.stderr
