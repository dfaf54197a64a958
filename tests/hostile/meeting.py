"""A file meets the engine, from the probe to its first and last chunks, and what comes of it is one of few things."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from rushes.engine import EngineError
from rushes.engine.binaries import toolchain
from rushes.engine.child import Child
from rushes.engine.chunk import Bench, Watch, make_audio_chunk, make_copy_chunk, make_video_chunk
from rushes.engine.plan import Plan
from rushes.engine.prepare import prepared
from rushes.engine.settings import Settings
from rushes.engine.store import FolderStore

#: A ladder of one small rung: what is asked is whether a file does harm, not how its ladder looks.
SETTINGS = Settings(rungs=(144,))


@dataclass(frozen=True, kw_only=True)
class Met:
    """What came of it: a plan whose edges could be made, or a sentence that says why not."""

    plan: Plan | None = None
    sentence: str = ""
    refused: bool = False  # before any plan
    wall_s: float = 0.0
    peak_bytes: int = 0  # the most that one program held
    warnings: tuple[str, ...] = ()


def meet(path: Path, folder: Path, *, encode: bool = True) -> Met:
    """Probe and plan the file and make its first and last chunks of picture and sound.

    Every error that is not the engine's own comes through: it would be a crash of the worker.
    """
    started_s = time.monotonic()
    plan: Plan | None = None
    sentence, refused = "", False
    warnings: tuple[str, ...] = ()
    with _weighed() as peaks:
        try:
            with prepared(path, SETTINGS, toolchain(), folder / "scratch") as ready:
                plan = ready.plan
                if encode:
                    warnings = _make_edges(plan, ready.path, folder)
        except EngineError as error:
            sentence, refused = str(error), plan is None
    return Met(
        plan=plan,
        sentence=sentence,
        refused=refused,
        wall_s=time.monotonic() - started_s,
        peak_bytes=max(peaks, default=0),
        warnings=warnings,
    )


@contextmanager
def _weighed() -> Iterator[list[int]]:
    """What each program held at most; no less than this process, which hands its own mark on when it spawns."""
    peaks: list[int] = []
    keep = Child._set_exit

    def kept(child: Child, returncode: int, cpu_s: float, max_rss_bytes: int) -> None:
        peaks.append(max_rss_bytes)
        keep(child, returncode, cpu_s, max_rss_bytes)

    with patch.object(Child, "_set_exit", kept):
        yield peaks


def _make_edges(plan: Plan, source: Path, folder: Path) -> tuple[str, ...]:
    store = FolderStore(folder / "made")
    bench = Bench(ffmpeg=toolchain().ffmpeg.path, source=source, store=store, scratch=folder / "scratch")
    found: list[str] = []
    for rung in plan.rungs:
        for chunk in {0, rung.timeline.chunk_count - 1}:
            if rung in plan.encoded_rungs:
                found += make_video_chunk(plan, (rung,), chunk, bench, Watch()).warnings
            else:
                found += make_copy_chunk(plan, rung, chunk, bench, Watch()).warnings
    for track in plan.audio[:2]:
        for chunk in {0, track.timeline.chunk_count - 1}:
            found += make_audio_chunk(plan, track, chunk, bench, Watch()).warnings
    return tuple(found)


class Listener:
    """A server on the loopback that must hear nothing; `heard` are the first bytes of whoever came."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(0.2)
                try:
                    self.heard.append(connection.recv(200))
                except TimeoutError:
                    self.heard.append(b"")

    def close(self) -> None:
        """Hear no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@contextmanager
def listening() -> Iterator[Listener]:
    """A listener that is closed in the end."""
    listener = Listener()
    try:
        yield listener
    finally:
        listener.close()
