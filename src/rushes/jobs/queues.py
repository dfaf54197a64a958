"""The one table of queues and priorities, and what settings change in it.

A worker's slots per queue are upper bounds: CPU slots govern ffmpeg. A queue for whose kinds nobody has handlers is
empty, and no error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from django.conf import settings

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


class Priority(IntEnum):
    """Lower goes first; within one priority the older job."""

    WAITED_FOR = 0  # somebody's player holds a request for it
    FIRST = 10  # a video is not playable before it
    AHEAD = 20  # a viewer will ask for it soon
    CONTROL = 30
    BACKGROUND = 50


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A named queue: how many of its jobs one worker runs at once, how often and how long a job may try, and how long
    it is remembered."""

    name: str
    concurrency: int
    attempts: int = 3  # in all: so many failures are the end of a job
    backoff_s: float = 2.0  # after the first failure; doubled with every further one
    limit_s: float = (
        HOUR_S  # of one attempt, from its claim; what takes longer has failed. A kind may have its own
    )
    keep_completed_s: float = DAY_S
    keep_completed: int = 1_000  # the newest; the others go before their time
    keep_failed_s: float = 7 * DAY_S


#: Ingest and finalise have slots of their own, so that chunks never starve them; so has what somebody waits for.
#: A source of many gigabytes is copied by its ingest, and read through by finalise.
CONTROL = Queue(name="control", concurrency=2, limit_s=6 * HOUR_S)
WAITING = Queue(name="video:waiting", concurrency=3)
TRANSCODE = Queue(name="video:transcode", concurrency=2)
TRICKPLAY = Queue(name="video:trickplay", concurrency=2)
SUBTITLE = Queue(name="video:subtitle", concurrency=4)
POSTER = Queue(name="image:poster", concurrency=4)
SPRITE = Queue(name="image:sprite", concurrency=2)
OPTIMIZE = Queue(name="image:optimize", concurrency=4)

#: By name, before settings change them; `table` has what holds.
QUEUES: dict[str, Queue] = {
    queue.name: queue
    for queue in (CONTROL, WAITING, TRANSCODE, TRICKPLAY, SUBTITLE, POSTER, SPRITE, OPTIMIZE)
}

#: What settings may change, each from its lowest to its highest value.
CHANGEABLE: dict[str, tuple[float, float]] = {
    "concurrency": (1, 1_000),
    "attempts": (1, 100),
    "backoff_s": (0.0, DAY_S),
    "limit_s": (1.0, 30 * DAY_S),
    "keep_completed_s": (0.0, 3_650 * DAY_S),
    "keep_completed": (0, 1_000_000),
    "keep_failed_s": (0.0, 3_650 * DAY_S),
}
_OF_ALL = "*"


class UnknownQueue(ValueError):
    """No queue of that name; the message lists those that there are."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no queue {name!r}; there are {', '.join(QUEUES)}.")


def queue_named(name: str) -> Queue:
    """A queue as the settings have it; of a name that the table does not know (any more) with its defaults."""
    changes: Mapping[str, Any] = settings.JOBS_QUEUES.get(name, {})
    queue = QUEUES.get(name) or Queue(name=name, concurrency=1)
    return replace(queue, **changes) if changes else queue


def table() -> dict[str, Queue]:
    """Every queue as the settings have it, by name."""
    return {name: queue_named(name) for name in QUEUES}


def parse_changes(text: str) -> dict[str, dict[str, float]]:
    """`video:transcode concurrency=4 attempts=5; * keep_failed_s=86400` as `{queue: {field: value}}`.

    `*` is every queue; what is said of one goes before it. Raises ValueError, UnknownQueue for a name of none.
    """
    told: dict[str, dict[str, float]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, *words = part.split()
        if name != _OF_ALL and name not in QUEUES:
            raise UnknownQueue(name)
        if not words:
            raise ValueError(f"Nothing is said of {name}; write for example {name} concurrency=2 attempts=5.")
        for word in words:
            field, value = _change(word)
            if field in told.setdefault(name, {}):
                raise ValueError(f"{field} of {name} is given twice.")
            told[name][field] = value
    general = told.pop(_OF_ALL, {})
    return {name: general | told.get(name, {}) for name in QUEUES if general or name in told}


def _change(word: str) -> tuple[str, float]:
    field, _, value = word.partition("=")
    if field not in CHANGEABLE:
        raise ValueError(f"{word!r}: write one of {', '.join(CHANGEABLE)}, each with = and a number.")
    lowest, highest = CHANGEABLE[field]
    whole = isinstance(lowest, int)
    if re.fullmatch(r"[0-9]{1,12}" if whole else r"[0-9]{1,12}(\.[0-9]{1,6})?", value):
        number = int(value) if whole else float(value)
        if lowest <= number <= highest:
            return field, number
    what = "a whole number" if whole else "seconds"
    raise ValueError(f"{word!r}: write {what} from {lowest:.0f} to {highest:.0f}.")
