"""Kind `finalise`: verify every rendition when all are made, and only then call the video ready.

It runs beside what is made from the renditions. Where that takes longer than verifying, the encode is noted as
verified, and the last of the others asks for this job once more, which then has little left to do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import Q

from rushes.engine.hls import Measured
from rushes.engine.plan import Plan
from rushes.engine.verify import VerificationFailed, verify_offsets
from rushes.jobs.clock import now
from rushes.jobs.handlers import Claimed, Handler, Report, Unmendable
from rushes.jobs.queues import CONTROL
from rushes.videos.models import Chunk, Encode, EncodeState, Video, VideoStatus
from rushes.videos.store import hls_store

from . import outputs, workshop
from .beside import enqueue_captions
from .building import beside_is_there, failures_of, living, locked, settle, try_again, wanted_again
from .ingest import stand_back
from .intake import encode_instead
from .marks import Place, forget
from .plans import plan_of
from .publishing import measure, remember, write_playlists
from .takeover import discard, follow, take_over
from .verifying import Broken, broken_places, forget_inits
from .window import settled_places

#: Where what was made again is broken again, it is not the disk.
_MOST_REPAIRS = 2
_MOST_LOGGED = 10


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What `run` hands to `commit`; `gone` where the encode is not wanted any more."""

    gone: bool = False
    early: bool = False  # some chunks are still to come: what had failed is made once more
    waiting: bool = False  # verified, but something beside the streams is still to come
    #: Chunks whose files are not what was recorded or promised: they are made again.
    broken: frozenset[Place] = frozenset()
    #: A copy that was made again and does not decode either: its source is damaged, and is encoded instead.
    damaged_source: bool = False
    measured: dict[str, Measured] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class FinaliseHandler(Handler):
    """The last step of an encode."""

    kind = "finalise"
    queue = CONTROL

    def run(self, job: Claimed, report: Report) -> Finished:
        """Verify, measure, and write the playlists as files where players have this encode already."""
        encode = living(job.args["encode"])
        if encode is None:
            return Finished(gone=True)
        plan = plan_of(encode.pk)
        if reasons := failures_of(encode):
            raise Unmendable(reasons[0])
        places = sum(r.timeline.chunk_count for r in plan.renditions)
        if len(settled_places(encode.pk)) < places:
            return Finished(early=True)
        warnings: tuple[str, ...] = ()
        if encode.verified_at is None:
            report.progress(10, "Verifying")
            damage = _verify(plan, encode, report)
            if isinstance(damage, Finished):
                return damage
            warnings = damage
            encode = living(encode.pk)
            if encode is None:
                return Finished(gone=True)
        if not beside_is_there(encode, plan):
            return Finished(waiting=True, warnings=warnings)
        measured = measure(encode, plan)
        if encode.state == EncodeState.ACTIVE:
            with workshop.interruptions():
                write_playlists(encode)
        return Finished(measured=measured, warnings=warnings)

    def commit(self, job: Claimed, result: Finished) -> None:
        """Verified, or ready; or, where files were broken, their chunks once more."""
        encode = locked(job.args["encode"])
        if encode is None or result.gone:
            return
        if result.early:
            settle(encode)
            return
        if result.damaged_source:
            encode_instead(encode)
            return
        if result.broken:
            for name, index in result.broken:
                forget(
                    Chunk.objects.filter(
                        rendition__encode=encode, rendition__name=name, index=index, state="done"
                    )
                )
            outputs.spoil(encode, plan_of(encode.pk), {name for name, _ in result.broken})
            encode.settings["repairs"] = outputs.repairs_of(encode) + 1
            encode.save(update_fields=["settings", "outputs"])
            settle(encode)
            return
        if result.waiting:
            encode.verified_at = now()
            encode.save(update_fields=["verified_at"])
            settle(encode, result.warnings)
            return
        video = Video.objects.get(pk=encode.video_id)
        plan = plan_of(encode.pk)
        for row in encode.renditions.all():
            measured = result.measured[row.name]
            remember(row, measured)
        told = [*encode.warnings, *result.warnings, *outputs.warnings_of(encode)]
        warnings = list(dict.fromkeys(told))
        Encode.objects.filter(pk=encode.pk).update(
            verified_at=encode.verified_at or now(),
            completed_at=now(),
            error="",
            warnings=warnings,
        )
        take_over(encode, video)
        largest = plan.rungs[0] if plan.rungs else None
        Video.objects.filter(pk=video.pk).update(
            status=VideoStatus.READY,
            error="",
            warnings=warnings,
            progress_percentage=100,
            ready_at=now(),
            playable_at=video.playable_at or now(),
            duration_s=float(plan.duration_s),
            width=largest.width if largest else None,
            height=largest.height if largest else None,
        )
        follow(video.pk)
        if settings.RUSHES_CAPTIONS_MODEL is not None and plan.audio:
            enqueue_captions(encode)

    def failed(self, job: Claimed, reason: str) -> None:
        """Say why; what is there plays on, and a re-encode leaves the video as it was."""
        encode = locked(job.args["encode"])
        if encode is None:
            return
        video = Video.objects.get(pk=encode.video_id)
        if encode.state == EncodeState.BUILDING:
            discard(encode, reason)
            stand_back(video, encode.settings, reason)
        else:
            Encode.objects.filter(pk=encode.pk).update(error=reason)
            Video.objects.filter(pk=video.pk).update(error=reason, status=VideoStatus.FAILED)

    def retried(self, job: Claimed) -> None:
        """What had failed for it is made once more."""
        try_again(wanted_again(job.args["encode"]), Q())


def _verify(plan: Plan, encode: Encode, report: Report) -> Finished | tuple[str, ...]:
    """Warnings where all is as planned; else what is to be done about it. Raises Unmendable where nothing can be."""
    store = hls_store(encode.video_id)
    broken, undecodable = broken_places(plan, encode, report)
    places = broken | undecodable
    repairs = outputs.repairs_of(encode)
    copied = {rendition.name for rendition in plan.renditions if rendition.method == "copy"}
    if places and not broken and repairs and all(name in copied for name, _ in places):
        # Copied twice, and still it does not decode: so it was in the source.
        if encode.settings.get("copy_doubted"):
            return ("Parts of the source are damaged, and may not be shown by every player.",)
        report.log(_list(places), "warning")
        return Finished(damaged_source=True)
    if places:
        report.log(_list(places), "warning")
        if repairs >= _MOST_REPAIRS:
            raise Unmendable(f"The result is not what was planned: {next(iter(places.values()))}")
        forget_inits(plan, places, store)
        return Finished(broken=frozenset(places))
    try:
        verify_offsets(plan, store)
    except VerificationFailed as error:
        raise Unmendable(f"The result is not what was planned: {error}") from error
    return ()


def _list(places: Broken) -> str:
    """The first few; the rest is more of the same."""
    return "\n".join(list(places.values())[:_MOST_LOGGED])
