"""The embedded delivery: the database itself wakes workers. Nothing is carried but "look again".

SQLite: `PRAGMA data_version` changes when another connection commits. It is looked at when inotify says that SQLite's
log is written to; where there is no inotify, every 5 ms, which costs 1.6 % of a core.
Postgres: NOTIFY in the transaction that enqueues, LISTEN on a connection of its own. The slow poll behind both is the
caller's time-out: a wake-up that was lost costs no more than that.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import sqlite3
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from django.db import Error, connection, connections
from django.db.utils import DEFAULT_DB_ALIAS

from .inotify import FileWatch

log = logging.getLogger(__name__)

CHANNEL = "rushes_jobs"
SQLITE_LOOK_S = 0.005
#: With inotify: behind it, should it say nothing; and the first of the looks, further and further apart, when it did.
SQLITE_LOOK_BEHIND_S = 0.5
FIRST_LOOK_S = 0.0005
RECONNECT_S = 1.0

_AWAY = (Error, sqlite3.Error, OSError, ValueError)  # ValueError: a socket that was closed under our feet


def notify(queue: str) -> None:
    """Tell whoever waits that there is work in `queue` when this transaction commits; on SQLite the commit does."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", (CHANNEL, queue))


class Waker(ABC):
    """Waits for a commit that may have brought work, or for `wake()` from another thread of this process."""

    def __init__(self) -> None:
        # Sockets and not a pipe: a late wake after `close` must not write into a file that has got its number.
        self._read, self._write = socket.socketpair()
        for end in (self._read, self._write):
            end.setblocking(False)
        self._connection: Any = None
        self._retry_at_s = 0.0

    def wake(self) -> None:
        """End a wait, from any thread or signal handler."""
        with contextlib.suppress(OSError):
            self._write.send(b"w")

    @abstractmethod
    def wait(self, timeout_s: float) -> bool:
        """Wait until something may have changed, at most so long; False when only time has passed."""

    def close(self) -> None:
        """Give the connection and the sockets back."""
        self._write.close()
        self._read.close()
        self._disconnect()

    def _woken(self, timeout_s: float) -> bool:
        readable, _, _ = select.select([self._read], [], [], max(0.0, timeout_s))
        return self._drain() if readable else False

    def _drain(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            return bool(self._read.recv(4096))
        return False

    def _connect(self) -> bool:
        """Whether there is a connection; one that was lost is tried again once a second."""
        if self._connection is None and time.monotonic() >= self._retry_at_s:
            try:
                self._connection = connections.create_connection(DEFAULT_DB_ALIAS)
                self._connection.inc_thread_sharing()  # made and used by one, closed by another
                self._connection.ensure_connection()
                self._begin()
            except _AWAY as error:
                self._lost(error)
        return self._connection is not None

    @abstractmethod
    def _begin(self) -> None:
        """The connection is new."""

    def _lost(self, error: Exception) -> None:
        log.warning("the database cannot be watched: %s", error)
        self._disconnect()
        self._retry_at_s = time.monotonic() + RECONNECT_S

    def _disconnect(self) -> None:
        before, self._connection = self._connection, None
        if before is not None:
            with contextlib.suppress(*_AWAY):
                before.close()


def make_waker() -> Waker:
    """The waker for the default database."""
    return ListenWaker() if connection.vendor == "postgresql" else DataVersionWaker()


class DataVersionWaker(Waker):
    """SQLite: a connection of its own, which never writes, sees the commits of all others."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: int | None = None
        self._pause_s = SQLITE_LOOK_S
        self._watch: FileWatch | None = None
        with contextlib.suppress(OSError):
            self._watch = FileWatch(Path(f"{connection.settings_dict['NAME']}-wal"))

    def wait(self, timeout_s: float) -> bool:
        """See Waker."""
        deadline_s = time.monotonic() + timeout_s
        longest_s = SQLITE_LOOK_S if self._watch is None else SQLITE_LOOK_BEHIND_S
        while True:
            self._pause_s = min(longest_s, 2 * self._pause_s)
            if self._woken(min(self._pause_s, deadline_s - time.monotonic())) or self._changed():
                return True
            if time.monotonic() >= deadline_s:
                return False

    def close(self) -> None:
        """See Waker."""
        super().close()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()

    def _woken(self, timeout_s: float) -> bool:
        watched = [self._read.fileno(), *([] if self._watch is None else [self._watch.fileno()])]
        readable, _, _ = select.select(watched, [], [], max(0.0, timeout_s))
        if self._watch is not None and self._watch.fileno() in readable and self._watch.drain():
            # What is written is not committed yet, but will be in a moment: looked for at once, and again and again.
            self._pause_s = FIRST_LOOK_S / 2
        return self._read.fileno() in readable and self._drain()

    def _changed(self) -> bool:
        if not self._connect():
            return False
        try:
            # Not through Django's cursor: 200 times a second, its wrappers are most of the cost.
            (version,) = self._connection.connection.execute("PRAGMA data_version").fetchone()
        except _AWAY as error:
            self._lost(error)
            return False
        before, self._seen = self._seen, version
        return bool(before != version)

    def _begin(self) -> None:
        self._seen = None  # what came while nobody looked is not seen again


class ListenWaker(Waker):
    """Postgres: a connection that listens, and listens again after a reconnect."""

    def __init__(self) -> None:
        super().__init__()
        self._fresh = False

    def wait(self, timeout_s: float) -> bool:
        """See Waker."""
        if not self._connect():
            return self._woken(min(timeout_s, RECONNECT_S))
        if self._fresh:
            self._fresh = False
            return True
        try:
            listening = self._connection.connection
            readable, _, _ = select.select([self._read, listening.fileno()], [], [], max(0.0, timeout_s))
            if listening.fileno() in readable:
                with self._connection.wrap_database_errors:
                    for _ in listening.notifies(timeout=0):
                        pass
        except _AWAY as error:
            self._lost(error)
            return True
        if self._read in readable:
            self._drain()
        return bool(readable)

    def _begin(self) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        self._fresh = True  # what came while nobody listened is not told again
