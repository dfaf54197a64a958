"""Videos that are not finished and do not get on: finding them, and bringing them back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import transaction
from django.db.models import Max, QuerySet

from rushes.jobs.clock import FromNow, now
from rushes.jobs.ledger import hasten, sweep
from rushes.jobs.models import OPEN, Job, Status
from rushes.videos.models import Chunk, Video, VideoStatus

from . import outputs
from .intake import SourceDeleted, require_source, retry_video

#: So long without any sign of life, and a video is stuck.
STUCK_AFTER_S = 15 * 60.0
#: What brings a video on; other kinds only tidy up behind it.
WORK = ("ingest", "chunk", *outputs.KINDS, "subtitle", "loudness", "finalise")
_UNFINISHED = (VideoStatus.PENDING, VideoStatus.PROCESSING)


class Why(StrEnum):
    """What is wrong with a video that does not get on."""

    FAILED = "failed"
    IDLE = "idle"  # nothing is written that would be done for it: its job was cancelled, or is lost
    STUCK = "stuck"  # there is something to do, and nobody does it


@dataclass(frozen=True, kw_only=True)
class Stalled:
    """A video that does not get on; `silent_s`: since when there was no sign of life, `words` for people."""

    video: Video
    why: Why
    silent_s: float
    words: str


class Action(StrEnum):
    """What came of bringing a video back."""

    BEGUN = "begun"  # a job goes on with it
    HASTENED = "hastened"  # its jobs wait for a worker; whoever can do them was told again
    IN_WORK = "in_work"  # somebody works on it at this moment
    NOTHING = "nothing"  # it needs nothing
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was done for a video, or would be; `job` is what goes on with it."""

    video: Video
    action: Action
    words: str
    job: int | None = None


def stalled_videos(*, stuck_after_s: float = STUCK_AFTER_S, failed: bool = True) -> list[Stalled]:
    """Every video that failed, has nothing to be done for it, or gave no sign of life for that long; oldest first."""
    unfinished = Video.objects.filter(status__in=_UNFINISHED)
    found = _stalled(unfinished, stuck_after_s)
    # Between two questions a video may have got on: those are asked once more.
    found = _stalled(unfinished.filter(pk__in=[entry.video.pk for entry in found]), stuck_after_s)
    if failed:
        found += _stalled(Video.objects.filter(status=VideoStatus.FAILED), stuck_after_s)
    return sorted(found, key=lambda entry: entry.video.pk)


def bring_back(video: Video, *, pretend: bool = False) -> Outcome:
    """Let work on a video go on, whatever it waits for; what is there of it is kept. `pretend`: only say what would be.

    What failed or has no job gets one; where there are jobs, their workers are told again and no backoff is waited for.
    """
    if not pretend:
        sweep()
    try:
        with transaction.atomic():
            row = Video.objects.select_for_update().get(pk=video.pk)
            outcome = _as_it_is(row)
            if outcome is not None:
                if outcome.action == Action.HASTENED and not pretend:
                    hasten(str(row.pk))
                return outcome
            if pretend:
                require_source(row)
                return Outcome(video=row, action=Action.BEGUN, words="would be begun again")
            job = retry_video(row)
    except Video.DoesNotExist:
        return Outcome(video=video, action=Action.IMPOSSIBLE, words="It was deleted meanwhile.")
    except SourceDeleted as error:
        return Outcome(video=video, action=Action.IMPOSSIBLE, words=str(error))
    return Outcome(video=row, action=Action.BEGUN, words=f"begun again: job {job.pk}", job=job.pk)


def _as_it_is(video: Video) -> Outcome | None:
    """What there is to say of a video that needs no new job; None where it needs one."""
    if video.status == VideoStatus.UPLOADING:
        return Outcome(video=video, action=Action.NOTHING, words="it is still being uploaded")
    if video.status == VideoStatus.READY and not video.error:
        return Outcome(video=video, action=Action.NOTHING, words="it is ready")
    work = Job.objects.filter(group=str(video.pk), kind__in=WORK, status__in=OPEN)
    held = work.filter(status=Status.PROCESSING, lease_until__gte=FromNow()).order_by("pk").first()
    if held is not None:
        words = f"in work: {held.kind}, job {held.pk}, by {held.worker}"
        return Outcome(video=video, action=Action.IN_WORK, words=words, job=held.pk)
    waiting = work.order_by("priority", "pk").first()
    if waiting is not None:
        words = f"waits for a worker: {waiting.kind}, job {waiting.pk} in {waiting.queue}"
        return Outcome(video=video, action=Action.HASTENED, words=words, job=waiting.pk)
    return None


def _stalled(videos: QuerySet[Video], stuck_after_s: float) -> list[Stalled]:
    rows = list(videos)
    groups = [str(video.pk) for video in rows]
    work = Job.objects.filter(group__in=groups, kind__in=WORK, status__in=OPEN)
    has_work = set(work.values_list("group", flat=True))
    held = work.filter(status=Status.PROCESSING, lease_until__gte=FromNow())
    in_work = set(held.values_list("group", flat=True))
    seen, moment = _signs_of_life(rows), now()
    found = []
    for video in rows:
        group = str(video.pk)
        silent_s = max(0.0, (moment - seen[video.pk]).total_seconds())
        if group in in_work:
            continue
        if group in has_work:
            if silent_s < stuck_after_s:
                continue
            why, words = Why.STUCK, "its jobs wait, and nobody does them"
        elif video.status == VideoStatus.FAILED:
            why, words = Why.FAILED, video.error or "no reason was given"
        else:
            why, words = Why.IDLE, "it has no job: that was cancelled, or is lost"
        found.append(Stalled(video=video, why=why, silent_s=silent_s, words=words))
    return found


def _signs_of_life(videos: Iterable[Video]) -> dict[int, datetime]:
    """When each of them last got on: it came or was asked for, a chunk was made, a job began or ended."""
    seen = {video.pk: video.created_at for video in videos}

    def note(rows: Iterable[tuple[int | str, datetime | None]]) -> None:
        for pk, at in rows:
            if at is not None:
                seen[int(pk)] = max(seen[int(pk)], at)

    jobs = Job.objects.filter(group__in=[str(pk) for pk in seen], kind__in=WORK).order_by()
    # A viewer who waits makes jobs, too, but nothing is done by that.
    note(jobs.filter(kind="ingest").values_list("group").annotate(Max("created_at")))
    note(jobs.values_list("group").annotate(Max("started_at")))
    note(jobs.values_list("group").annotate(Max("finished_at")))
    made = Chunk.objects.filter(rendition__encode__video__in=list(seen))
    note(made.order_by().values_list("rendition__encode__video").annotate(Max("made_at")))
    return seen
