"""CPU slots: one semaphore per host, across processes, of as many slots as cores.

Eighteen worker threads must never mean eighteen encoders. A slot is an flock on a file, so the kernel frees it when its
holder ends, however that ends, and workers need not know each other.
"""

import fcntl
import os
import random
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path
from typing import NamedTuple

from rushes.engine import EngineError

_POLL_S = 0.01  # of the one waiter per host and kind that stands at the slots
_QUEUE_POLL_S = (0.002, 0.1)  # of the others, from the first look to the later ones
#: An ffmpeg alone keeps so many cores busy, with a thread each for decoder, filters and encoder: beside urgent work as
#: many background slots give way, however many there are.
_GIVE_WAY = 2
_MARK_TRIES = 100
_CGROUP_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


class SlotWaitCancelled(EngineError):
    """The event given as `cancel` was set before a slot was free."""


class UnsafeLockFolder(EngineError):
    """The lock folder belongs to somebody else."""


class Slots:
    """`count` slots for background work and `reserved` ones more that only urgent work may take.

    All processes that give the same `folder` share them; those of one user do by default. Locks are per holder, so
    threads of one process exclude each other just as processes do.
    """

    def __init__(self, folder: Path | None = None, count: int | None = None, *, reserved: int = 1) -> None:
        self.folder = folder if folder is not None else default_lock_folder()
        self.count = count if count is not None else usable_cores()
        self.reserved = reserved
        if self.count < 1 or reserved < 0:
            raise ValueError(f"Slots need count >= 1 and reserved >= 0, not {self.count} and {reserved}")
        _make_private(self.folder)
        self._common = tuple(self.folder / f"cpu-{number}.lock" for number in range(self.count))
        self._giving_way = frozenset(path.stem for path in self._common[:_GIVE_WAY])
        self._reserved = tuple(self.folder / f"reserved-{number}.lock" for number in range(reserved))
        self._background_queue = self.folder / "background-queue.lock"
        self._urgent_queue = self.folder / "urgent-queue.lock"
        self._urgent_mark = self.folder / "urgent-waits.lock"
        self._urgent_work = self.folder / "urgent-works.lock"

    @contextmanager
    def background(self, cancel: threading.Event | None = None) -> Iterator[str]:
        """Hold one of the `count` slots; yields its name. Waits for one as long as it takes.

        Of all waiters on the host one stands at the slots and takes the next that is freed, unless urgent work
        waits for it; who comes to stand there next is drawn by lot between threads and processes, so none is
        starved by another that comes back quickly. Raises SlotWaitCancelled.
        """
        turn = _wait_for_lock(self._background_queue, cancel)
        try:
            slot = self._wait_for_slot(self._common, cancel, may_take=self._no_urgent_waits)
        finally:
            _unlock(turn)
        try:
            yield slot.name
        finally:
            _unlock(slot.descriptor)

    @contextmanager
    def urgent(self, cancel: threading.Event | None = None) -> Iterator[str]:
        """Hold a slot for work that somebody waits for: a free common one, else a reserved one; yields its name.

        Never queues behind background work: `reserved` urgent holders at once are certain beyond the common slots. More
        than that wait in a queue of their own, and get the next freed slot of either kind before background work does.
        Raises SlotWaitCancelled.
        """
        turn = _wait_for_lock(self._urgent_queue, cancel)
        try:
            # Not the queue's own lock: background work looks by locking for a moment, which must not cost a turn.
            with _marked(self._urgent_mark):
                slot = self._wait_for_slot(self._common + self._reserved, cancel, may_take=lambda: True)
        finally:
            _unlock(turn)
        try:
            with _marked(self._urgent_work):
                yield slot.name
        finally:
            _unlock(slot.descriptor)

    def must_give_way(self, name: str) -> bool:
        """Whether what is done in the background slot of that name had better pause: urgent work is done beside it.

        At nice 10 it still takes a fifth of two cores, measured. Never raises: it is a courtesy.
        """
        with suppress(OSError):
            return name in self._giving_way and _is_locked(self._urgent_work)
        return False

    def _wait_for_slot(
        self, paths: tuple[Path, ...], cancel: threading.Event | None, *, may_take: Callable[[], bool]
    ) -> "_Slot":
        while True:
            if may_take():
                for path in paths:
                    descriptor = _try_lock(path)
                    if descriptor is not None:
                        return _Slot(path.stem, descriptor)
            _pause(_POLL_S, cancel)

    def _no_urgent_waits(self) -> bool:
        return not _is_locked(self._urgent_mark)


class _Slot(NamedTuple):
    name: str
    descriptor: int


def usable_cores() -> int:
    """Cores that this process may use: by its affinity and by its container's CPU quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _CGROUP_CPU_MAX.read_text().split()
        return min(cores, max(1, ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no cgroup v2 here, or its quota is "max"
        return cores


def default_lock_folder() -> Path:
    """One per user and host: below /run/lock, which neither TMPDIR nor a service's private /tmp changes."""
    run_lock = Path("/run/lock")
    base = run_lock if os.access(run_lock, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    return base / f"rushes-slots-{os.getuid()}"


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise UnsafeLockFolder(
            f"{folder} belongs to another user or is a link: remove it, or give another lock folder"
        )


def _try_lock(path: Path) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.utime(
        descriptor
    )  # a cleaner of /tmp removes what looks old, and then two holders would not see each other
    return descriptor


@contextmanager
def _marked(path: Path) -> Iterator[None]:
    """Beside others who mark the same. Without a mark where somebody was stopped in the moment in which he looked."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        for _ in range(_MARK_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.001)
        yield
    finally:
        _unlock(descriptor)


def _is_locked(path: Path) -> bool:
    """Or looked at by another at this very moment."""
    descriptor = _try_lock(path)
    if descriptor is None:
        return True
    _unlock(descriptor)
    return False


def _unlock(descriptor: int) -> None:
    # In so many words: a child that another thread is forking just now has the descriptor too, until its exec.
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _wait_for_lock(path: Path, cancel: threading.Event | None) -> int:
    pause_s, longest_s = _QUEUE_POLL_S
    while (descriptor := _try_lock(path)) is None:
        _pause(pause_s * random.uniform(0.5, 1.5), cancel)  # spread, so that no process always comes second
        pause_s = min(pause_s * 2, longest_s)
    return descriptor


def _pause(seconds: float, cancel: threading.Event | None) -> None:
    if cancel is None:
        time.sleep(seconds)
    elif cancel.wait(seconds):
        raise SlotWaitCancelled("nobody needs the slot any more")
