"""Kind `ingest`: look at a source, plan it, and promise its whole time line."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

from django.conf import settings
from django.db import transaction

from rushes.engine import EngineError
from rushes.engine.admission import ProbeError
from rushes.engine.examine import examined
from rushes.engine.loudness import gain_centibels, heard_of_source, measure_loudness
from rushes.engine.plan import Plan
from rushes.engine.planning import make_plan
from rushes.engine.probe import probe
from rushes.engine.process import CannotRun, FfmpegFailed, LimitExceeded, scratch_folder
from rushes.engine.remux import needs_remux, remux
from rushes.engine.source import Source
from rushes.jobs.handlers import Claimed, Handler, NothingToRetry, Report, Unmendable
from rushes.jobs.ledger import cancel
from rushes.jobs.models import OPEN, Job, Status
from rushes.jobs.queues import CONTROL, WAITING
from rushes.videos.models import Chunk, Encode, EncodeState, Rendition, Subtitle, Video, VideoStatus
from rushes.videos.store import MediaStore

from . import outputs, workshop
from .building import LIVING, settle, standing
from .choices import asked_codecs
from .plans import rendition_row, text_of
from .room import bytes_of, one_promise_at_a_time, require_room
from .subtitles import rows_of
from .takeover import discard, follow, retire
from .window import begin, begin_beside

log = logging.getLogger(__name__)

CANCELLED = "The work on this video was cancelled; it can be begun again."


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What `run` hands to `commit`; nothing where the video or this source of it is gone."""

    plan: Plan | None = None
    work_source: str = ""
    asked: dict[str, Any] = field(default_factory=dict)


