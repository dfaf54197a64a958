"""What a session has published so far, and how far that is. Plain bookkeeping; its owner holds a lock."""

from __future__ import annotations

import time
from collections.abc import Iterable

from .assembly import Made
from .encoders import Codec
from .plan import Plan, Rung, locate


class Tally:
    """Published names, segment sizes, warnings and progress of one plan.

    Progress counts pixels: a second of 1080p weighs nine times a second of 360p, and a copy next to nothing.
    """

    def __init__(self, plan: Plan) -> None:
        self.published: set[str] = set()
        self.warnings: list[str] = list(plan.warnings)
        self._plan = plan
        self._made: dict[str, dict[int, Made]] = {r.name: {} for r in plan.renditions}
        self._weights = weights_of(plan)
        self._done = self._done_before = 0.0
        self._started_s: float | None = None

    def start(self) -> None:
        """The clock of speed and ETA starts; what was there before does not count for them."""
        self._started_s = time.monotonic()
        self._done_before = self._done

    def publish(self, name: str) -> None:
        """A file is there. Raises KeyError outside the plan."""
        rendition, segment = locate(self._plan, name)
        if segment is not None and name not in self.published:
            self._done += self._weights[rendition.name] * float(
                rendition.timeline.segment_duration_s(segment)
            )
        self.published.add(name)

    def commit(self, made: Made, warnings: Iterable[str]) -> None:
        """A chunk is whole and recorded."""
        self._made[made.rendition][made.chunk] = made
        self.warnings += [warning for warning in dict.fromkeys(warnings) if warning not in self.warnings]

    def restore(self, made: Made, warnings: Iterable[str]) -> None:
        """A chunk that an earlier session made."""
        rendition = self._plan.rendition(made.rendition)
        self.commit(made, warnings)
        self.publish(rendition.init_name)
        for number in rendition.timeline.chunk_segments(made.chunk):
            self.publish(rendition.segment_name(number))

    def segment_bytes(self, rendition: str) -> tuple[int, ...]:
        """Sizes of the rendition's committed segments, in order."""
        chunks = self._made[rendition]
        return tuple(size for chunk in sorted(chunks) for size in chunks[chunk].segment_bytes)

    def keyframe_bytes(self, rendition: str) -> tuple[int, ...]:
        """How much of each committed segment holds its first picture, in order; nothing for sound."""
        chunks = self._made[rendition]
        return tuple(size for chunk in sorted(chunks) for size in chunks[chunk].keyframe_bytes)

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        total = self._total
        return min(1.0, self._done / total) if total else 1.0

    def pace(self) -> tuple[float | None, float | None]:
        """Seconds of video finished per second, and what the rest takes at that; None before anything is done."""
        done = self._done - self._done_before
        if self._started_s is None or done <= 0:
            return None, None
        per_s = done / (time.monotonic() - self._started_s)
        return per_s / sum(self._weights.values()), max(0.0, (self._total - self._done) / per_s)

    @property
    def _total(self) -> float:
        return sum(self._weights.values()) * float(self._plan.duration_s)


#: CPU of an encoded picture, that of x264 being 1 (benchmarks/bench_codecs.py).
CODEC_COSTS: dict[Codec, float] = {"h264": 1.0, "hevc": 3.0, "av1": 1.2}


def weights_of(plan: Plan) -> dict[str, float]:
    """What a second of each rendition costs, roughly, in pixels."""
    weights: dict[str, float] = {}
    for rendition in plan.renditions:
        if isinstance(rendition, Rung):
            pixels = rendition.width * rendition.height
            cost = CODEC_COSTS[rendition.codec] if rendition.method == "encode" else 0.01
            weights[rendition.name] = pixels * cost
        else:
            weights[rendition.name] = 20_000.0 if rendition.method == "encode" else 1_000.0
    return weights
