"""What follows whenever a chunk of an encode has come, or never will: in the transaction of that commit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q

from rushes.engine.plan import Plan
from rushes.engine.tally import weights_of
from rushes.jobs.clock import now
from rushes.jobs.handlers import NothingToRetry
from rushes.jobs.ledger import enqueue
from rushes.jobs.models import OPEN, Job
from rushes.jobs.queues import CONTROL, Priority
from rushes.videos.models import Chunk, Encode, EncodeState, Video, VideoStatus
from rushes.videos.store import hls_store

from . import outputs
from .marks import Settled, forget, settled_of
from .plans import plan_of
from .window import go_on_beside, playable, refill, root_of

#: What is being made; of the others nothing is wanted any more.
LIVING = (EncodeState.BUILDING, EncodeState.ACTIVE)
_MOST_WARNINGS = 50


def living(encode_id: int) -> Encode | None:
    """An encode that is still to be finished, without its plan (`plan_of` keeps those); None where it is not."""
    wanted = Encode.objects.filter(pk=encode_id, state__in=LIVING, completed_at__isnull=True)
    return wanted.defer("plan_json").first()


def locked(encode_id: int, *, completed: bool = False) -> Encode | None:
    """The same, with its video's row and its own locked until the transaction ends; `completed`: also a finished one.

    So commits of one video come one after the other; all steps lock in this order.
    """
    video_id = Encode.objects.filter(pk=encode_id).values_list("video_id", flat=True).first()
    if video_id is None:
        return None
    Video.objects.select_for_update().filter(pk=video_id).first()
    wanted = Encode.objects.select_for_update().filter(pk=encode_id, state__in=LIVING)
    if not completed:
        wanted = wanted.filter(completed_at__isnull=True)
    return wanted.defer("plan_json").first()


def settle(encode: Encode, warnings: Collection[str] = ()) -> None:
    """Count, tell the video, and write the next jobs. `encode` is locked."""
    plan = plan_of(encode.pk)
    settled = settled_of(encode)
    fresh = [warning for warning in dict.fromkeys(warnings) if warning not in encode.warnings]
    if fresh:
        encode.warnings = [*encode.warnings, *fresh][:_MOST_WARNINGS]
        encode.save(update_fields=["warnings"])
    playing = _tell_video(encode, plan, settled)
    if not superseded(encode):
        refill(encode, settled, playing=playing)
        done = settled.done()
        outputs.ask(encode, plan, {r.name for r in plan.renditions if done[r.name] == r.timeline.chunk_count})
    if settled.count() < sum(rendition.timeline.chunk_count for rendition in plan.renditions):
        return
    over = True  # where a part will never come, nothing is waited for
    if not settled.failed:
        go_on_beside(encode)
        # The streams are verified while the rest is made; when that is there, the end of it is another job.
        over = beside_is_there(encode, plan) or (encode.verified_at is None and not superseded(encode))
    if over and not encode.error:  # what is wrong is said once
        enqueue(
            "finalise",
            queue=CONTROL,
            group=str(encode.video_id),
            args={"encode": encode.pk},
            key=f"finalise:{encode.pk}",
            priority=Priority.CONTROL,
            parent=root_of(encode),
        )


def beside_is_there(encode: Encode, plan: Plan) -> bool:
    """Whether all that is made beside the streams is there, or will never be."""
    return encode.subtitles_done and encode.loudness_done and outputs.settled(encode, plan)


def superseded(encode: Encode) -> bool:
    """Whether a newer encode of its video is being built: of this one only what somebody waits for is made."""
    newer = Encode.objects.filter(video=encode.video_id, pk__gt=encode.pk, state=EncodeState.BUILDING)
    return newer.exists()


def begin_to_play(encode: Encode) -> None:
    """A first segment is there, while its chunk is still being made: where picture and sound have begun, say so.

    The segments themselves are the evidence; their bytes depend on the plan alone, whatever becomes of the chunk.
    """
    plan, store = plan_of(encode.pk), hls_store(encode.video_id)
    begun = {
        (rendition.name, 0)
        for rendition in plan.renditions
        if store.exists(rendition.segment_name(0)) and store.exists(rendition.init_name)
    }
    if not playable(plan, begun):
        return
    waiting = Video.objects.filter(pk=encode.video_id, active_encode=encode, playable_at__isnull=True)
    if waiting.update(playable_at=now()):
        with transaction.atomic():  # now the rest may begin
            if (row := locked(encode.pk)) is not None:
                refill(row, settled_of(row), playing=True)


def _tell_video(encode: Encode, plan: Plan, settled: Settled) -> bool:
    """Write what has changed for people; whether the video can be played."""
    video = Video.objects.get(pk=encode.video_id)
    mine = video.active_encode_id == encode.pk
    changed: dict[str, Any] = {}
    if mine and video.playable_at is None and playable(plan, settled.begun()):
        changed["playable_at"] = now()
    if mine and video.warnings != encode.warnings:
        changed["warnings"] = encode.warnings
    if mine and settled.failed and not video.error:
        changed["error"] = failures_of(encode)[0]
    if (mine or video.status == VideoStatus.PROCESSING) and video.ready_at is None:
        changed["progress_percentage"] = min(99, int(100 * share_done(plan, settled.done())))
    if changed:
        Video.objects.filter(pk=video.pk).update(**changed)
    return video.playable_at is not None or "playable_at" in changed


def share_done(plan: Plan, counts: Mapping[str, int]) -> float:
    """From 0 to 1, by pixels: a second of 1080p weighs nine times a second of 360p, and a copy next to nothing.

    `counts` says how many chunks of each rendition are done.
    """
    weights = weights_of(plan)
    total = sum(weights.values())
    if not total:
        return 1.0
    return sum(weights[r.name] * counts[r.name] / r.timeline.chunk_count for r in plan.renditions) / total


def failures_of(encode: Encode) -> list[str]:
    """Reasons of the chunks that will never come, in order."""
    rows = encode.renditions.filter(Q(chunks__state="failed")).order_by("chunks__index", "position")
    return list(rows.values_list("chunks__reason", flat=True))


def wanted_again(encode_id: int) -> Encode:
    """`locked`, for a job of it that is to be tried again. Raises NothingToRetry where it is over."""
    encode = locked(encode_id)
    if encode is None:
        raise NothingToRetry("What this was a part of is over; retry its video instead.")
    return encode


def try_again(encode: Encode, which: Q) -> None:
    """Chunks that would never come may come after all: for now nothing is wrong. `encode` and its video are locked."""
    forget(Chunk.objects.filter(which, rendition__encode=encode, state="failed"))
    Encode.objects.filter(pk=encode.pk).update(error="")
    video = Video.objects.filter(pk=encode.video_id)
    if encode.state == EncodeState.ACTIVE:
        video.update(error="")
        video.filter(status=VideoStatus.FAILED).update(status=VideoStatus.PROCESSING)


def standing(video: Video) -> VideoStatus:
    """What a video is when nothing new is being made of it: by what players get of it."""
    active = video.active_encode
    if active is None or active.error:
        return VideoStatus.FAILED
    return VideoStatus.PROCESSING if active.completed_at is None else VideoStatus.READY


def go_on() -> int:
    """Write the next jobs of encodes that have none, though they are not finished; how many those were.

    Only by a hand from outside does an encode come to that: somebody cancelled its last open job.
    """
    unfinished = Encode.objects.filter(state__in=LIVING, completed_at__isnull=True, error="")
    revived = 0
    for encode_id, video_id in unfinished.values_list("pk", "video_id"):
        work = Job.objects.filter(group=str(video_id), status__in=OPEN)
        if work.exists():
            continue
        with transaction.atomic():
            encode = locked(encode_id)
            if encode is not None and not work.exists():
                settle(encode)
                revived += 1
    return revived
