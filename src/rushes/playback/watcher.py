"""Notices for all requests that wait: files that workers have published, chunks that will never come, plans.

Workers are other processes, so the file itself is asked for: one thread looks at every distinct name, however many
requests wait for it. Beside it, so that a slow database delays no look, one query a second asks what has failed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from starlette.types import Receive

from rushes.pipeline.building import LIVING
from rushes.videos.models import Chunk, Encode, Video, VideoStatus

from .lookups import Lookups
from .waiting import MISSING, PUBLISHED, Outcome, Waits

log = logging.getLogger(__name__)

LOOK_S = 0.025
#: Of the time at most this part goes into looking: with thousands of names looks are rarer.
SHARE = 0.05
#: How often it is asked what has failed, and, while somebody waits for one, whether there is a plan.
ASK_S = 1.0
ASK_FOR_PLANS_S = 0.25
#: Of an encode that another has replaced before it was complete: nobody makes the rest of it.
OVER = Outcome("failed", "a newer version of this video has taken its place; load it again")


@dataclass(frozen=True)
class Wanted:
    """A file of a plan that is not there yet."""

    path: Path
    encode_id: int
    rendition: str
    chunk: int  # that brings it


class Watcher:
    """Lives on the event loop; it works only while somebody waits."""

    def __init__(self, lookups: Lookups, hold_s: float) -> None:
        self.waits: Waits[Wanted] = Waits(hold_s)
        self.plans: Waits[str] = Waits(hold_s)  # by public id
        self._lookups = lookups
        self._looking: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None

    async def wait(self, wanted: Wanted, receive: Receive) -> Outcome:
        """Wait until the file is there, will never be, or the longest wait is over."""
        return await self.waits.wait(wanted, receive, self._begin)

    async def wait_for_plan(self, public_id: str, receive: Receive) -> Outcome:
        """Wait until the video has a plan, or has failed: both are "published"."""
        return await self.plans.wait(public_id, receive, self._begin)

    def close(self) -> None:
        """End every wait."""
        self.waits.close()
        self.plans.close()

    def _begin(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._ask())

    async def _look(self) -> None:
        while keys := self.waits.keys:
            there, spent_s = await asyncio.to_thread(_there, keys)
            for wanted in there:
                self.waits.settle(wanted, PUBLISHED)
            await asyncio.sleep(max(LOOK_S, spent_s * (1 / SHARE - 1)))

    async def _ask(self) -> None:
        asked_at_s = -ASK_S
        while self.waits.count or self.plans.count:
            try:
                if plans := self.plans.keys:
                    await self._ask_for_plans(plans)
                if (keys := self.waits.keys) and time.monotonic() - asked_at_s >= ASK_S:
                    asked_at_s = time.monotonic()
                    await self._ask_for_failures(keys)
            except Exception as error:  # a database that is away ends no wait
                log.warning("what is waited for could not be asked for: %s", error)
            await asyncio.sleep(ASK_FOR_PLANS_S if self.plans.count else ASK_S)

    async def _ask_for_plans(self, public_ids: Collection[str]) -> None:
        found = await self._lookups.ask(_planned, public_ids)
        for public_id in public_ids:
            if public_id not in found:
                self.plans.settle(public_id, MISSING)
            elif found[public_id]:
                self.plans.settle(public_id, PUBLISHED)

    async def _ask_for_failures(self, keys: Collection[Wanted]) -> None:
        states, failed = await self._lookups.ask(_fate, {wanted.encode_id for wanted in keys})
        for wanted in keys:
            state = states.get(wanted.encode_id)
            if state is None:
                self.waits.settle(wanted, MISSING)
            elif state not in LIVING:
                self.waits.settle(wanted, OVER)
            elif reason := failed.get((wanted.encode_id, wanted.rendition, wanted.chunk)):
                self.waits.settle(wanted, Outcome("failed", reason))


def _there(keys: Collection[Wanted]) -> tuple[list[Wanted], float]:
    # The thread's own time: on a machine that is busy with encoding, looks must not become rare.
    began_s = time.thread_time()
    found = [wanted for wanted in keys if wanted.path.is_file()]
    return found, time.thread_time() - began_s


def _planned(public_ids: Collection[str]) -> dict[str, bool]:
    """Of the videos that there are, whether the wait for their plan is over."""
    rows = Video.objects.filter(public_id__in=public_ids)
    return {
        public_id: encode is not None or status == VideoStatus.FAILED
        for public_id, encode, status in rows.values_list("public_id", "active_encode_id", "status")
    }


def _fate(encodes: set[int]) -> tuple[dict[int, str], dict[tuple[int, str, int], str]]:
    states = dict(Encode.objects.filter(pk__in=encodes).values_list("pk", "state"))
    rows = Chunk.objects.filter(rendition__encode__in=encodes, state="failed")
    failed = {
        (encode, name, index): reason or "this part can't be made"
        for encode, name, index, reason in rows.values_list(
            "rendition__encode_id", "rendition__name", "index", "reason"
        )
    }
    return states, failed
