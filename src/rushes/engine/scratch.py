"""Scratch folders: private to a run, and found and removed when their owner was killed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rushes.engine.outcome import ScratchGone

_PREFIX = "run-"


@contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """Make a folder that only we may read (0700) below `root`, and remove it with all it holds in the end.

    While in use it is locked (flock on the folder itself); the kernel drops the lock with its owner, however that ends,
    so `sweep_scratch` tells dead folders from living ones without a look at process numbers, which come again.
    Whatever fails because somebody removes the folder meanwhile is ScratchGone. Raises OSError where none can be made.
    """
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root, fcntl.LOCK_SH):  # no sweep between making and locking
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=root))
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield folder
    except Exception as error:
        if not folder.is_dir():
            raise ScratchGone(f"the scratch folder {folder.name} was removed while it was used") from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def sweep_scratch(root: Path) -> int:
    """Remove the scratch folders below `root` whose owners are gone; return how many. Safe beside living ones."""
    if not root.is_dir():
        return 0
    dead: list[tuple[Path, int]] = []
    with _locked(root, fcntl.LOCK_EX):
        for folder in root.glob(f"{_PREFIX}*"):
            with suppress(FileNotFoundError, NotADirectoryError):
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(descriptor)
                else:
                    dead.append((folder, descriptor))
    for folder, descriptor in dead:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)
    return len(dead)


def folder_bytes(folder: Path) -> int:
    """The sizes of all files below `folder`; what vanishes meanwhile does not count."""
    total = 0
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    total += folder_bytes(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total


@contextmanager
def _locked(folder: Path, operation: int) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, operation)
        yield
    finally:
        os.close(descriptor)
