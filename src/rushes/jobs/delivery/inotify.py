"""Linux's inotify for one file: the kernel says when somebody writes to it, and waiting for that costs nothing."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

_IN_MODIFY, _IN_CREATE, _IN_Q_OVERFLOW = 0x2, 0x100, 0x4000  # <sys/inotify.h>
_EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
_BUFFER_BYTES = 1 << 16


class FileWatch:
    """Readable (`fileno`) when the file was written to, or made. It need not exist, only its folder.

    The folder is watched and not the file: SQLite removes and makes its log as it likes. Raises OSError where the
    system has no inotify, or no more of it.
    """

    def __init__(self, path: Path) -> None:
        self._name = os.fsencode(path.name)
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "inotify_init1"):
            raise OSError("this system has no inotify")
        self._descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise _error(path)
        if libc.inotify_add_watch(self._descriptor, os.fsencode(path.parent), _IN_MODIFY | _IN_CREATE) < 0:
            error = _error(path)
            self.close()
            raise error

    def fileno(self) -> int:
        """For select."""
        return self._descriptor

    def drain(self) -> bool:
        """Forget what was told; whether the file was among it."""
        try:
            told = os.read(self._descriptor, _BUFFER_BYTES)
        except BlockingIOError:
            return False
        at = 0
        while at < len(told):
            _, mask, _, length = _EVENT.unpack_from(told, at)
            at += _EVENT.size
            if mask & _IN_Q_OVERFLOW or told[at : at + length].rstrip(b"\0") == self._name:
                return True
            at += length
        return False

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


def _error(path: Path) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), str(path.parent))
