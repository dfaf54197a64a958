"""What every step works with: programs, the CPU slots of this host, folders, the engine's errors as the ledger's."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from rushes.engine.binaries import BinaryUnusable, Toolchain, toolchain
from rushes.engine.choosing import Choice, choose
from rushes.engine.encoders import Codec, gpu_of
from rushes.engine.plan import Plan, Rung
from rushes.engine.process import Cancelled, FfmpegInterrupted, sweep_scratch
from rushes.engine.settings import Settings
from rushes.engine.slots import Slots, SlotWaitCancelled
from rushes.jobs.handlers import Interrupted, PutOff
from rushes.jobs.queues import WAITING, queue_named
from rushes.videos.models import Encode
from rushes.videos.store import MediaStore

from .choices import asked_codecs, asked_gpu, asked_quality

BACKGROUND_NICE = 10
LOST_HARDWARE = (
    "The hardware encoder that was to make this video has failed, or a worker did not have it, "
    "so software encoders are used instead."
)


class NoRoom(PutOff):
    """The disk is full, or promised to others. Room may be made: it is tried again each minute."""


class NotWritable(PutOff):
    """The disk takes nothing: read-only, or not ours to write. Somebody may mend it: it is tried again each minute."""


_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOCKED = (errno.EROFS, errno.EACCES, errno.EPERM)


@cache
def slots() -> Slots:
    """The CPU slots of this host: one semaphore for all processes, with reserved ones for what somebody waits for."""
    reserved = queue_named(WAITING.name).concurrency
    return Slots(settings.RUSHES_LOCK_FOLDER, settings.RUSHES_CPU_SLOTS, reserved=reserved)


def tools() -> Toolchain:
    """ffmpeg and ffprobe. Raises Interrupted where a signal ended their first run: it says nothing of them."""
    try:
        return toolchain()
    except BinaryUnusable as error:
        if isinstance(error.__cause__, FfmpegInterrupted):
            raise Interrupted(str(error)) from error
        raise


def scratch() -> Path:
    """Where steps work; the file system of the media, so that publishing is a rename. Raises NoRoom, NotWritable."""
    folder = Path(settings.SCRATCH_ROOT)
    with interruptions():
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def sweep() -> None:
    """Remove what killed workers left in the scratch folder."""
    sweep_scratch(scratch())


def source_path(encode: Encode) -> Path:
    """The file that an encode's chunks are made from: the source, or its seekable copy."""
    return MediaStore().path(encode.work_source or encode.source)


def engine_settings(asked: Mapping[str, Any] | None = None) -> Settings:
    """What the engine is to make: what was asked for of one video, and the settings where nothing was.

    `asked` may have `rungs` (lines), `copy`, `quality`, `codecs`, and `software` where hardware encoders have failed.
    Raises Interrupted.
    """
    asked = asked or {}
    codecs = asked_codecs(asked.get("codecs") or settings.RUSHES_CODECS)
    choice = encoders_for(codecs, software=bool(asked.get("software")))
    return Settings(
        rungs=tuple(asked.get("rungs") or settings.VIDEO_QUALITY_PRESETS),
        copy=asked.get("copy", True),
        quality=asked_quality(asked.get("quality") or settings.RUSHES_QUALITY),
        codecs=choice.codecs,
        changes=settings.RUSHES_RUNGS,
        encoders=choice.encoders,
        warnings=(*((LOST_HARDWARE,) if asked.get("software") else ()), *choice.refusals),
    )


def encoders_for(codecs: tuple[Codec, ...], *, software: bool = False) -> Choice:
    """Encoders for these codecs: those of RUSHES_GPU that have passed their test in this process, else software.

    Raises Interrupted.
    """
    with interruptions():
        return choose(None if software else asked_gpu(settings.RUSHES_GPU), codecs, tools(), scratch())


def can_make(plan: Plan, names: Collection[str]) -> bool:
    """Whether this worker has the encoders that the plan names for these renditions. Raises Interrupted."""
    needed = hardware_rungs(plan, names)
    if not needed:
        return True
    # Another setting of RUSHES_GPU on this worker is as good as no hardware.
    choice = encoders_for(tuple(dict.fromkeys(rung.codec for rung in needed)))
    there = {encoder.name for encoder in choice.encoders}
    return all(rung.encoder in there for rung in needed)


def hardware_rungs(plan: Plan, names: Collection[str]) -> list[Rung]:
    """Those of the named rungs that hardware encodes."""
    return [rung for rung in plan.encoded_rungs if rung.name in names and gpu_of(rung.encoder or "")]


@contextmanager
def interruptions() -> Iterator[None]:
    """What ends a step from outside is no failure of the step. Raises Interrupted, NoRoom and NotWritable."""
    try:
        yield
    except (Cancelled, FfmpegInterrupted, SlotWaitCancelled) as error:
        raise Interrupted(str(error)) from error
    except OSError as error:
        if error.errno in _FULL:
            raise NoRoom("There is no room left on the server for this video.") from error
        if error.errno in _LOCKED:
            raise NotWritable("The server cannot write its files now.") from error
        raise
