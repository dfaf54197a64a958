"""Subtitles of what is shown: read from the source beside the encoding, by a thread of their own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from rushes.engine import EngineError
from rushes.engine.process import Cancelled
from rushes.engine.session import Session
from rushes.engine.webvtt import TextTrack

log = logging.getLogger(__name__)

#: Publishes what the source of a session says, into the session's folder; gives up when the event is set.
ReadTexts = Callable[[Session, threading.Event], Sequence[TextTrack]]


class Reading:
    """A thread that reads the subtitles of a session's source once, and hands them over there."""

    def __init__(
        self, read: ReadTexts, session: Session, hand_over: Callable[[Sequence[TextTrack]], object]
    ) -> None:
        self._read, self._session, self._hand_over = read, session, hand_over
        self._cancel = threading.Event()
        self._thread = threading.Thread(target=self._run, name="read the subtitles")
        self._thread.start()

    def close(self) -> None:
        """Give it up, where it is not done; returns when its processes are gone."""
        self._cancel.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            texts = self._read(self._session, self._cancel)
        except Cancelled:
            return
        except (EngineError, OSError) as error:
            log.warning("the subtitles could not be read: %s", error)
            return
        self._hand_over(texts)
