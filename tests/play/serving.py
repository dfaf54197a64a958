"""A real server on a free port, over a real session."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rushes.engine.binaries import toolchain
from rushes.engine.plan import Plan
from rushes.engine.planning import make_plan
from rushes.engine.probe import probe
from rushes.engine.publish import write_texts
from rushes.engine.session import Session
from rushes.engine.settings import Settings
from rushes.engine.slots import Slots
from rushes.engine.webvtt import TextTrack
from rushes.play.app import create_app
from rushes.play.screening import Screening
from rushes.play.server import Server, listen, url_of
from rushes.play.texts import ReadTexts
from rushes.playback.waiting import HOLD_S

PATIENCE_S = 60.0


@dataclass
class Served:
    """`url` has no slash at its end."""

    url: str
    screening: Screening
    thread: threading.Thread
    server: Server

    @property
    def session(self) -> Session:
        """Waits until the file has been read."""
        wait_until(lambda: self.screening.session is not None or self.screening.error)
        assert self.screening.session is not None, self.screening.error
        return self.screening.session

    @property
    def plan(self) -> Plan:
        return self.session.plan

    def stop(self) -> None:
        self.server.stop()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive(), "the server did not stop"


def plan_of(source: Path, settings: Settings | None = None) -> Plan:
    tools = toolchain()
    return make_plan(probe(source, tools), settings or Settings(), tools.build_id)


def opener(
    source: Path, folder: Path, *, settings: Settings | None = None, slots: Slots | None = None
) -> Callable[[], Session]:
    def prepare() -> Session:
        return Session(
            plan_of(source, settings),
            source,
            folder,
            ffmpeg=toolchain().ffmpeg.path,
            watched=True,
            slots=slots,
        )

    return prepare


def text_reader(source: Path, scratch: Path) -> ReadTexts:
    """Reads the subtitles of `source`."""

    def read(session: Session, cancel: threading.Event) -> Sequence[TextTrack]:
        return write_texts(session.plan, source, toolchain(), session.store, scratch, cancel=cancel)

    return read


@contextmanager
def serving(
    prepare: Callable[[], Session],
    *,
    hold_s: float = HOLD_S,
    read_texts: ReadTexts | None = None,
    middleware: Any = None,
    **options: Any,
) -> Iterator[Served]:
    """Serve what `prepare` opens; `middleware` is an ASGI middleware class, `options` its arguments."""
    app = create_app("clip.mp4", prepare, hold_s=hold_s, read_texts=read_texts)
    if middleware is not None:
        app.add_middleware(middleware, **options)
    listener = listen("127.0.0.1", 0)
    server = Server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
    thread.start()
    served = Served(url_of(listener).rstrip("/"), app.state.screening, thread, server)
    try:
        yield served
    finally:
        served.stop()
        listener.close()


def wait_until(condition: Callable[[], Any], patience_s: float = PATIENCE_S) -> None:
    """Wait for a condition; AssertionError when it does not come true."""
    deadline_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline_s, "what was waited for did not happen"
        time.sleep(0.01)


@contextmanager
def stopped_encoders(slots: Slots) -> Iterator[Callable[[], None]]:
    """Hold every slot of `slots` (count and reserved each 1), so that nothing is encoded; the value lets go of them."""
    taken = [threading.Event(), threading.Event()]
    release = threading.Event()

    def hold(take: Any, mark: threading.Event) -> None:
        with take():
            mark.set()
            release.wait()

    # Urgent work takes a common slot where one is free: the common one has to be held first.
    holders = []
    for take, mark in zip((slots.background, slots.urgent), taken, strict=True):
        holders.append(threading.Thread(target=hold, args=(take, mark)))
        holders[-1].start()
        assert mark.wait(PATIENCE_S)
    try:
        yield release.set
    finally:
        release.set()
        for holder in holders:
            holder.join()
