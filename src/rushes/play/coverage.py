"""Which parts of each rendition are there, as the page draws them."""

from __future__ import annotations

from collections.abc import Callable

from rushes.engine.plan import Plan, locate

#: Of the time line: finer than a pixel of any strip that a page draws.
DIGITS = 4


class Coverage:
    """Published segments per rendition. Not thread-safe: it lives on the event loop."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._there = {r.name: bytearray(r.timeline.segment_count) for r in plan.renditions}
        self._spans: dict[str, list[tuple[float, float]]] = {}  # of the renditions that did not change since

    def add(self, name: str) -> None:
        """Note a published file; names of init segments and unknown ones change nothing."""
        try:
            rendition, number = locate(self._plan, name)
        except KeyError:
            return
        if number is not None:
            self._there[rendition.name][number] = 1
            self._spans.pop(rendition.name, None)

    def scan(self, published: Callable[[str], bool]) -> None:
        """Ask for every segment of the plan whether it is there."""
        for rendition in self._plan.renditions:
            for number in range(rendition.timeline.segment_count):
                if published(rendition.segment_name(number)):
                    self._there[rendition.name][number] = 1
        self._spans.clear()

    def spans(self, rendition: str) -> list[tuple[float, float]]:
        """The parts of the time line that are there: (start, end), each from 0 to 1, in order, apart."""
        spans = self._spans.get(rendition)
        if spans is None:
            spans = self._spans[rendition] = self._find_spans(rendition)
        return spans

    def _find_spans(self, rendition: str) -> list[tuple[float, float]]:
        bounds = self._plan.rendition(rendition).timeline.bounds
        there = self._there[rendition]
        spans: list[tuple[float, float]] = []
        start = there.find(1)
        while start >= 0:
            end = there.find(0, start)
            end = len(there) if end < 0 else end
            spans.append((round(bounds[start] / bounds[-1], DIGITS), round(bounds[end] / bounds[-1], DIGITS)))
            start = there.find(1, end)
        return spans
