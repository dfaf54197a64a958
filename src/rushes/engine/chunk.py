"""One chunk of work, from a plan to published segments: run ffmpeg, slice what it writes, keep the plan's promise.

Segments are published while ffmpeg still runs, as soon as each is complete and nothing was wrong so far: whoever waits
for the first of four need not wait for the last. What is returned is for the ledger: the commit is its business.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path

from . import EngineError
from .assembly import AudioAssembly, BrokenPromise, Made, VideoAssembly
from .audio_command import AAC_PRIMING_FRAMES, audio_command, audio_copy_command, audio_window
from .command import BACKS_S, copy_command, entry_s, ladder_command
from .decoding import DecodeLog, same_damage
from .giving_way import never
from .plan import AudioTrack, Plan, Rung
from .process import Cancelled, FfmpegFailed, Limits, ffmpeg_argv, scratch_folder, start
from .settings import AAC_FRAME_SAMPLES
from .store import SegmentStore

#: How often the growing outputs are looked at: somebody waits for urgent ones, and a look costs CPU.
_HARVEST_URGENT_S, _HARVEST_BACKGROUND_S = 0.03, 0.2
_AUDIO_ENTRY_ERRORS = 2  # entering MP3 or AC-3 in mid-stream costs a line or two and nothing that is kept


class UndecodableChunk(EngineError):
    """No attempt gave the chunk's frames; trying again cannot mend it."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where chunks are made: the program, the file, the shelf for what is finished."""

    ffmpeg: Path
    source: Path
    store: SegmentStore
    scratch: Path


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a chunk's process gave; CPU and wall are ffmpeg's."""

    made: tuple[Made, ...]
    warnings: tuple[str, ...] = ()
    cpu_s: float = 0.0
    wall_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Watch:
    """How a chunk is made for whoever asked: politely in the background or at once, and whom to tell."""

    nice: int = 0
    #: Whether to stand still for a while; pictures do, and all else takes too little to be in anybody's way.
    gives_way: Callable[[], bool] = never
    cancel: threading.Event = field(default_factory=threading.Event)
    published: Callable[[str], None] = lambda name: None


@dataclass(frozen=True, kw_only=True)
class _Run:
    log: DecodeLog
    cpu_s: float
    wall_s: float
    problem: EngineError | None


def make_video_chunk(plan: Plan, rungs: Sequence[Rung], chunk: int, bench: Bench, watch: Watch) -> Outcome:
    """Encode one chunk of `rungs` by one process.

    A chunk that decodes badly is decoded again from further back (P1); where that gives the same damage it is the
    source's own, and is filled with the last good picture, with a warning.
    Raises UndecodableChunk, Cancelled, FfmpegInterrupted, LimitExceeded, and OSError for the disk's failures.
    """
    timeline = rungs[0].timeline
    start_s = plan.origin_s + timeline.start_s(timeline.chunks[chunk])
    needed_s = max(start_s, plan.first_picture_s if plan.first_picture_s is not None else start_s)
    runs: list[_Run] = []
    for back_s in BACKS_S:
        last = back_s is None or entry_s(plan, chunk) <= back_s  # this one starts at the beginning anyway
        with scratch_folder(bench.scratch) as scratch:
            outputs = [f"{rung.name}.mp4" for rung in rungs]
            body = ladder_command(plan, rungs, chunk, str(bench.source), outputs, back_s)
            assemblies = [
                VideoAssembly(rung, chunk, scratch / output, bench.store, watch.published)
                for rung, output in zip(rungs, outputs, strict=True)
            ]
            log = DecodeLog()
            run = _run(
                body, scratch, bench, watch, log, assemblies, partial(log.clean, needed_s), watch.gives_way
            )
            runs.append(run)
            damaged = not log.healed_before(start_s)
            inherent = damaged and len(runs) > 1 and same_damage(runs[-2].log, log, start_s)
            if run.problem is None and (last or (log.began_by(needed_s) and (inherent or not damaged))):
                damaged = damaged or not log.began_by(needed_s)
                made = tuple(assembly.finish() for assembly in assemblies)
                return Outcome(
                    made=made,
                    warnings=(_damage_note(timeline.start_s(timeline.chunks[chunk])),) if damaged else (),
                    cpu_s=sum(r.cpu_s for r in runs),
                    wall_s=sum(r.wall_s for r in runs),
                )
        if last:
            break
    raise UndecodableChunk(_why(runs[-1], start_s - plan.origin_s)) from runs[-1].problem


def make_copy_chunk(plan: Plan, rung: Rung, chunk: int, bench: Bench, watch: Watch) -> Outcome:
    """Copy one chunk of a copied rung. Raises as `make_video_chunk`."""
    with scratch_folder(bench.scratch) as scratch:
        output = f"{rung.name}.mp4"
        assembly = VideoAssembly(rung, chunk, scratch / output, bench.store, watch.published)
        body = copy_command(plan, rung, chunk, str(bench.source), output)
        run = _run(body, scratch, bench, watch, DecodeLog(), [assembly], lambda: True)
        if run.problem is not None:
            start_s = rung.timeline.start_s(rung.timeline.chunks[chunk])
            raise UndecodableChunk(_why(run, start_s)) from run.problem
        return Outcome(made=(assembly.finish(),), cpu_s=run.cpu_s, wall_s=run.wall_s)


def make_audio_chunk(plan: Plan, track: AudioTrack, chunk: int, bench: Bench, watch: Watch) -> Outcome:
    """Encode or copy one chunk of an audio track. Raises as `make_video_chunk`."""
    output = f"{track.name}.mp4"
    first = track.timeline.chunk_ticks(chunk)[0] // AAC_FRAME_SAMPLES
    if track.method == "copy":
        body, skipped = audio_copy_command(plan, track, chunk, str(bench.source), output), 0
    else:
        body = audio_command(plan, track, chunk, str(bench.source), output)
        skipped = AAC_PRIMING_FRAMES + first - audio_window(track, chunk)[0]
    with scratch_folder(bench.scratch) as scratch:
        assembly = AudioAssembly(
            track, chunk, scratch / output, bench.store, watch.published, skipped=skipped
        )
        log = DecodeLog()
        run = _run(body, scratch, bench, watch, log, [assembly], lambda: True)
        if run.problem is not None:
            start_s = track.timeline.start_s(track.timeline.chunks[chunk])
            raise UndecodableChunk(_why(run, start_s)) from run.problem
        damaged = len(log.error_lines) > _AUDIO_ENTRY_ERRORS
        note = _damage_note(track.timeline.start_s(track.timeline.chunks[chunk]), "sound")
        return Outcome(
            made=(assembly.finish(),), warnings=(note,) if damaged else (), cpu_s=run.cpu_s, wall_s=run.wall_s
        )


def _run(
    body: Sequence[str],
    scratch: Path,
    bench: Bench,
    watch: Watch,
    log: DecodeLog,
    assemblies: Sequence[VideoAssembly | AudioAssembly],
    may_publish: Callable[[], bool],
    gives_way: Callable[[], bool] = never,
) -> _Run:
    """Run ffmpeg and harvest its outputs. What trying again cannot mend is told as `problem`, the rest raised."""
    argv = ffmpeg_argv(bench.ffmpeg, body)
    problem: EngineError | None = None
    cpu_s = wall_s = 0.0
    try:
        limits = Limits(nice=watch.nice)
        with start(argv, scratch=scratch, limits=limits, on_line=log.add, gives_way=gives_way) as run:
            while not run.wait_for(_HARVEST_BACKGROUND_S if watch.nice else _HARVEST_URGENT_S):
                if watch.cancel.is_set():
                    run.cancel()
                    run.wait()
                    raise Cancelled("nobody needs this chunk any more")
                for assembly in assemblies:
                    assembly.harvest(publish=may_publish())
            finished = run.wait()
        cpu_s, wall_s = finished.cpu_s, finished.wall_s
        for assembly in assemblies:
            assembly.complete()
    except (FfmpegFailed, BrokenPromise) as error:
        if not scratch.is_dir():
            raise  # it is the folder that failed, not the chunk: `scratch_folder` says so
        problem = error
    return _Run(log=log, cpu_s=cpu_s, wall_s=wall_s, problem=problem)


def _damage_note(at_s: Fraction, what: str = "picture") -> str:
    return f"The {what} is damaged near {_clock(at_s)}: what could not be decoded was filled in."


def _why(run: _Run, at_s: Fraction) -> str:
    said = run.problem or (
        run.log.error_lines[-1] if run.log.error_lines else "nothing could be decoded there"
    )
    return f"The part at {_clock(at_s)} cannot be decoded: {said}"


def _clock(time_s: Fraction) -> str:
    seconds = max(0, int(time_s))
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
