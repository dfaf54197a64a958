"""The last word over the processes of a library, which waits for each of them as it stops: for ever where one hangs.

One hangs that waits for a lock which another held when it was killed, or that a debugger stopped.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

from .attending import GRACE_S

log = logging.getLogger(__name__)

#: From the signal to the end of what does not end by itself. Jobs are given back long before.
STOP_LIMIT_S = GRACE_S + 2
_PR_SET_PDEATHSIG = 1


def speak_later(end: Callable[[], None]) -> None:
    """Call `end` when this process has not ended after STOP_LIMIT_S. From any thread or signal handler."""
    timer = threading.Timer(STOP_LIMIT_S, _speak, (end,))
    timer.daemon = True
    timer.start()


def _speak(end: Callable[[], None]) -> None:
    log.warning("a process of the worker does not end; it is killed")
    end()


def let_children_die_with_us() -> None:
    """Whatever is forked from here on ends with its parent: nobody else would end those that hang. Of Linux alone."""
    if sys.platform == "linux":
        os.register_at_fork(after_in_child=_die_with_the_parent)


def _die_with_the_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
