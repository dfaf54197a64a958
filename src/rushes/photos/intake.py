"""How photos begin and end: a photo and its job in one transaction."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.db import transaction

from rushes.jobs.ledger import cancel_group, enqueue
from rushes.jobs.models import Job
from rushes.jobs.queues import OPTIMIZE, Priority
from rushes.pipeline.intake import MAX_TITLE, plain_name
from rushes.videos.models import Visibility
from rushes.videos.store import MediaStore, sync

from .files import adopt_source
from .models import Photo, PhotoStatus, group_of
from .removal import enqueue_removal


class SourceGone(Exception):
    """The source is not kept any more, so nothing can be made from it."""


def create_photo(
    *,
    owner: Any,
    path: Path,
    original_name: str,
    title: str = "",
    description: str = "",
    visibility: str = Visibility.PRIVATE,
    external_ref: str = "",
) -> Photo:
    """Take over an uploaded file as a new photo; its job is written in the same transaction."""
    name = plain_name(original_name)
    sync(path)  # not within the transaction
    with ExitStack() as undo:
        with transaction.atomic():
            photo = Photo.objects.create(
                owner=owner,
                title=(title or Path(name).stem)[:MAX_TITLE],
                description=description,
                visibility=visibility,
                external_ref=external_ref,
                original_name=name,
                source_bytes=path.stat().st_size,
            )
            photo.source = adopt_source(photo.pk, path)
            undo.callback(MediaStore().delete, photo.source)
            photo.save(update_fields=["source"])
            _optimise(photo)
        undo.pop_all()
    return photo


def retry_photo(photo: Photo) -> Job:
    """Make the pictures once more. Raises SourceGone."""
    if not photo.source or not MediaStore().exists(photo.source):
        raise SourceGone("The source of this photo is not kept any more; upload it again.")
    with transaction.atomic():
        Photo.objects.filter(pk=photo.pk, status=PhotoStatus.FAILED).update(
            status=PhotoStatus.PENDING, error=""
        )
        return _optimise(photo)


def delete_photo(photo: Photo) -> None:
    """Remove a photo: its row at once, running work cancelled, files as soon as nobody works on them."""
    with transaction.atomic():
        photo_id = photo.pk
        cancel_group(group_of(photo_id))
        Photo.objects.filter(pk=photo_id).delete()
        enqueue_removal(photo_id)


def _optimise(photo: Photo) -> Job:
    return enqueue(
        "optimize",
        queue=OPTIMIZE,
        group=group_of(photo.pk),
        args={"photo": photo.pk, "source": photo.source},
        key=f"optimize:{photo.pk}",
        priority=Priority.FIRST,
    )
