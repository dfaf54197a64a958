"""Kind `remove_files`: the files of a video whose rows are gone, once nobody works on it any more."""

from __future__ import annotations

import time

from rushes.jobs.handlers import Claimed, Handler, Interrupted, Report
from rushes.jobs.ledger import enqueue
from rushes.jobs.models import Job, Status
from rushes.jobs.queues import CONTROL
from rushes.videos.models import Video
from rushes.videos.store import MediaStore, folders_of

_LOOK_S = 0.2
_PATIENCE_S = 3.0  # what is cancelled ends within that; longer only where its worker was killed
_AGAIN_S = 2.0


class RemoveFilesHandler(Handler):
    """Removes every folder of a video. Primary keys do not come again."""

    kind = "remove_files"
    queue = CONTROL

    def run(self, job: Claimed, report: Report) -> bool:
        """Wait a little for running work to hear that it is cancelled, then remove; whether that was done."""
        video_id = job.args["video"]
        if Video.objects.filter(pk=video_id).exists():
            return True  # this job is not ours to have
        until_s = time.monotonic() + _PATIENCE_S
        while Job.objects.filter(group=str(video_id), status=Status.PROCESSING).exclude(pk=job.id).exists():
            if time.monotonic() > until_s:
                return False
            if report.cancel.wait(_LOOK_S):
                raise Interrupted("told to stop")
        for folder in folders_of(video_id):
            MediaStore().remove_tree(folder)
        return True

    def commit(self, job: Claimed, result: bool) -> None:
        """Come again where somebody still works on it, rather than take a slot from those who wait for theirs."""
        if not result:
            enqueue_removal(job.args["video"], after_s=_AGAIN_S)


def enqueue_removal(video_id: int, *, after_s: float = 0.0) -> None:
    """Ask for the removal of what a video that is gone has left. In the caller's transaction."""
    enqueue(
        "remove_files",
        queue=CONTROL,
        args={"video": video_id},
        key=f"remove_files:{video_id}",
        run_after_s=after_s,
    )
