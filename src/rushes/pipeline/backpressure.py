"""How many videos may stand in line. Past that no more are taken, if possible before their bytes are sent.

Who was given a place is never refused afterwards. Within one process the limit is exact: a place is counted from before
the first byte until the video stands in line itself. What other web processes are receiving is not seen, so that N of
them can go above it by what the other N - 1 receive at that moment.
"""

from __future__ import annotations

import threading

from django.conf import settings

from rushes.jobs.ledger import groups_in_line

from . import outputs

#: What a video has open until it is ready. Nothing else (files that are removed, say) keeps uploads waiting.
KINDS = ("ingest", "chunk", *outputs.KINDS, "finalise")
RETRY_AFTER_S = 60


class LineIsFull(Exception):
    """No more videos are taken now; the message is for whoever has sent one."""

    def __init__(self, limit: int) -> None:
        before = (
            "A video that came before yours is"
            if limit == 1
            else f"{limit} videos that came before yours are"
        )
        super().__init__(f"{before} still being worked on, and no more can wait. Try again in a minute.")
        self.retry_after_s = RETRY_AFTER_S


_lock = threading.Lock()
_taken = 0


class Place:
    """A place for one upload, from before its first byte until it is a video, or does not come."""

    def __init__(self) -> None:
        self._held = self._left = False

    def take(self) -> None:
        """Take it. Raises LineIsFull."""
        global _taken
        with _lock:
            check(_taken)
            # Not for one who has gone meanwhile: a request that is cancelled does not stop the thread that asks for it.
            self._held = not self._left
            _taken += self._held

    def leave(self) -> None:
        """Give it back, where it was taken."""
        global _taken
        with _lock:
            _taken -= self._held
            self._held, self._left = False, True


def places_taken() -> int:
    """How many uploads are on their way to this process."""
    return _taken


def check(coming: int = 0) -> None:
    """Whether another may come, beside those that are `coming`. Raises LineIsFull."""
    limit = settings.RUSHES_QUEUE_LIMIT
    if coming >= limit or coming + groups_in_line(KINDS, most=limit) >= limit:
        raise LineIsFull(limit)