class IngestHandler(Handler):
    """From a file to a plan and the first jobs."""

    kind = "ingest"
    queue = CONTROL

    def begin(self) -> None:
        """Hardware encoders are put to the test, and the log says which of them are not used."""
        for refusal in workshop.encoders_for(asked_codecs(settings.RUSHES_CODECS)).refusals:
            log.warning(refusal)

    def tidy(self) -> None:
        """Videos whose first step somebody has cancelled don't wait for it for ever."""
        tell_cancelled()

    def run(self, job: Claimed, report: Report) -> Looked:
        """Probe and plan; a source that cannot be sought in is copied into a container in which it can."""
        video = Video.objects.filter(pk=job.args["video"], source=job.args["source"]).first()
        if video is None:
            return Looked()
        store, tools = MediaStore(), workshop.tools()
        asked = job.args.get("settings") or {}
        wanted = workshop.engine_settings(asked)
        work_source = ""
        try:
            with workshop.interruptions(), scratch_folder(workshop.scratch()) as folder:
                source = probe(store.path(video.source), tools)
                copied = needs_remux(source)
                if copied:
                    report.progress(1, "Copying into a container that can be sought in")
                    source = remux(source, tools, folder, cancel=report.cancel)
                source = examined(source, tools)
                plan = make_plan(source, wanted, tools.build_id, self._gains(source, folder, report))
                require_room(plan, video.pk)
                if copied:
                    work_source = f"work/{video.pk}/{token_hex(8)}"
                    store.put(work_source, source.path)
        except FileNotFoundError as error:
            raise Unmendable("The source is not there any more; upload it again.") from error
        except CannotRun:
            raise  # no fault of the file
        except (ProbeError, EngineError, ValueError) as error:
            sentence = _sentence(error, video)
            if said := _said_by_program(error).replace(str(store.path(video.source)), video.original_name):
                report.log(f"{sentence}\n{said}", "error")
            raise Unmendable(sentence) from error
        return Looked(plan=plan, work_source=work_source, asked=asked)

    def commit(self, job: Claimed, result: Looked) -> None:
        """Write the encode with its renditions; what an earlier one made under the same keys is taken over.

        Where everything is to be made anew, it is made in the same places, and each file is exchanged in one step.
        """
        video = Video.objects.select_for_update().filter(pk=job.args["video"]).first()
        plan = result.plan
        if video is None or plan is None:
            return
        obsolete = video.source != job.args["source"] or _overtaken(job)
        if obsolete or self._is_there(video, plan, result.asked):
            Video.objects.filter(pk=video.pk, status=VideoStatus.PENDING, source=job.args["source"]).update(
                status=standing(video)
            )
            follow(video.pk)  # which also removes the copy that was made for nothing
            return
        for building in video.encodes.filter(state=EncodeState.BUILDING):
            _cancel_work(building)
            discard(building, "A newer encode was asked for.")
        one_promise_at_a_time()
        require_room(plan, video.pk)  # once more: others may have been promised it meanwhile
        active = video.active_encode
        takes_over_at_once = active is None or video.playable_at is None
        if active is not None and takes_over_at_once:
            _cancel_work(active)
            retire(active, video)
        elif active is not None and active.completed_at is None:
            # It plays on until the new one takes over, and what viewers wait for is made; the rest is for nobody.
            _cancel_work(active, background_only=True)
        encode = Encode.objects.create(
            video=video,
            state=EncodeState.ACTIVE if takes_over_at_once else EncodeState.BUILDING,
            plan_json=text_of(plan),
            plan_version=plan.version,
            plan_key=plan.key,
            encoder_build=plan.encoder_build,
            settings=result.asked,
            root_job=job.id,
            source=video.source,
            work_source=result.work_source,
            warnings=list(plan.warnings),
        )
        Rendition.objects.bulk_create(
            rendition_row(encode, position, planned, bytes_of(plan, planned))
            for position, planned in enumerate(plan.renditions)
        )
        Subtitle.objects.bulk_create(rows_of(encode, plan))
        if not result.asked.get("force"):
            reuse(encode, video)
        changed: dict[str, Any] = {}
        if takes_over_at_once or video.status != VideoStatus.READY:
            changed = {"status": VideoStatus.PROCESSING, "error": ""}
        if takes_over_at_once:
            largest = plan.rungs[0] if plan.rungs else None
            changed |= {
                "active_encode": encode,
                "warnings": list(plan.warnings),
                "duration_s": float(plan.duration_s),
                "width": largest.width if largest else None,
                "height": largest.height if largest else None,
            }
        if changed:
            Video.objects.filter(pk=video.pk).update(**changed)
        begin(encode)
        begin_beside(encode)
        settle(encode)

    def failed(self, job: Claimed, reason: str) -> None:
        """Say why. A video that plays goes on as it was, and with the source that it had."""
        video = Video.objects.select_for_update().filter(pk=job.args["video"]).first()
        if video is not None and video.source == job.args["source"]:
            stand_back(video, job.args.get("settings") or {}, reason)

    def retried(self, job: Claimed) -> None:
        """The video waits for it again."""
        video = Video.objects.select_for_update().filter(pk=job.args["video"]).first()
        if video is None:
            raise NothingToRetry("Its video was deleted.")
        if video.source != job.args["source"]:
            raise NothingToRetry("Its video has another source now.")
        if _overtaken(job):
            raise NothingToRetry("A later wish for the same video was granted; retry the video instead.")
        if video.status == VideoStatus.FAILED:
            Video.objects.filter(pk=video.pk).update(status=VideoStatus.PENDING, error="")

    def _gains(self, source: Source, folder: Path, report: Report) -> dict[str, int]:
        """The gain of each track, where loudness is to be normalised: it has to be known before the first chunk."""
        target_lufs = settings.RUSHES_LOUDNESS_LUFS
        if target_lufs is None or not source.audio:
            return {}
        report.progress(1, "Measuring loudness")
        try:
            measured = measure_loudness(
                heard_of_source(source),
                source.path,
                workshop.tools().ffmpeg.path,
                folder,
                cancel=report.cancel,
            )
        except (FfmpegFailed, LimitExceeded) as error:  # sound that is hard to read is no reason for no video
            report.log(f"The loudness could not be measured: {error}", "warning")
            return {}
        return {name: gain_centibels(loudness, target_lufs) for name, loudness in measured.items()}

    def _is_there(self, video: Video, plan: Plan, asked: dict[str, Any]) -> bool:
        """Whether the same plan is complete or in work; then there is nothing to do, unless that is the wish."""
        wanted = Encode.objects.filter(
            video=video, state__in=LIVING, plan_key=plan.key, encoder_build=plan.encoder_build, error=""
        )
        return not asked.get("force") and not asked.get("retry") and wanted.exists()


