"""Runs that read what is finished: ffmpeg over pipes which the store's segments are fed through, never over files."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from .feeding import fed
from .plan import AudioTrack, Rung
from .process import Cancelled, Limits, ffmpeg_argv, start
from .store import SegmentStore

_LOOK_S = 0.1  # how often cancellation is looked at


@dataclass(frozen=True, kw_only=True)
class Reel:
    """One input of a run: these segments of a complete rendition, through the pipe of that name in the run's folder."""

    pipe: str
    rendition: Rung | AudioTrack
    segments: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Where things are made from finished segments: the program, the shelf of segments, and room to work."""

    ffmpeg: Path
    store: SegmentStore
    scratch: Path
    cancel: threading.Event | None = None


def run_over(reels: Sequence[Reel], body: Sequence[str], folder: Path, desk: Desk, limits: Limits) -> None:
    """Run ffmpeg with `body`, which names the pipes as inputs, in `folder`.

    Raises FileNotFoundError where a segment is missing, Cancelled, and what `FfmpegRun.wait` raises.
    """
    with ExitStack() as stack:
        feeds = [
            stack.enter_context(fed(folder / reel.pipe, reel.rendition, desk.store, reel.segments))
            for reel in reels
        ]
        argv = ffmpeg_argv(desk.ffmpeg, body)
        with start(argv, scratch=folder, limits=limits) as run:
            while not run.wait_for(_LOOK_S):
                if desk.cancel is not None and desk.cancel.is_set():
                    run.cancel()
                    run.wait()
                    raise Cancelled("nobody needs this any more")
            for feed in feeds:
                feed.check()  # the cause, where there is one; what ffmpeg says of it comes second
            run.wait()
