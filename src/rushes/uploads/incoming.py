"""Files on their way in: under random names in a folder of their own, until a view adopts them or they are removed."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

#: What the ledger keeps of a name (`Video.original_name`).
NAME_LIMIT = 255
SYNC_EVERY_BYTES = 32 << 20
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE, linux/falloc.h
#: File systems that cannot reserve: there the disk is only watched.
_CANNOT_RESERVE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


@dataclass(frozen=True, kw_only=True)
class Received:
    """A file that has come in whole. Move it away to keep it."""

    path: Path
    size_bytes: int
    name: str  # as the sender called it, without folders: for people only, never part of a path


class IncomingFile:
    """A file that is being received. It is locked as long as this object is open: `sweep_incoming` leaves it alone."""

    def __init__(self, root: Path, name: str) -> None:
        """Make an empty file in `root`. `name` is what the sender calls it. Raises OSError."""
        root.mkdir(parents=True, exist_ok=True)
        self.name = shown_name(name)
        self.size_bytes = self._synced_bytes = 0
        self._reserved = False
        # A number of a closed file is soon another file's. A request that is cancelled does not stop the thread that
        # writes for it: that one must not write to the number any more.
        self._lock = threading.Lock()
        self.path, self._fd = _create_locked(root)

    def reserve(self, size_bytes: int) -> None:
        """Take that much room from the disk at once: other uploads, of whatever process, find it gone.

        What is not written of it is given back by `sync`, or with the file. Raises OSError, ENOSPC for too much.
        """
        with self._lock:
            if self._fd < 0 or size_bytes <= 0:
                return
            try:
                _fallocate(self._fd, size_bytes)
            except OSError as error:
                if error.errno not in _CANNOT_RESERVE:
                    raise
                return
            self._reserved = True

    def write(self, data: bytes | bytearray) -> None:
        """Append to the file. Raises OSError, with ENOSPC where the disk is full."""
        view = memoryview(data)
        with self._lock:
            while view and self._fd >= 0:
                written = os.write(self._fd, view)
                self.size_bytes += written
                view = view[written:]
        # Bit by bit: after the last byte of a long file only little is left to be waited for.
        if self.size_bytes - self._synced_bytes >= SYNC_EVERY_BYTES:
            self.sync()

    def sync(self, *, whole: bool = False) -> None:
        """Return when what was written is safe from a power cut. `whole`: nothing more comes."""
        with self._lock:
            if self._fd >= 0:
                if whole and self._reserved:
                    os.ftruncate(self._fd, self.size_bytes)  # gives back what was reserved beyond
                    self._reserved = False
                os.fsync(self._fd)
                self._synced_bytes = self.size_bytes

    def as_received(self) -> Received:
        """What a view is given."""
        return Received(path=self.path, size_bytes=self.size_bytes, name=self.name)

    def discard(self) -> None:
        """Close the file, and remove it unless it was moved away. Once is enough, twice does no harm."""
        with self._lock:
            if self._fd < 0:
                return
            self.path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1


def shown_name(name: str) -> str:
    """The last part of a file name, whatever system it comes from, without what can't be shown."""
    last = re.split(r"[/\\]", name)[-1]
    # isprintable is false for what the database or a terminal would stumble over: NUL, controls, lone surrogates.
    return "".join(letter for letter in last if letter.isprintable()).strip()[:NAME_LIMIT]


def sweep_incoming(root: Path) -> int:
    """Remove what servers that were killed have left; how many files. May run beside servers that receive."""
    removed = 0
    with contextlib.suppress(FileNotFoundError):
        for path in root.iterdir():
            with contextlib.suppress(OSError):  # it was adopted or removed meanwhile
                fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: somebody receives it
                    path.unlink()
                    removed += 1
                finally:
                    os.close(fd)
    return removed


def _fallocate(descriptor: int, size_bytes: int) -> None:
    """Linux's own call: that of POSIX would write zeros where the file system cannot. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "fallocate"):
        raise OSError(errno.ENOSYS, "no fallocate here")
    call = libc.fallocate
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)
    if call(descriptor, _KEEP_SIZE, 0, size_bytes):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _create_locked(root: Path) -> tuple[Path, int]:
    while True:
        path = root / secrets.token_hex(16)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        fcntl.flock(fd, fcntl.LOCK_EX)
        # A sweep may have found it before it was locked: then it is gone, or another's.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(fd)):
                return path, fd
        os.close(fd)
