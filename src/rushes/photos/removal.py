"""Kind `remove_photo`: the files of a photo whose row is gone, once nobody works on it any more."""

from __future__ import annotations

from rushes.jobs.handlers import Claimed, Handler, Report
from rushes.jobs.ledger import enqueue
from rushes.jobs.models import Job, Status
from rushes.jobs.queues import CONTROL
from rushes.videos.store import MediaStore

from .files import folders_of
from .models import Photo, group_of

_AGAIN_S = 2.0


class RemovePhotoHandler(Handler):
    """Removes every folder of a photo. Primary keys do not come again."""

    kind = "remove_photo"
    queue = CONTROL

    def run(self, job: Claimed, report: Report) -> bool:
        """Whether they were removed: not while a job that was cancelled has not heard of it."""
        photo_id = job.args["photo"]
        if Photo.objects.filter(pk=photo_id).exists():
            return True  # this job is not ours to have
        if Job.objects.filter(group=group_of(photo_id), status=Status.PROCESSING).exists():
            return False
        for folder in folders_of(photo_id):
            MediaStore().remove_tree(folder)
        return True

    def commit(self, job: Claimed, result: bool) -> None:
        """Come again where somebody still works on it."""
        if not result:
            enqueue_removal(job.args["photo"], after_s=_AGAIN_S)


def enqueue_removal(photo_id: int, *, after_s: float = 0.0) -> None:
    """Ask for the removal of what a photo that is gone has left. In the caller's transaction."""
    enqueue(
        "remove_photo",
        queue=CONTROL,
        args={"photo": photo_id},
        key=f"remove_photo:{photo_id}",
        run_after_s=after_s,
    )
