"""Where finished files go. A store is a tiny contract; the folder is the one that the command line uses."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol


class SegmentStore(Protocol):
    """Published files by name ("720p/<key>/3.m4s"): each appears whole or not at all, and never changes."""

    def put(self, name: str, path: Path) -> None:
        """Take over the file at `path` under `name`. The same name may be put twice: the bytes are the same."""

    def exists(self, name: str) -> bool:
        """Whether the file is there."""

    def size_bytes(self, name: str) -> int | None:
        """The file's size; None where it is not there."""

    def read(self, name: str) -> bytes:
        """The whole file (inits and playlists). Raises FileNotFoundError."""

    def open(self, name: str) -> BinaryIO:
        """The file for reading, seekable: for whoever needs a part of it. Raises FileNotFoundError."""

    def delete(self, name: str) -> None:
        """Remove the file if it is there."""


class FolderStore:
    """Files below a folder. A file is moved in by rename, so a reader sees it whole or not at all.

    Nothing is fsynced: a record of each chunk holds its files' sizes, and what a power cut took is made again.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """The file's path. Raises ValueError for a name that is not plainly below the root."""
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or any(part in (".", "..") or "\0" in part for part in parts):
            raise ValueError(f"{name!r} is not the name of a file below the store's folder")
        return self.root.joinpath(*parts)

    def put(self, name: str, path: Path) -> None:
        """See SegmentStore."""
        target = self.path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(path, target)
        except OSError:
            if not path.exists():
                raise
            # Another file system: copy beside the target, then rename.
            beside = _beside(target)
            try:
                shutil.copyfile(path, beside)
                os.replace(beside, target)
            finally:
                beside.unlink(missing_ok=True)
            path.unlink(missing_ok=True)

    def write(self, name: str, data: bytes) -> None:
        """Put bytes under a name that may change (a playlist): written beside, then renamed."""
        target = self.path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = _beside(target)
        try:
            beside.write_bytes(data)
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)

    def exists(self, name: str) -> bool:
        """See SegmentStore."""
        return self.path(name).is_file()

    def size_bytes(self, name: str) -> int | None:
        """See SegmentStore."""
        with suppress(FileNotFoundError, NotADirectoryError):
            return self.path(name).stat().st_size
        return None

    def read(self, name: str) -> bytes:
        """See SegmentStore."""
        return self.path(name).read_bytes()

    def open(self, name: str) -> BinaryIO:
        """See SegmentStore."""
        return self.path(name).open("rb")

    def delete(self, name: str) -> None:
        """See SegmentStore."""
        self.path(name).unlink(missing_ok=True)

    def delete_folder(self, name: str) -> None:
        """Remove a folder with all it holds, and its parent where that is empty then."""
        folder = self.path(name)
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            folder.parent.rmdir()


def _beside(target: Path) -> Path:
    """A name beside it that no other writer uses: threads, processes and other hosts may put the same file at once."""
    return target.with_name(f".{target.name}.{secrets.token_hex(8)}")
