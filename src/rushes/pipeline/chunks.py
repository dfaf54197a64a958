"""Kind `chunk`: make one chunk of one rendition, or of the whole ladder by one decode."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import Error
from django.db.models import Q

from rushes.engine.chunk import (
    Bench,
    Outcome,
    UndecodableChunk,
    Watch,
    make_audio_chunk,
    make_copy_chunk,
    make_video_chunk,
)
from rushes.engine.giving_way import never
from rushes.engine.plan import AudioTrack, Plan, Rung
from rushes.engine.process import LimitExceeded
from rushes.jobs.handlers import Claimed, Handler, Report, Unmendable
from rushes.jobs.queues import TRANSCODE, WAITING
from rushes.videos.models import Chunk, Encode
from rushes.videos.store import hls_store

from . import workshop
from .building import begin_to_play, go_on, living, locked, settle, try_again, wanted_again
from .intake import plan_again
from .plans import plan_of

FIRST_SEGMENT = "/0.m4s"
#: Limits that the source itself goes beyond, however often and on whatever machine it is tried.
_OF_THE_SOURCE = ("pixels", "output", "memory")


@dataclass(frozen=True, kw_only=True)
class Made:
    """What `run` hands to `commit`."""

    outcome: Outcome | None = None  # None: there was nothing left to do
    outdated: bool = False  # the plan is of another encoder build than the one that is here
    without_hardware: bool = False  # or of hardware encoders that are not here


class ChunkHandler(Handler):
    """Encodes or copies. Made twice it is the same bytes, so a late double does no harm."""

    kind = "chunk"
    queue = TRANSCODE

    def tidy(self) -> None:
        """Scratch folders whose owners are dead are removed, whatever step they were of; what stands still goes on."""
        workshop.sweep()
        go_on()

    def run(self, job: Claimed, report: Report) -> Made:
        """Make what is missing of the asked renditions."""
        encode = living(job.args["encode"])
        if encode is None:
            return Made()
        names = _missing(encode, job.args["renditions"], job.args["chunk"])
        if not names:
            return Made()
        if encode.encoder_build != workshop.tools().build_id:
            return Made(outdated=True)
        if not workshop.can_make(plan_of(encode.pk), names):
            return Made(outdated=True, without_hardware=True)
        bench = Bench(
            ffmpeg=workshop.tools().ffmpeg.path,
            source=workshop.source_path(encode),
            store=hls_store(encode.video_id),
            scratch=workshop.scratch(),
        )
        slots = workshop.slots()
        waited_for = job.queue == WAITING.name

        def published(name: str) -> None:
            if job.args["chunk"] == 0 and name.endswith(FIRST_SEGMENT):
                with suppress(Error):  # the chunk's commit says it too
                    begin_to_play(encode)

        taken = slots.urgent(report.cancel) if waited_for else slots.background(report.cancel)
        with workshop.interruptions(), taken as slot:
            # Somebody may have waited for it, and got it, while this stood in line for its slot.
            names = _missing(encode, names, job.args["chunk"])
            if not names:
                return Made()
            watch = Watch(
                nice=0 if waited_for else workshop.BACKGROUND_NICE,
                gives_way=never if waited_for else partial(slots.must_give_way, slot),
                cancel=report.cancel,
                published=published,
            )
            try:
                return Made(outcome=make(plan_of(encode.pk), names, job.args["chunk"], bench, watch))
            except UndecodableChunk as error:
                if workshop.hardware_rungs(plan_of(encode.pk), names):
                    # A driver may have failed, and not the source: software knows.
                    report.log(f"The hardware encoder has failed: {error}", "warning")
                    return Made(outdated=True, without_hardware=True)
                report.log(str(error), "error")
                raise Unmendable(_sentence(error)) from error
            except LimitExceeded as error:
                if error.limit not in _OF_THE_SOURCE:
                    raise
                raise Unmendable(f"A part of the video cannot be made: {error}.") from error

    def commit(self, job: Claimed, result: Made) -> None:
        """Record it, and write what follows: the next jobs, playable, or the end."""
        encode = locked(job.args["encode"])
        if encode is None:
            return
        if result.outdated:
            plan_again(encode, software=result.without_hardware)
            return
        outcome = result.outcome or Outcome(made=())
        rows = {row.name: row for row in encode.renditions.all()}
        for made in outcome.made:
            # Also where another job has failed at it: it is there.
            Chunk.objects.update_or_create(
                rendition=rows[made.rendition],
                index=made.chunk,
                defaults={
                    "state": "done",
                    "reason": "",
                    "segment_sizes": pack_sizes(made.segment_bytes),
                    "segment_crcs": pack_sizes(made.segment_crcs),
                    "keyframe_sizes": pack_sizes(made.keyframe_bytes),
                    "worker": job.worker,
                },
            )
        # Also where there was nothing left to do: the window has room for another now.
        settle(encode, warnings=outcome.warnings)

    def failed(self, job: Claimed, reason: str) -> None:
        """The chunk will never come: whoever waits is told, and the rest goes on."""
        encode = locked(job.args["encode"])
        if encode is None:
            return
        for row in encode.renditions.filter(name__in=job.args["renditions"]):
            Chunk.objects.get_or_create(
                rendition=row, index=job.args["chunk"], defaults={"state": "failed", "reason": reason}
            )
        settle(encode)

    def retried(self, job: Claimed) -> None:
        """The chunk may come after all."""
        encode = wanted_again(job.args["encode"])
        try_again(encode, Q(rendition__name__in=job.args["renditions"], index=job.args["chunk"]))


def make(plan: Plan, names: Sequence[str], chunk: int, bench: Bench, watch: Watch) -> Outcome:
    """Make a chunk of the named renditions: one copy, one track, or encoded rungs together. Raises as the engine."""
    renditions: list[Any] = [plan.rendition(name) for name in names]
    first = renditions[0]
    if isinstance(first, AudioTrack):
        return make_audio_chunk(plan, first, chunk, bench, watch)
    if first.method == "copy":
        return make_copy_chunk(plan, first, chunk, bench, watch)
    return make_video_chunk(
        plan, [rung for rung in renditions if isinstance(rung, Rung)], chunk, bench, watch
    )


def pack_sizes(sizes: Sequence[int]) -> bytes:
    """Bytes (or checksums) of each segment as `Chunk` keeps them: unsigned, 32 bits each."""
    return b"".join(size.to_bytes(4, "little") for size in sizes)


def unpack_sizes(packed: bytes | memoryview) -> tuple[int, ...]:
    """What `pack_sizes` packed."""
    data = bytes(packed)
    return tuple(int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4))


def _missing(encode: Encode, names: Sequence[str], chunk: int) -> list[str]:
    there = Chunk.objects.filter(rendition__encode=encode, index=chunk)
    settled = set(there.values_list("rendition__name", flat=True))
    return [name for name in names if name not in settled]


def _sentence(error: UndecodableChunk) -> str:
    """The first line; what ffmpeg said below it is for the job's log."""
    return str(error).partition("\n")[0].rstrip(" :.") + "."
