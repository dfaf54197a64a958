"""How many jobs of each queue a worker runs at once."""

from __future__ import annotations

import re

from .queues import UnknownQueue, table


def default_slots() -> dict[str, int]:
    """Slots of every queue, as the table says."""
    return {queue.name: queue.concurrency for queue in table().values()}


def parse_slots(text: str) -> dict[str, int]:
    """`a=2,b=1` (`b` alone: as many as the table says). Raises UnknownQueue or ValueError."""
    slots: dict[str, int] = {}
    queues = table()
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, sign, count = (word.strip() for word in part.partition("="))
        if name not in queues:
            raise UnknownQueue(name)
        if name in slots:
            raise ValueError(f"{name} is given twice.")
        if sign and not re.fullmatch(r"[1-9][0-9]{0,3}", count):
            raise ValueError(
                f"{part!r}: write a queue and how many of its jobs may run at once, as {name}=2."
            )
        slots[name] = int(count) if sign else queues[name].concurrency
    if not slots:
        raise ValueError("No queue is named.")
    return slots


__all__ = ["UnknownQueue", "default_slots", "parse_slots"]
