"""One source being encoded into one folder: the threads that make chunks, and what the world may ask meanwhile.

Two hands work in the background, one per CPU slot, at nice 10; where somebody watches, urgent ones make what is waited
for at normal priority with a slot reserved for them. Everything public is thread-safe and quick.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from . import EngineError, hls
from .chunk import (
    Bench,
    Outcome,
    UndecodableChunk,
    Watch,
    make_audio_chunk,
    make_copy_chunk,
    make_video_chunk,
)
from .events import Changed, Event, Failed, Published, RungFed, State, Status
from .hands import URGENT_HANDS, Hands
from .plan import AudioTrack, Plan, Rung, from_json, locate, to_json
from .process import Cancelled, FfmpegInterrupted, sweep_scratch
from .records import STATE_FOLDER, Records
from .schedule import Board, Task
from .slots import Slots
from .store import FolderStore
from .tally import Tally

log = logging.getLogger(__name__)

MAX_INTERRUPTIONS = 10  # of one chunk: what kills ffmpeg that often is the chunk itself


class Session:
    """Encodes `source` by `plan` into `folder`, and resumes what an earlier session left there.

    With `watched` it serves a viewer: urgent hands, and the lead rung first. `hands` are background workers, as many as
    CPU slots if None. Raises OSError where the folder cannot be written.
    """

    def __init__(
        self,
        plan: Plan,
        source: Path,
        folder: Path,
        *,
        ffmpeg: Path,
        watched: bool = False,
        slots: Slots | None = None,
        hands: int | None = None,
    ) -> None:
        self.plan, self.folder = plan, folder
        self.store = FolderStore(folder)
        self.ffmpeg_cpu_s = self.ffmpeg_wall_s = 0.0
        self.encoded_chunks = 0  # by this session; the others were there
        self._records = Records(self.store)
        scratch = folder / STATE_FOLDER / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        sweep_scratch(scratch)
        self._bench = Bench(ffmpeg=ffmpeg, source=source.resolve(), store=self.store, scratch=scratch)
        self._lock = threading.Condition()
        self._board = Board(plan)
        self._tally = Tally(plan)
        self._interruptions: dict[Task, int] = {}
        self._error: str | None = None
        self._stop = threading.Event()
        self._callbacks: list[Callable[[Event], None]] = []
        slots = slots or Slots(reserved=URGENT_HANDS)
        self._hands = Hands(
            self._board,
            self._lock,
            slots,
            background=hands or slots.count,
            urgent=URGENT_HANDS if watched else 0,
            make=self._make,
            over=lambda: self._over,
            stop=self._stop,
            died=lambda error: self._give_up(f"The encoder failed: {error}"),
        )
        self._resume()

    # What the world may ask

    def start(self) -> None:
        """Start the hands. Once."""
        self._tally.start()
        self._hands.start()

    def close(self) -> None:
        """Stop all hands and their ffmpegs; returns when they are gone. What is committed stays."""
        self._stop.set()
        with self._lock:
            self._lock.notify_all()
        self._hands.join()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing is left to be made; False when time ran out first."""
        with self._lock:
            return self._lock.wait_for(lambda: self._over, timeout_s)

    def want(self, name: str) -> None:
        """Somebody waits for the file of that name: its chunk goes first. Raises KeyError outside the plan."""
        rendition, segment = locate(self.plan, name)
        with self._lock:
            if name in self._tally.published:
                self._board.move(rendition.name, segment or 0)
            elif segment is not None:
                self._board.want(rendition.name, segment)
            else:
                self._board.want_any(rendition.name)
            self._lock.notify_all()

    def published(self, name: str) -> bool:
        """Whether the file is there."""
        return name in self._tally.published

    def failure(self, name: str) -> str | None:
        """Why that file will never come, or None."""
        rendition, segment = locate(self.plan, name)
        with self._lock:
            if name in self._tally.published:
                return None
            reason = self._board.failure(rendition.name, segment)
        return reason or self._error

    def fed_rungs(self) -> tuple[str, ...]:
        """Names of the rungs that may be promised to players: the copied one, the lead, and complete ones."""
        with self._lock:
            return tuple(rung.name for rung in self.plan.rungs if self._fed(rung))

    def complete(self, rendition: str) -> bool:
        """Whether every segment of the rendition is there."""
        with self._lock:
            return self._board.complete(rendition)

    def segment_bytes(self, rendition: str) -> tuple[int, ...]:
        """Sizes of all segments of a complete rendition, in order."""
        with self._lock:
            return self._tally.segment_bytes(rendition)

    def measured(self) -> dict[str, hls.Measured]:
        """What the renditions that are complete really need, by name."""
        with self._lock:
            return {
                rendition.name: hls.measure(
                    rendition,
                    self._tally.segment_bytes(rendition.name),
                    self._tally.keyframe_bytes(rendition.name),
                )
                for rendition in self.plan.renditions
                if self._board.complete(rendition.name)
            }

    def keyframe_bytes(self, rendition: str) -> tuple[int, ...]:
        """How much of each segment of a complete rung holds its first picture."""
        with self._lock:
            return self._tally.keyframe_bytes(rendition)

    def status(self) -> Status:
        """How far it is."""
        with self._lock:
            return self._status()

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` in a worker's thread at every event; returns what ends that. It must be quick."""
        with self._lock:
            self._callbacks.append(callback)

        def unsubscribe() -> None:
            with self._lock, suppress(ValueError):
                self._callbacks.remove(callback)

        return unsubscribe

    # What hands do

    def _make(self, task: Task, nice: int, gives_way: Callable[[], bool]) -> None:
        watch = Watch(nice=nice, gives_way=gives_way, cancel=self._stop, published=self._on_published)
        try:
            outcome = self._run(task, watch)
        except Cancelled:
            self._put_back(task)
        except FfmpegInterrupted as error:
            self._interrupted(task, error)
        except UndecodableChunk as error:
            self._failed(task, str(error))
        except EngineError as error:
            self._failed(task, f"{error}")
        except OSError as error:
            self._put_back(task)
            self._give_up(f"The output cannot be written: {error.strerror or error}")
        else:
            self._commit(task, outcome)

    def _run(self, task: Task, watch: Watch) -> Outcome:
        renditions = [self.plan.rendition(name) for name in task.renditions]
        first = renditions[0]
        if isinstance(first, AudioTrack):
            return make_audio_chunk(self.plan, first, task.chunk, self._bench, watch)
        if task.kind == "copy":
            return make_copy_chunk(self.plan, first, task.chunk, self._bench, watch)
        rungs = [rung for rung in renditions if isinstance(rung, Rung)]
        return make_video_chunk(self.plan, rungs, task.chunk, self._bench, watch)

    # What hands report

    def _commit(self, task: Task, outcome: Outcome) -> None:
        for made in outcome.made:
            self._records.commit(self.plan.rendition(made.rendition), made, outcome.warnings)
        with self._lock:
            self._board.ended(task)
            self.ffmpeg_cpu_s += outcome.cpu_s
            self.ffmpeg_wall_s += outcome.wall_s
            self.encoded_chunks += 1
            fed_before = {rung.name for rung in self.plan.rungs if self._fed(rung)}
            for made in outcome.made:
                self._board.done(made.rendition, made.chunk)
                self._tally.commit(made, outcome.warnings)
            fed = [rung.name for rung in self.plan.rungs if self._fed(rung) and rung.name not in fed_before]
            self._lock.notify_all()
        for name in fed:
            self._tell(RungFed(name))
        self._tell(Changed(self.status()))

    def _failed(self, task: Task, reason: str) -> None:
        log.warning("%s chunk %d: %s", "+".join(task.renditions), task.chunk, reason)
        with self._lock:
            self._board.ended(task)
            for name in task.renditions:
                self._board.fail(name, task.chunk, reason)
            self._lock.notify_all()
        for name in task.renditions:
            self._tell(Failed(name, task.chunk, reason))
        self._tell(Changed(self.status()))

    def _put_back(self, task: Task) -> None:
        with self._lock:
            self._board.ended(task)

    def _interrupted(self, task: Task, error: FfmpegInterrupted) -> None:
        with self._lock:
            times = self._interruptions[task] = self._interruptions.get(task, 0) + 1
        if times >= MAX_INTERRUPTIONS:
            self._failed(task, f"ffmpeg was ended {times} times while making it: {error}")
            return
        log.info("%s chunk %d will be made again: %s", "+".join(task.renditions), task.chunk, error)
        self._put_back(task)

    def _give_up(self, reason: str) -> None:
        with self._lock:
            self._error = self._error or reason
            self._lock.notify_all()
        self._stop.set()
        self._tell(Changed(self.status()))

    def _on_published(self, name: str) -> None:
        with self._lock:
            self._tally.publish(name)
        self._tell(Published(name))

    def _tell(self, event: Event) -> None:
        with self._lock:
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback(event)

    # State, read with the lock held

    @property
    def _over(self) -> bool:
        return self._board.settled or self._error is not None

    def _fed(self, rung: Rung) -> bool:
        lead = self.plan.lead_rung
        return (
            rung.method == "copy"
            or (lead is not None and rung.name == lead.name)
            or self._board.complete(rung.name)
        )

    def _status(self) -> Status:
        speed, eta_s = self._tally.pace()
        failures = self._board.failures
        error = self._error or next(iter(failures.values()), None)
        over = self._over
        state: State = "encoding" if not over else ("failed" if error else "finished")
        return Status(
            state=state,
            progress=1.0 if state == "finished" else self._tally.progress,
            eta_s=0.0 if over else eta_s,
            speed=speed,
            warnings=tuple(self._tally.warnings),
            error=error,
        )

    def _resume(self) -> None:
        before = self._records.read_plan()
        if before is not None:
            with suppress(ValueError):  # a plan of another version, or half a file: nothing of it is used
                self._records.forget(from_json(before), kept=self.plan)
        self._records.write_plan(to_json(self.plan))
        for rendition in self.plan.renditions:
            for chunk in range(rendition.timeline.chunk_count):
                if (found := self._records.read(rendition, chunk)) is None:
                    continue
                made, warnings = found
                self._board.done(rendition.name, chunk)
                self._tally.restore(made, warnings)
