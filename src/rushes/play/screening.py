"""What one server shows: a title while the file is read, then a session, or the reason why there is none."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

from rushes.engine import EngineError
from rushes.engine.events import Event, Failed, Published
from rushes.engine.plan import Rung, locate
from rushes.engine.session import Session
from rushes.engine.webvtt import TextTrack

from .coverage import Coverage
from .holds import Holds
from .texts import Reading, ReadTexts


class Unavailable(Exception):
    """There is nothing to serve yet, or there never will be; the message says why."""


class Screening:
    """One video from the command to Ctrl-C. Everything but `prepare` runs on the server's event loop.

    `prepare` reads and plans the file and returns a session, which is started and closed here; it runs in a thread of
    its own. What it raises is shown as the reason why there is nothing to see, and `on_failed` is called.
    Subtitles are read by `read_texts` when a first picture is there: whoever waits for that shares no core with them.
    """

    def __init__(
        self,
        title: str,
        prepare: Callable[[], Session],
        hold_s: float,
        on_failed: Callable[[], None] | None = None,
        read_texts: ReadTexts | None = None,
    ) -> None:
        self.title = title
        self.hold_s = hold_s
        self.session: Session | None = None
        self.coverage: Coverage | None = None
        self.error: str | None = None
        self.closing = False
        self.holds = Holds(hold_s)
        self.failures: list[Failed] = []
        self.texts: tuple[TextTrack, ...] = ()
        self._prepare = prepare
        self._on_failed = on_failed
        self._read_texts = read_texts
        self._reading: Reading | None = None
        self._settled: asyncio.Future[None] | None = None  # done when there is a session, or an error
        self._watchers: set[asyncio.Event] = set()
        self._unsubscribe: Callable[[], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to read the file. Called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._settled = self._loop.create_future()
        # A daemon: Ctrl-C while a slow disk is read must not wait for it; ffprobe dies with this process.
        threading.Thread(target=self._read, name="read the source", daemon=True).start()

    async def close(self) -> None:
        """Stop the session and wait until its processes are gone."""
        self.stop()
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._reading is not None:
            await asyncio.to_thread(self._reading.close)
        if self.session is not None:
            await asyncio.to_thread(self.session.close)

    def stop(self) -> None:
        """End every wait and every stream of events, so that the server can close its connections."""
        self.closing = True
        self.holds.close()
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)
        self._tell()

    def request_stop(self) -> None:
        """`stop`, from a signal handler or another thread."""
        if self._loop is not None:
            _call(self._loop, self.stop)

    async def ready(self) -> Session:
        """The session; waits for it as long as for a segment. Raises Unavailable."""
        if self._settled is not None and not self._settled.done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._settled), self.hold_s)
        if self.session is None or self.closing:
            reading = "the server is stopping" if self.closing else "the file is still being read"
            raise Unavailable(self.error or reading)
        return self.session

    @contextlib.contextmanager
    def watch(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever something changed that the page shows; who watches clears it."""
        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            yield changed
        finally:
            self._watchers.discard(changed)

    def _read(self) -> None:
        assert self._loop is not None
        try:
            session = self._prepare()
        except (EngineError, ValueError, OSError) as error:
            _call(self._loop, self._fail, str(error))
        except Exception as error:
            _call(self._loop, self._fail, f"this is a fault in Rushes, not in the file: {error!r}")
            raise
        else:
            if not _call(self._loop, self._open, session):
                session.close()

    def _open(self, session: Session) -> None:
        loop = asyncio.get_running_loop()
        self.session = session
        self.coverage = Coverage(session.plan)
        self.holds.open(session)

        def pass_on(event: Event) -> None:
            _call(loop, self._on_event, event)

        self._unsubscribe = session.subscribe(pass_on)
        session.start()
        # What an earlier run left in the folder; what is told twice does no harm.
        self.coverage.scan(session.published)
        if session.status().state != "encoding":
            self._begin_texts()
        self._settle()

    def _fail(self, reason: str) -> None:
        self.error = reason
        self._settle()
        if self._on_failed is not None:
            self._on_failed()

    def _settle(self) -> None:
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)
        self._tell()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Published):
            if self.coverage is not None:
                self.coverage.add(event.name)
            if self._is_picture(event.name):
                self._begin_texts()
        elif isinstance(event, Failed):
            self.failures.append(event)
        self.holds.on_event(event)
        self._tell()

    def _is_picture(self, name: str) -> bool:
        """Whether that is a segment of the picture; of sound alone any segment is."""
        assert self.session is not None
        rendition, number = locate(self.session.plan, name)
        return number is not None and (isinstance(rendition, Rung) or not self.session.plan.rungs)

    def _begin_texts(self) -> None:
        """Once."""
        if self._read_texts is None or self.session is None or self._reading is not None or self.closing:
            return
        loop = asyncio.get_running_loop()

        def show(texts: Sequence[TextTrack]) -> None:
            _call(loop, self._show_texts, tuple(texts))

        self._reading = Reading(self._read_texts, self.session, show)

    def _show_texts(self, texts: tuple[TextTrack, ...]) -> None:
        self.texts = texts
        self._tell()

    def _tell(self) -> None:
        for changed in self._watchers:
            changed.set()


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: object) -> bool:
    """Run it on the loop; False where the loop has ended, as it may have at any moment in another thread."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:
        return False
    return True
