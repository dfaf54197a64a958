"""Kinds of jobs that tests run, in this process and in workers of their own."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

from rushes.engine.process import ffmpeg_argv, scratch_folder, start
from rushes.jobs.handlers import Claimed, Handler, Interrupted, Report, Unmendable, register
from rushes.jobs.models import JobLog
from rushes.jobs.queues import TRANSCODE
from rushes.pipeline import workshop

log = logging.getLogger(__name__)

PARTS = 10  # of a file


class Scripted(Handler):
    """Does what its args say: `{"do": "sleep", "s": 5}`, with "once" only at the first claim.

    Its commit leaves a line in the log.
    """

    kind = "scripted"
    queue = TRANSCODE

    def run(self, job: Claimed, report: Report) -> Any:
        """Run the script."""
        if job.args.get("once") and job.claim > 1:
            return time.time()
        match job.args.get("do"):
            case "error":
                raise ValueError("as told")
            case "unmendable":
                raise Unmendable("This is no video.")
            case "interrupted":
                raise Interrupted("killed")
            case "sleep":
                if report.cancel.wait(job.args["s"]):
                    raise Interrupted("told to stop")
            case "say":
                report.progress(42, "Half of it")
                report.log("a line")
                report.cancel.wait(job.args["s"])
            case "slot":
                with workshop.slots().background(report.cancel):
                    entered_s = time.monotonic()  # one clock for all processes of a host
                    time.sleep(job.args["s"])
                    return f"{entered_s} {time.monotonic()} {os.getpid()}"
            case "until file":
                while not Path(job.args["path"]).exists():
                    time.sleep(0.02)
            case "ffmpeg":
                encode(job.args["s"], report)
            case "tell":
                return os.getpid()
            case "file":
                put(Path(job.args["path"]), job, report)
            case "deaf":
                time.sleep(job.args["s"])
        return time.time()

    def commit(self, job: Claimed, result: Any) -> None:
        """Leave evidence."""
        if job.args.get("do") == "bad commit":
            raise ValueError("cannot be committed")
        if job.args.get("do") == "slow commit" and not (job.args.get("once") and job.claim > 1):
            log.warning("%s %d commits slowly", self.kind, job.id)
            time.sleep(job.args["s"])
        JobLog.objects.create(job_id=job.id, claim=job.claim, text=f"committed {result}")

    def failed(self, job: Claimed, reason: str) -> None:
        """Leave evidence."""
        JobLog.objects.create(
            job_id=job.id, claim=job.claim, level="error", text=f"failed for good: {reason}"
        )


def encode(seconds: float, report: Report) -> None:
    """A real ffmpeg that takes so long; its number is the job's message."""
    picture = (
        "-re",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=128x72:rate=25",
        "-t",
        str(seconds),
        "-c:v",
        "libx264",
    )
    argv = ffmpeg_argv(workshop.tools().ffmpeg.path, [*picture, "out.mp4"])
    with (
        workshop.interruptions(),
        scratch_folder(workshop.scratch()) as folder,
        start(argv, scratch=folder) as run,
    ):
        report.progress(1, str(run.pid))
        while not run.wait_for(0.05):
            if report.cancel.is_set():
                run.cancel()
        run.wait()


def put(path: Path, job: Claimed, report: Report) -> None:
    """As a chunk: written beside its place over some time, and put there by a rename."""
    beside = path.with_name(f"{path.name}-{job.claim}")
    with beside.open("w") as file:
        for part in range(PARTS):
            print(f"{path.name}: {part}", file=file, flush=True)
            if report.cancel.wait(job.args["s"] / PARTS):
                raise Interrupted("told to stop")
    beside.replace(path)


def is_whole(path: Path) -> bool:
    """Whether `put` has made it."""
    return path.read_text().splitlines() == [f"{path.name}: {part}" for part in range(PARTS)]


register(Scripted())
