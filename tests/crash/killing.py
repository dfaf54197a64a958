"""Kills web, worker and ffmpeg processes of an instance at random moments, and keeps it busy meanwhile."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from tests.crash.instance import Api, Instance, Kind

UPLOAD_LIMIT_S = 120.0
FIND_LIMIT_S = 60.0
LOOK_S = 1.0
BUSY = 2  # videos that are being worked on whenever something is killed
_KINDS: tuple[Kind, ...] = ("web", "worker", "ffmpeg")


@dataclass
class Killer:
    """`seed` decides what is killed, and how long after the last kill; never less than `shortest_s`."""

    instance: Instance
    seed: int
    shortest_s: float = 0.1
    longest_s: float = 2.0
    killed: Counter[Kind] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._order: list[Kind] = []

    def kill_one(self, keep_busy: Callable[[], None]) -> None:
        """Wait a random moment and kill one process; each kind comes as often as the others.

        `keep_busy` is called now and then while there is none of the kind: all may be done, and no ffmpeg run.
        """
        time.sleep(self._rng.uniform(self.shortest_s, self.longest_s))
        if not self._order:
            self._order = [*_KINDS]
            self._rng.shuffle(self._order)
        kind = self._order.pop()
        left_s = FIND_LIMIT_S
        while left_s > 0:
            looked_at_s = time.monotonic()
            while time.monotonic() < looked_at_s + LOOK_S:
                with suppress(psutil.NoSuchProcess, IndexError):
                    process = self._rng.choice(self.instance.processes(kind))
                    process.kill()
                    self.killed[kind] += 1
                    return
                time.sleep(0.005)
            left_s -= LOOK_S
            keep_busy()
        raise AssertionError(
            f"no {kind} process to kill for {FIND_LIMIT_S:g} s\n{self.instance.log.read_text()[-3000:]}"
        )


class Uploads:
    """Sources, uploaded one after the other and again from the first; a cut upload is sent again."""

    def __init__(self, api: Api, sources: Sequence[Path], uploaded: Callable[[str], None]) -> None:
        self._api, self._sources, self._uploaded = api, sources, uploaded
        self._count = 0

    def one(self) -> None:
        """Send the next source; its path is the video's title."""
        source = self._sources[self._count % len(self._sources)]
        self._count += 1
        deadline_s = time.monotonic() + UPLOAD_LIMIT_S
        while True:
            try:
                self._uploaded(self._api.upload(source, str(source))["public_id"])
                return
            except httpx.TransportError:
                # Cut off before the answer: whether there is a video now only the list tells, so it may become two.
                assert time.monotonic() < deadline_s, "no upload goes through"

    def keep_busy(self) -> None:
        """Send another where too few are being worked on."""
        unfinished = self.unfinished()
        if unfinished is not None and unfinished < BUSY:
            self.one()

    def unfinished(self) -> int | None:
        """How many videos are being worked on; None where nobody answers just now."""
        with suppress(httpx.TransportError):
            return sum(video["status"] not in ("ready", "failed") for video in self._api.videos())
        return None
