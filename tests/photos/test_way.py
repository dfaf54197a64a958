"""The way of a photo: from an upload to pictures, and away again; on the real ledger with real decoders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from rushes.engine import photo as engine
from rushes.jobs.ledger import cancel, retry
from rushes.jobs.models import Job, Status
from rushes.photos import intake
from rushes.photos.models import Photo, group_of
from rushes.photos.optimise import OptimiseHandler
from tests.photos.making import encoded, looks_upright
from tests.pipeline.hands import step, work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

Upload = Callable[..., Photo]


def files(media: Path) -> list[str]:
    return sorted(str(path.relative_to(media)) for path in media.rglob("*") if path.is_file())


def test_a_photo_becomes_pictures_on_its_queue(upload: Upload, media: Path) -> None:
    photo = upload(encoded("HEIF", size=(400, 300)), visibility="unlisted")
    assert (photo.status, photo.title, photo.visibility) == ("pending", "IMG_1", "unlisted")
    job = Job.objects.get()
    assert (job.kind, job.queue, job.group) == ("optimize", "image:optimize", f"photo:{photo.pk}")
    work()
    photo.refresh_from_db()
    assert (photo.status, photo.error, photo.format) == ("ready", "", "HEIF")
    assert (photo.width, photo.height, photo.ready_at is not None) == (400, 300, True)
    folder = f"images/photos/{photo.pk}/{photo.key}"
    names = [f"{folder}/{side}.{extension}" for side in (320, 400) for extension in ("jpg", "webp")]
    assert files(media) == sorted([*names, photo.source])
    assert looks_upright(media / names[0])


def test_photo_and_job_are_one_commit(upload: Upload, media: Path) -> None:
    with transaction.atomic():
        upload()
        transaction.set_rollback(True)
    assert not Photo.objects.exists()
    assert not Job.objects.exists()


def test_a_source_goes_when_it_is_not_kept_and_not_before(upload: Upload, media: Path, settings: Any) -> None:
    settings.RUSHES_KEEP_SOURCE = False
    kept, lost = upload(b"\xff\xd8\xff no photo"), upload()
    work()
    kept.refresh_from_db()
    lost.refresh_from_db()
    assert (kept.status, lost.status) == ("failed", "ready")
    assert (media / kept.source).exists()
    assert lost.source == ""
    assert not list((media / f"sources/photos/{lost.pk}").iterdir())
    with pytest.raises(intake.SourceGone):
        intake.retry_photo(lost)


def test_what_is_no_photo_fails_at_once_with_a_sentence(upload: Upload, media: Path) -> None:
    photo = upload(encoded()[:300])
    work()
    photo.refresh_from_db()
    assert photo.status == "failed"
    assert photo.error.startswith("This")
    assert Job.objects.get().failures == 1
    # Its source is mended by nobody, but another build may read it.
    (media / photo.source).write_bytes(encoded())
    intake.retry_photo(photo)
    work()
    photo.refresh_from_db()
    assert (photo.status, photo.error) == ("ready", "")


def test_a_crash_of_the_worker_s_machine_costs_nothing(
    upload: Upload, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A decoder that was killed for want of memory did not fail: it is tried again."""
    child = engine._CHILD
    (tmp_path / "child.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.setattr(engine, "_CHILD", tmp_path / "child.py")
    photo = upload()
    step()
    job = Job.objects.get()
    assert (job.status, job.failures, job.interruptions) == (Status.PENDING, 0, 1)
    monkeypatch.setattr(engine, "_CHILD", child)
    Job.objects.update(run_after=job.created_at)
    work()
    photo.refresh_from_db()
    assert photo.status == "ready"


def test_what_was_cancelled_says_so_and_can_be_begun_again(upload: Upload) -> None:
    photo = upload()
    cancel([Job.objects.get().pk])
    OptimiseHandler().tidy()
    photo.refresh_from_db()
    assert (photo.status, "cancelled" in photo.error) == ("failed", True)
    assert retry(Job.objects.get().pk)
    work()
    photo.refresh_from_db()
    assert photo.status == "ready"


def test_deleting_takes_rows_jobs_and_files(upload: Upload, media: Path, owner: User) -> None:
    photos = [upload(), upload()]
    work()
    intake.delete_photo(photos[0])
    assert list(Photo.objects.all()) == [photos[1]]
    work()
    assert not [name for name in files(media) if f"/{photos[0].pk}/" in name]
    assert [name for name in files(media) if f"/{photos[1].pk}/" in name]


def test_one_that_is_deleted_while_it_waits_or_is_worked_on_leaves_nothing(
    upload: Upload, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake.delete_photo(upload())
    photo = upload()
    optimise = engine.optimise

    def deleted_meanwhile(*arguments: Any, **named: Any) -> Any:
        made = optimise(*arguments, **named)
        intake.delete_photo(photo)
        return made

    monkeypatch.setattr("rushes.photos.optimise.optimise", deleted_meanwhile)
    work()
    Job.objects.filter(status=Status.PENDING).update(run_after=Job.objects.earliest("pk").created_at)
    work()
    assert files(media) == []
    assert not Job.objects.filter(group=group_of(photo.pk), status=Status.PROCESSING).exists()


def test_a_photo_does_not_touch_the_video_of_the_same_number(upload: Upload, media: Path) -> None:
    photo = upload()
    theirs = [media / f"{kind}/{photo.pk}/theirs" for kind in ("sources", "images", "hls")]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    work()
    intake.delete_photo(photo)
    work()
    assert all(path.exists() for path in theirs)
