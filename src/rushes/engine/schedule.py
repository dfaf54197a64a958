"""What to make next: pure bookkeeping of a plan's chunks, without threads, files or clocks.

Two kinds of hands take work from a `Board`. Urgent ones make what somebody waits for and nothing else, so that they are
free when the next wish comes. Background ones make first what a viewer will ask for next, the copied rung, the sound
and the lead rung, each alone, because alone a chunk is there five times sooner than in the ladder; then everything,
in playing order. A chunk made twice by both is the same bytes: harmless.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from .plan import AudioTrack, Plan, Rung
from .settings import SEGMENT_S

Kind = Literal["copy", "audio", "ladder"]

AHEAD_S = SEGMENT_S * 8  # how far before a viewer the lead rung and the sound are made
#: Where nobody watches, sound follows the picture by this much: its chunks are short, and the last of them keep all
#: hands busy while the last pictures are being made. Measured: 1 % of the wall time of a minute.
SOUND_BEHIND_S = SEGMENT_S * 16


@dataclass(frozen=True, kw_only=True)
class Task:
    """Make chunk `chunk` of `renditions` (names) in one process: several only for a ladder."""

    kind: Kind
    renditions: tuple[str, ...]
    chunk: int


class Board:
    """Which chunks are done, in work, wanted or failed. Not thread-safe: its owner holds a lock."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._of = {rendition.name: rendition for rendition in plan.renditions}
        self._open = {name: set(range(r.timeline.chunk_count)) for name, r in self._of.items()}
        self._failed: dict[tuple[str, int], str] = {}
        self._running: list[Task] = []
        self._wanted: dict[tuple[str, int], None] = {}  # insertion order: the newest want is last
        self._position_s = Fraction(0)
        self._lead = plan.lead_rung.name if plan.lead_rung else None
        self._next_to_do = dict.fromkeys(self._open, 0)  # everything before is done or failed

    def want(self, name: str, segment: int) -> None:
        """Somebody waits for a segment: its chunk goes before everything else, and so do those that follow it."""
        rendition = self._of[name]
        chunk = rendition.timeline.chunk_of(segment)
        self._position_s = rendition.timeline.start_s(segment)
        if chunk in self._open[name]:
            self._wanted.pop((name, chunk), None)
            self._wanted[name, chunk] = None

    def want_any(self, name: str) -> None:
        """Somebody waits for the init segment: the chunk at the viewer's position brings it."""
        timeline = self._of[name].timeline
        self.want(name, timeline.segment_at(self._position_s))

    def move(self, name: str, segment: int) -> None:
        """The viewer is served from what is there already: work goes on ahead of that."""
        self._position_s = self._of[name].timeline.start_s(segment)

    def done(self, name: str, chunk: int) -> None:
        """The chunk is published and committed."""
        self._open[name].discard(chunk)
        self._wanted.pop((name, chunk), None)

    def fail(self, name: str, chunk: int, reason: str) -> None:
        """The chunk will never come."""
        if chunk in self._open[name]:
            self.done(name, chunk)
            self._failed[name, chunk] = reason

    def failure(self, name: str, segment: int | None) -> str | None:
        """Why that segment (the init segment: any of the rendition's) will never come, or None."""
        if segment is not None:
            return self._failed.get((name, self._of[name].timeline.chunk_of(segment)))
        reasons = [reason for (failed, _), reason in self._failed.items() if failed == name]
        return reasons[-1] if len(reasons) == self._of[name].timeline.chunk_count else None

    @property
    def failures(self) -> dict[tuple[str, int], str]:
        """Reasons by rendition and chunk."""
        return dict(self._failed)

    def complete(self, name: str) -> bool:
        """Every chunk is there."""
        return not self._open[name] and not any(failed == name for failed, _ in self._failed)

    @property
    def settled(self) -> bool:
        """Nothing is left to be made, by success or failure."""
        return not any(self._open.values())

    def started(self, task: Task) -> None:
        """Somebody makes it now."""
        self._running.append(task)

    def ended(self, task: Task) -> None:
        """Nobody makes it any more, whatever came of it."""
        self._running.remove(task)

    def next_urgent(self) -> Task | None:
        """What somebody waits for, the newest wish first."""
        return next(filter(None, (self._alone(name, chunk) for name, chunk in reversed(self._wanted))), None)

    def is_wanted(self, task: Task) -> bool:
        """Whether somebody waits for just this; urgent hands make something bigger apart."""
        return len(task.renditions) == 1 and (task.renditions[0], task.chunk) in self._wanted

    def next_background(self, *, lead_first: bool) -> Task | None:
        """The next chunk in playing order; with `lead_first` what a viewer needs first, then the ladder.

        Without `lead_first` the sound comes `SOUND_BEHIND_S` after its picture.
        """
        if task := self.next_urgent():
            return task
        if lead_first and (task := next(self._ahead(), None)):
            return task
        behind_s = Fraction(0 if lead_first else SOUND_BEHIND_S)
        return min(self._rest(behind_s), key=lambda found: found[0], default=(None, None))[1]

    def _alone(self, name: str, chunk: int) -> Task | None:
        """One rendition's chunk by itself, unless it is done or a process of its own is making it already."""
        rendition = self._of[name]
        if chunk not in self._open[name]:
            return None
        task = Task(kind=_kind(rendition), renditions=(name,), chunk=chunk)
        return None if task in self._running else task

    def _ahead(self) -> Iterator[Task]:
        """From the viewer's position on: copied rung, sound and lead rung, the earliest first."""
        found: list[tuple[Fraction, int, Task]] = []
        for name, rendition in self._of.items():
            if rendition.method == "encode" and isinstance(rendition, Rung) and name != self._lead:
                continue
            timeline = rendition.timeline
            for chunk in range(
                timeline.chunk_of(timeline.segment_at(self._position_s)), timeline.chunk_count
            ):
                start_s = timeline.start_s(timeline.chunks[chunk])
                if start_s >= self._position_s + AHEAD_S:
                    break
                if (task := self._alone(name, chunk)) and not self._in_work(name, chunk):
                    found.append((start_s, _RANK[task.kind], task))
                    break
        yield from (task for _, _, task in sorted(found, key=lambda entry: entry[:2]))

    def _rest(self, sound_behind_s: Fraction) -> Iterator[tuple[tuple[Fraction, int], Task]]:
        """The first chunk that nobody makes, of each copy, each track and the ladder, with its turn."""
        for name, rendition in self._of.items():
            if _kind(rendition) == "ladder":
                continue
            chunk = self._first_free(name)
            if chunk is not None:
                timeline = rendition.timeline
                task = Task(kind=_kind(rendition), renditions=(name,), chunk=chunk)
                behind_s = sound_behind_s if task.kind == "audio" else 0
                yield (timeline.start_s(timeline.chunks[chunk]) + behind_s, _RANK[task.kind]), task
        for number, ladder in enumerate(self._plan.ladders):
            encoded = [rung.name for rung in ladder]
            free = {name: self._first_free(name) for name in encoded}
            chunk = min((c for c in free.values() if c is not None), default=None)
            if chunk is not None:
                names = tuple(n for n in encoded if chunk in self._open[n] and not self._in_work(n, chunk))
                timeline = ladder[0].timeline
                task = Task(kind="ladder", renditions=names, chunk=chunk)
                # A ladder after the first comes when that is made: every player plays by then.
                after_s = number * (self._plan.duration_s + sound_behind_s)
                yield (timeline.start_s(timeline.chunks[chunk]) + after_s, _RANK["ladder"]), task

    def _first_free(self, name: str) -> int | None:
        opened, first = self._open[name], self._next_to_do[name]
        if not opened:
            return None
        while first not in opened:
            first += 1
        self._next_to_do[name] = first
        chunks = range(first, self._of[name].timeline.chunk_count)
        return next((c for c in chunks if c in opened and not self._in_work(name, c)), None)

    def _in_work(self, name: str, chunk: int) -> bool:
        return any(task.chunk == chunk and name in task.renditions for task in self._running)


#: At the same moment of the video: what is cheap first.
_RANK: dict[Kind, int] = {"copy": 0, "audio": 1, "ladder": 2}


def _kind(rendition: Rung | AudioTrack) -> Kind:
    if isinstance(rendition, AudioTrack):
        return "audio"
    return "copy" if rendition.method == "copy" else "ladder"
