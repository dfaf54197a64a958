"""How much of an encode is settled, without a look at every chunk of it: 12 hours have 5,400 in each rendition.

All chunks below a rendition's mark (`settled_until`) are done or have failed; only those from there on are read. What
is deleted goes through `forget`, which sets the mark back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import F, QuerySet

from rushes.videos.models import Chunk, Encode, Rendition

Place = tuple[str, int]  # rendition and chunk


@dataclass(frozen=True, kw_only=True)
class Settled:
    """Chunks that are done or have failed: all below `until`, by rendition, and those `beyond`."""

    until: Mapping[str, int]
    beyond: frozenset[Place]
    failed: frozenset[Place]

    def done(self) -> Counter[str]:
        """How many chunks of each rendition are there."""
        counts = Counter(self.until)
        counts.update(name for name, _ in self.beyond)
        counts.subtract(name for name, _ in self.failed)
        return counts

    def count(self) -> int:
        """How many chunks are settled, of all renditions."""
        return sum(self.until.values()) + len(self.beyond)

    def begun(self) -> set[Place]:
        """Of the first chunks those that are done."""
        return {
            (name, 0)
            for name, until in self.until.items()
            if (until > 0 or (name, 0) in self.beyond) and (name, 0) not in self.failed
        }


def settled_of(encode: Encode) -> Settled:
    """What is settled of an encode, whose row is locked; marks and counts of its renditions are brought up to it."""
    rows = {row.name: row for row in encode.renditions.all()}
    chunks = Chunk.objects.filter(rendition__encode=encode)
    ahead = set(
        chunks.filter(index__gte=F("rendition__settled_until")).values_list("rendition__name", "index")
    )
    until = {}
    for name, row in rows.items():
        mark = row.settled_until
        while (name, mark) in ahead:
            ahead.remove((name, mark))
            mark += 1
        until[name] = mark
    failed = chunks.filter(state="failed").values_list("rendition__name", "index")
    settled = Settled(until=until, beyond=frozenset(ahead), failed=frozenset(failed))
    done = settled.done()
    for name, row in rows.items():
        if (row.settled_until, row.chunks_done) != (until[name], done[name]):
            row.settled_until, row.chunks_done = until[name], done[name]
            row.save(update_fields=["settled_until", "chunks_done"])
    return settled


def forget(chunks: QuerySet[Chunk]) -> None:
    """Delete chunks: they are to be made. Their encode is locked by the caller."""
    renditions = set(chunks.values_list("rendition", flat=True))
    chunks.delete()
    Rendition.objects.filter(pk__in=renditions).update(settled_until=0)
