"""The admin shows the ledger and lets people retry and cancel; it writes nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from rushes.jobs.clock import FromNow
from rushes.jobs.ledger import claim, enqueue
from rushes.jobs.models import Job, JobLog, Status, Worker
from rushes.jobs.queues import CONTROL, TRANSCODE, WAITING
from tests.jobs import kinds  # noqa: F401  # registers its kind

pytestmark = [pytest.mark.django_db, pytest.mark.databases]


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def test_the_list_shows_progress_and_the_page_of_a_job_its_log(boss: Client) -> None:
    job = enqueue("scripted", group="7")
    JobLog.objects.create(job=job, claim=1, text="half of it is there")
    Job.objects.filter(pk=job.pk).update(progress_percentage=42, message="Encoding <b>")
    listed = boss.get(reverse("admin:jobs_job_changelist")).content.decode()
    assert "42 % Encoding &lt;b&gt;" in listed
    page = boss.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
    assert "half of it is there" in page
    assert 'name="_save"' not in page


def test_actions_cancel_and_retry(boss: Client) -> None:
    job = enqueue("scripted")
    for action, status in (("cancel_jobs", Status.CANCELLED), ("retry_jobs", Status.PENDING)):
        form = {"action": action, "_selected_action": [job.pk]}
        boss.post(reverse("admin:jobs_job_changelist"), form)
        job.refresh_from_db()
        assert job.status == status


def test_nothing_can_be_edited_or_removed(boss: Client) -> None:
    job = enqueue("scripted")
    boss.post(reverse("admin:jobs_job_change", args=[job.pk]), {"status": "failed"})
    assert boss.post(reverse("admin:jobs_job_delete", args=[job.pk]), {"post": "yes"}).status_code == 403
    job.refresh_from_db()
    assert job.status == Status.PENDING


def test_who_may_only_look_has_no_actions(client: Client) -> None:
    guest = User.objects.create_user("guest", is_staff=True)
    from django.contrib.auth.models import Permission

    guest.user_permissions.add(Permission.objects.get(codename="view_job"))
    client.force_login(guest)
    job = enqueue("scripted")
    listed = client.get(reverse("admin:jobs_job_changelist")).content.decode()
    assert "cancel_jobs" not in listed
    client.post(reverse("admin:jobs_job_changelist"), {"action": "cancel_jobs", "_selected_action": [job.pk]})
    job.refresh_from_db()
    assert job.status == Status.PENDING


def fail(job: Job, error: str) -> None:
    Job.objects.filter(pk=job.pk).update(status=Status.FAILED, error=error, failures=3, finished_at=FromNow())


def row_of(page: str, queue: str) -> str:
    """The text of a queue's row above the list."""
    row = page.partition(f'data-queue="{queue}"')[2].partition("</tr>")[0]
    return " ".join(re.sub("<[^>]*>", " ", row).split())


def test_the_queues_above_the_list_show_depth_age_and_which_are_failing(boss: Client) -> None:
    Worker.objects.create(name="w", queues={TRANSCODE.name: 1})
    for _ in range(2):
        job = enqueue("scripted")
    Job.objects.filter(pk=job.pk).update(run_after=FromNow(-720))
    enqueue("scripted", queue=CONTROL)
    failed = enqueue("scripted")
    fail(failed, "ffmpeg ended with status 1:\n[in#0 @ 0x55] moov atom not found\nAnd so on.")
    listed = boss.get(reverse("admin:jobs_job_changelist")).content.decode()
    row = row_of(listed, TRANSCODE.name)
    assert "failing: 1 of 1 in 24 h 2 12 min 0 0 1 1" in row
    assert f"scripted {failed.pk} : ffmpeg ended with status 1: moov atom not found" in row
    assert "no living worker serves it 1" in row_of(listed, CONTROL.name)
    assert row_of(listed, WAITING.name).partition("fine")[1]
    assert "1 worker alive; last heartbeat 0 s ago." in listed


def test_the_list_says_what_ffmpeg_said_and_not_a_traceback(boss: Client) -> None:
    job = enqueue("scripted")
    fail(job, "The part at 0:08 cannot be decoded: ffmpeg ended with status 234.")
    for text in (
        'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: deep',
        "The part at 0:08 cannot be decoded: ffmpeg ended with status 234:\nStream map '0:17' matches no streams.",
        "The part at 0:08 cannot be decoded: ffmpeg ended with status 234.",
    ):
        JobLog.objects.create(job=job, claim=1, level="error", text=text)
    listed = boss.get(reverse("admin:jobs_job_changelist")).content.decode()
    assert "ffmpeg ended with status 234: Stream map &#x27;0:17&#x27; matches no streams." in listed
    assert "Traceback" not in listed


def test_the_page_of_a_job_has_error_arguments_and_log_and_its_actions(boss: Client) -> None:
    job = enqueue("scripted", args={"chunk": 3})
    JobLog.objects.create(job=job, claim=1, text="a line")
    address = reverse("admin:jobs_job_change", args=[job.pk])
    page = boss.get(address).content.decode()
    assert 'value="cancel_jobs"' in page
    fail(job, "moov atom not found <b>")
    page = boss.get(address).content.decode()
    assert "moov atom not found &lt;b&gt;" in page
    assert "&quot;chunk&quot;: 3" in page
    assert "a line" in page
    assert 'value="retry_jobs"' in page
    boss.post(reverse("admin:jobs_job_changelist"), {"action": "retry_jobs", "_selected_action": [job.pk]})
    job.refresh_from_db()
    assert job.status == Status.PENDING


def test_a_queue_is_drained_and_resumed(boss: Client) -> None:
    job = enqueue("scripted")
    boss.post(reverse("admin:jobs_pausedqueue_add"), {"queue": TRANSCODE.name})
    assert claim([TRANSCODE.name], "w") is None
    listed = boss.get(reverse("admin:jobs_job_changelist")).content.decode()
    assert "drained" in row_of(listed, TRANSCODE.name)
    assert "resume" in row_of(listed, TRANSCODE.name)
    boss.post(reverse("admin:jobs_pausedqueue_delete", args=[TRANSCODE.name]), {"post": "yes"})
    claimed = claim([TRANSCODE.name], "w")
    assert claimed is not None
    assert claimed.id == job.pk


def test_the_list_asks_the_database_no_more_for_more_jobs(
    boss: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        fail(enqueue("scripted"), "The disk was full.")
    with django_assert_max_num_queries(40):
        boss.get(reverse("admin:jobs_job_changelist"))
