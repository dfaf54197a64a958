"""Published segments as one file that ffmpeg reads: a named pipe, so that nothing is written to disk a second time."""

from __future__ import annotations

import os
import threading
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .cmaf import first_samples, track_defaults
from .plan import AudioTrack, Rung
from .store import SegmentStore

_LOOK_S = 0.01  # how often it is looked whether somebody reads; ffmpeg opens its inputs one after the other


class Feed:
    """A named pipe at `path` that a thread fills; `check` says afterwards whether all of it could be had."""

    def __init__(self, path: Path, blocks: Iterable[bytes]) -> None:
        self.path = path
        self._blocks = blocks
        self._error: BaseException | None = None
        self._over = threading.Event()
        os.mkfifo(path, 0o600)
        self._thread = threading.Thread(target=self._fill, name=f"feed {path.name}", daemon=True)

    def check(self) -> None:
        """Once the reader has ended: raise what kept the feed from giving all; to the reader it was the file's end."""
        self._over.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _fill(self) -> None:
        try:
            descriptor = self._open()
            if descriptor is None:
                return
            # The reader has enough, or has died: that is its own story.
            with suppress(BrokenPipeError), os.fdopen(descriptor, "wb", buffering=0) as pipe:
                for block in self._blocks:
                    view = memoryview(block)
                    while view:
                        view = view[pipe.write(view) :]
        except BaseException as error:  # handed to whoever checks
            self._error = error

    def _open(self) -> int | None:
        # Not a blocking open: a reader that dies before it opens the pipe would leave us here for good.
        while True:
            with suppress(OSError):  # ENXIO: nobody reads yet
                descriptor = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
                os.set_blocking(descriptor, True)
                return descriptor
            if self._over.wait(_LOOK_S):
                return None

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Whoever leaves has ended the reader: a write that still waits ends with a broken pipe."""
        self._over.set()
        self._thread.join()


@contextmanager
def fed(
    path: Path,
    rendition: Rung | AudioTrack,
    store: SegmentStore,
    segments: Iterable[int],
    *,
    cut: Container[int] = (),
) -> Iterator[Feed]:
    """A pipe at `path` that gives the rendition's init segment and these segments, one in memory at a time.

    Of those in `cut` it gives the first sample of each fragment alone.
    """

    def blocks() -> Iterator[bytes]:
        init = store.read(rendition.init_name)
        defaults = track_defaults(init)
        yield init
        for number in segments:
            segment = store.read(rendition.segment_name(number))
            yield first_samples(segment, defaults) if number in cut else segment

    with Feed(path, blocks()) as feed:
        yield feed
