"""How the children of the supervisor notice that it is gone, also when it was killed without a last word.

Each child holds the reading end of a pipe whose writing end only the supervisor has. When that closes, the child ends
itself as SIGTERM would, in order, and for good a moment later. A parent-death signal of the kernel would do it on
Linux alone, and at the death of a thread.
"""

import os
import signal
import threading
import time

#: From the polite signal to the last one: longer than the web's and the worker's own grace.
GRACE_S = 7.5


def end_with(descriptor: int) -> None:
    """End this process when the other end of the pipe is closed."""
    threading.Thread(target=_watch, args=(descriptor,), name="leash", daemon=True).start()


def _watch(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)
