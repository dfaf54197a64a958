"""Kind `optimize`: from the file of a photo to its pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from rushes.engine.photo import Optimised, PhotoRefused, Recipe, optimise
from rushes.engine.process import scratch_folder
from rushes.jobs.handlers import Claimed, Handler, NothingToRetry, Report, Unmendable
from rushes.jobs.models import Job, Status
from rushes.jobs.queues import OPTIMIZE
from rushes.pipeline import workshop
from rushes.videos.store import MediaStore

from .files import picture_name
from .models import Photo, PhotoStatus, group_of

CANCELLED = "The work on this photo was cancelled; it can be begun again."
_UNFINISHED = (PhotoStatus.PENDING, PhotoStatus.PROCESSING)


@dataclass(frozen=True, kw_only=True)
class Made:
    """What `run` hands to `commit`."""

    key: str
    photo: Optimised


class OptimiseHandler(Handler):
    """Decodes a photo and puts its pictures into the store."""

    kind = "optimize"
    queue = OPTIMIZE
    limit_s = 600.0

    def tidy(self) -> None:
        """Photos whose job somebody has cancelled don't wait for it for ever."""
        for photo_id in Photo.objects.filter(status__in=_UNFINISHED).values_list("pk", flat=True):
            newest = Job.objects.filter(kind=self.kind, group=group_of(photo_id)).order_by("-pk").first()
            if newest is not None and newest.status == Status.CANCELLED:
                _unfinished(photo_id).update(status=PhotoStatus.FAILED, error=CANCELLED)

    def run(self, job: Claimed, report: Report) -> Made | None:
        """Make the pictures and publish them under a key of their own; nothing where the photo is gone."""
        photo = Photo.objects.filter(pk=job.args["photo"], source=job.args["source"]).first()
        if photo is None:
            return None
        _unfinished(photo.pk).update(status=PhotoStatus.PROCESSING)
        store, recipe = MediaStore(), Recipe()
        source, key = store.path(photo.source), recipe.key(photo.source)
        if not source.is_file():
            raise Unmendable("The source is not there any more; upload it again.")
        with workshop.interruptions(), scratch_folder(workshop.scratch()) as folder:
            try:
                # It is done in a second or two, and somebody looks at the page: it does not queue behind an encode.
                with workshop.slots().urgent(report.cancel):
                    made = optimise(source, folder, recipe, cancel=report.cancel)
            except PhotoRefused as error:
                raise Unmendable(str(error)) from error
            for picture in made.pictures:
                for name in picture.names:
                    store.put_durably(picture_name(photo.pk, key, name), folder / name)
        return Made(key=key, photo=made)

    def commit(self, job: Claimed, result: Made | None) -> None:
        """The photo is ready; its source goes where sources are not kept."""
        if result is None:
            return
        photo = Photo.objects.select_for_update().filter(pk=job.args["photo"]).first()
        if photo is None or photo.source != job.args["source"]:
            return
        keep, made = settings.RUSHES_KEEP_SOURCE, result.photo
        Photo.objects.filter(pk=photo.pk).update(
            status=PhotoStatus.READY,
            error="",
            warnings=list(made.warnings),
            format=made.format,
            width=made.width,
            height=made.height,
            key=result.key,
            pictures=[asdict(picture) for picture in made.pictures],
            ready_at=photo.ready_at or Now(),
            source=photo.source if keep else "",
        )
        if not keep:
            source = photo.source
            transaction.on_commit(lambda: MediaStore().delete(source))

    def failed(self, job: Claimed, reason: str) -> None:
        """Say why."""
        _unfinished(job.args["photo"]).update(status=PhotoStatus.FAILED, error=reason)

    def retried(self, job: Claimed) -> None:
        """The photo waits for it again."""
        photo = Photo.objects.select_for_update().filter(pk=job.args["photo"]).first()
        if photo is None:
            raise NothingToRetry("Its photo was deleted.")
        if photo.status == PhotoStatus.READY:
            raise NothingToRetry("Its photo is ready.")
        Photo.objects.filter(pk=photo.pk).update(status=PhotoStatus.PENDING, error="")


def _unfinished(photo_id: int) -> QuerySet[Photo]:
    return Photo.objects.filter(pk=photo_id, status__in=_UNFINISHED)
