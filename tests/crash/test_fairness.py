"""A second upload never waits for the whole of the first, however long that is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from rushes.jobs.clock import now
from rushes.jobs.models import Job, Status
from rushes.jobs.queues import Priority
from rushes.videos.models import Video
from tests.crash.instance import ROOT, Instance, wait_until

PATIENCE_S = 90.0

pytestmark = pytest.mark.databases


@pytest.fixture(scope="module")
def long_film(clip: Callable[..., Path]) -> Path:
    """600 s, 75 chunks, cheap to make: five frames a second, encoded anew because MPEG-4 cannot be copied."""
    return clip(size=(320, 180), rate=5, duration_s=600, codec="mpeg4", suffix=".mkv", gop=25)


@pytest.fixture(scope="module")
def short_film(clip: Callable[..., Path]) -> Path:
    return clip(size=(320, 180), rate=25, duration_s=10, codec="mpeg4", suffix=".mkv")


@pytest.mark.django_db(transaction=True)
def test_first_chunks_of_a_second_upload_are_claimed_before_any_further_chunk_of_the_first(
    product_environ: Callable[..., dict[str, str]],
    settings: Any,
    long_film: Path,
    short_film: Path,
    tmp_path: Path,
) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    environment = product_environ(
        RUSHES_VAR=str(tmp_path / "var"), VIDEO_QUALITY_PRESETS="180p,144p", PYTHONPATH=str(ROOT)
    )
    with Instance(environment, tmp_path) as instance:
        api = instance.client()
        first = Video.objects.get(public_id=api.upload(long_film, "long")["public_id"])
        wait_until(lambda: claimed_in_background(first) >= 4, PATIENCE_S, "the long one is in work")
        second = Video.objects.get(public_id=api.upload(short_film, "short")["public_id"])
        ready_at = when_seen(second)
        wait_until(
            lambda: not first_jobs(second).exclude(status=Status.COMPLETED),
            PATIENCE_S,
            "its first chunks are made",
        )
        assert api.video(second.public_id)["playable"]
        assert api.video(first.public_id)["status"] == "processing"

    for job in first_jobs(second):
        between = background(first).filter(started_at__gt=ready_at[job.pk], started_at__lt=job.started_at)
        assert [str(other) for other in between] == [], f"they were claimed while {job} was ready"


def when_seen(video: Video) -> dict[int, datetime]:
    """When each of its first jobs was there to be claimed, by the database's clock.

    Not their `created_at`: what another worker claims before their transaction ends has overtaken nobody.
    """
    seen: dict[int, datetime] = {}

    def look() -> bool:
        found = list(first_jobs(video).values_list("pk", flat=True))
        seen.update((pk, now()) for pk in found)
        return bool(found)

    # They are written in one transaction, so one look sees all of them.
    wait_until(look, PATIENCE_S, "the second one is planned", pause_s=0.002)
    return seen


def first_jobs(video: Video) -> Any:
    """Chunks without which the video is not playable."""
    return Job.objects.filter(group=str(video.pk), kind="chunk", priority=Priority.FIRST)


def background(video: Video) -> Any:
    return Job.objects.filter(group=str(video.pk), kind="chunk", priority=Priority.BACKGROUND)


def claimed_in_background(video: Video) -> int:
    return int(background(video).filter(claim__gt=0).count())
