"""What the jobs of all outputs share: run, write the row, and what follows from it."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from rushes.engine import EngineError
from rushes.engine.assembly import BrokenPromise
from rushes.engine.derived import Desk
from rushes.engine.plan import Plan
from rushes.engine.process import CannotRun, LimitExceeded
from rushes.jobs.handlers import Claimed, Handler, NothingToRetry, Report, Unmendable
from rushes.jobs.queues import Queue
from rushes.videos.models import Encode, Video
from rushes.videos.store import hls_store

from . import workshop
from .building import LIVING, locked, settle
from .outputs import Output, repairs_of
from .plans import plan_of

#: Fields of the encode's row, and the names of files that they get.
Fields = dict[str, str]


class TryAgain(Exception):
    """What stood in the way has been removed: another attempt may succeed."""


class OutputHandler(Handler):
    """Makes one output of an encode. Made twice it is the same; files are put in place whole, the row comes last."""

    output: ClassVar[Output]
    kind: ClassVar[str]
    queue: ClassVar[Queue]

    def __init_subclass__(cls) -> None:
        cls.kind, cls.queue = cls.output.kind, cls.output.queue

    @abstractmethod
    def make(self, plan: Plan, encode: Encode, report: Report) -> Fields:
        """Make it and put it into the store. Raises as the engine."""

    def run(self, job: Claimed, report: Report) -> Fields | None:
        """Make it; None where it is not wanted any more."""
        wanted = Encode.objects.filter(pk=job.args["encode"], state__in=LIVING)
        encode = wanted.defer("plan_json").first()
        if encode is None:
            return None
        try:
            with workshop.interruptions():
                return self.make(plan_of(encode.pk), encode, report)
        except (LimitExceeded, CannotRun):
            raise  # of this moment and this machine
        except FileNotFoundError as error:  # `finalise` sees which, and has them made again
            raise Unmendable("parts of the stream are missing") from error
        except BrokenPromise as error:
            report.log(str(error), "error")  # figures, for whoever mends it; the viewer's warning is in words
            raise Unmendable("what ffmpeg wrote is not what was planned") from error
        except EngineError as error:
            report.log(str(error), "error")
            raise Unmendable(str(error).partition("\n")[0].rstrip(" :.")) from error

    def commit(self, job: Claimed, result: Fields | None) -> None:
        """It is there."""
        if result is not None:
            self._settle(job, result, warning="")

    def failed(self, job: Claimed, reason: str) -> None:
        """It never will be: the video is ready without it, and says why."""
        why = reason.partition("\n")[0].rstrip(" :.")
        self._settle(job, {}, warning=f"No {self.output.words} could be made: {why}.")

    def retried(self, job: Claimed) -> None:
        """It may be after all; also where the video has become ready without it."""
        encode = locked(job.args["encode"], completed=True)
        if encode is None:
            raise NothingToRetry("What this was a part of is over; retry its video instead.")
        encode.outputs.pop(self.kind, None)
        encode.save(update_fields=["outputs"])

    def _settle(self, job: Claimed, fields: Fields, *, warning: str) -> None:
        encode = locked(job.args["encode"], completed=True)
        if encode is None:
            return
        if encode.completed_at is None and job.args.get("repairs", 0) != repairs_of(encode):
            settle(
                encode
            )  # broken chunks are made again since this began: it is asked for anew when they are there
            return
        before = encode.outputs.get(self.kind)
        encode.outputs = {**encode.outputs, self.kind: warning}
        for name, value in fields.items():
            setattr(encode, name, value)
        if warning and encode.completed_at is None:
            encode.verified_at = None  # the streams may be the reason
        encode.save(update_fields=["outputs", "verified_at", *fields])
        if encode.completed_at is None:
            settle(encode)
        elif before != warning:
            _tell_ready(encode, self.output, warning)


def desk_of(encode: Encode, report: Report) -> Desk:
    """Where outputs of an encode are made."""
    return Desk(
        ffmpeg=workshop.tools().ffmpeg.path,
        store=hls_store(encode.video_id),
        scratch=workshop.scratch(),
        cancel=report.cancel,
    )


def _tell_ready(encode: Encode, output: Output, warning: str) -> None:
    """The video was ready before this came: its warnings are what holds now."""
    mine = f"No {output.words} could be made: "
    for row in (encode, Video.objects.filter(pk=encode.video_id, active_encode=encode).first()):
        if row is not None:
            kept = [other for other in row.warnings if not other.startswith(mine)]
            row.warnings = [*kept, warning] if warning else kept
            row.save(update_fields=["warnings"])
