"""Why a job failed, in one line for a list: our sentence, and what ffmpeg said of it. Tracebacks are for the log."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.db.models import Prefetch, QuerySet

from .models import Job, JobLog

LONGEST = 240
#: Where ffmpeg says which of its parts speaks: "[in#0 @ 0x557d7f91c040] ".
_PART = re.compile(r"^(\[[^\]]*\] )+")
_TRACEBACK = re.compile(r'^(Traceback |  File ")', re.MULTILINE)
_LINES = "error_lines"


def with_error_lines(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """The same jobs with what `reason_of` needs of their logs, by one query for all."""
    return jobs.prefetch_related(Prefetch("log", JobLog.objects.filter(level="error"), to_attr=_LINES))


def reason_of(job: Job) -> str:
    """The sentence of the job's error with ffmpeg's own words behind it; empty where it has no error."""
    lines: Iterable[JobLog] | None = getattr(job, _LINES, None)
    text = one_line(job.error)
    if not text or "\n" in job.error.strip():
        return text
    head = text.rstrip(".")
    # The uploader's sentence is the first line of what the handler has logged before it.
    for line in job.log.filter(level="error") if lines is None else lines:
        if line.text.startswith(head) and "\n" in line.text and not _TRACEBACK.search(line.text):
            return one_line(line.text)
    return text


def one_line(error: str) -> str:
    """The first line, and of what a program said beneath it the first, which is the cause of the others."""
    first, *rest = (line.strip() for line in error.strip().splitlines() or [""])
    said = next((_PART.sub("", line) for line in rest if line), "")
    text = f"{first.rstrip(' :.')}: {said}" if said else first
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