def _overtaken(job: Claimed) -> bool:
    """Whether a later wish for the same video has been granted already: two may be looked at side by side."""
    later = Job.objects.filter(kind=job.kind, group=job.group, pk__gt=job.id)
    return later.filter(status=Status.COMPLETED).exists()


def stand_back(video: Video, asked: dict[str, Any], reason: str) -> None:
    """Nothing came of an encode: the video is as before it was asked for, and says why. Its row is locked.

    The caller has ended the encode, where there is one already.
    """
    changed: dict[str, Any] = {"error": reason, "status": standing(video)}
    before = asked.get("before")
    if before and changed["status"] != VideoStatus.FAILED:
        kept = before["source"] and MediaStore().exists(before["source"])
        changed |= {**before, "source": before["source"] if kept else ""}
    Video.objects.filter(pk=video.pk).update(**changed)
    follow(video.pk)


def tell_cancelled() -> int:
    """Say so of videos that wait for an ingest which was cancelled, by a hand from outside; how many those were."""
    told = 0
    for video_id in Video.objects.filter(status=VideoStatus.PENDING).values_list("pk", flat=True):
        if not _was_cancelled(video_id):
            continue
        with transaction.atomic():
            video = Video.objects.select_for_update().filter(pk=video_id, status=VideoStatus.PENDING).first()
            job = _was_cancelled(video_id)
            if video is not None and job is not None:
                stand_back(video, job.args.get("settings") or {}, CANCELLED)
                told += 1
    return told


def _was_cancelled(video_id: int) -> Job | None:
    """The video's newest ingest, where that was cancelled and nothing else is to be done."""
    jobs = Job.objects.filter(group=str(video_id))
    newest = jobs.filter(kind="ingest").order_by("-pk").first()
    if newest is None or newest.status != Status.CANCELLED or jobs.filter(status__in=OPEN).exists():
        return None
    return newest


def reuse(encode: Encode, video: Video) -> None:
    """Take over the chunks of earlier encodes' renditions of the same name and key: their bytes are the same."""
    for row in encode.renditions.all():
        earlier = (
            Rendition.objects.filter(
                encode__video=video, name=row.name, key=row.key, chunk_count=row.chunk_count
            )
            .exclude(encode=encode)
            .order_by("-chunks_done", "-pk")
            .first()
        )
        if earlier is None:
            continue
        done = Chunk.objects.filter(rendition=earlier, state="done")
        Chunk.objects.bulk_create(
            Chunk(
                rendition=row,
                index=chunk.index,
                state="done",
                segment_sizes=bytes(chunk.segment_sizes),
                segment_crcs=bytes(chunk.segment_crcs),
                keyframe_sizes=bytes(chunk.keyframe_sizes),
                worker=chunk.worker,
                made_at=chunk.made_at,
            )
            for chunk in done
        )


def _cancel_work(encode: Encode, *, background_only: bool = False) -> None:
    """End what is done for an encode that is not wanted any more, or of which only what somebody waits for is.

    After the commit: a job whose commit waits for the video's row, which is locked here, must not be waited for.
    """
    jobs = Job.objects.filter(
        group=str(encode.video_id),
        status__in=OPEN,
        kind__in=("chunk", *outputs.KINDS, "subtitle", "loudness", "finalise"),
        args__encode=encode.pk,
    )
    if background_only:
        jobs = jobs.exclude(queue=WAITING.name)
    transaction.on_commit(lambda: cancel(list(jobs.values_list("pk", flat=True))))


def _said_by_program(error: Exception) -> str:
    """What ffmpeg or ffprobe said, for whoever looks after the server: beneath the sentence, or in a note to it."""
    beneath = str(error).partition("\n")[2]
    return "\n".join([beneath, *getattr(error, "__notes__", ())]).strip()


def _sentence(error: Exception, video: Video) -> str:
    """The engine's message with the name that the uploader knows instead of ours."""
    name = video.original_name or "The file"
    text = str(error).replace(video.source.rpartition("/")[2], name)
    text = text.partition("\n")[0].rstrip(" :")
    if not text.startswith(name):  # a file's name stays as it is written
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!")) else text + "."
