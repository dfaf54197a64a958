"""Where files are: sources, streams, images and downloads, by names that nobody gave but we."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from django.conf import settings

from rushes.engine.store import FolderStore


class MediaStore(FolderStore):
    """Files below MEDIA_ROOT: `sources/<real>/`, `hls/<real>/`, `images/<real>/` ...; `<real>` is the primary key."""

    def __init__(self, root: Path | None = None) -> None:
        super().__init__(Path(root or settings.MEDIA_ROOT))

    def put_durably(self, name: str, path: Path) -> None:
        """`put`, and when this returns no loss of power takes the file away: for what cannot be made again."""
        sync(path)  # before it has its name: who finds the name finds the whole file
        self.put(name, path)
        target = self.path(name)
        sync(target)  # where `put` had to copy, this is another file
        # A folder is found after a loss of power only where its own parent was synced.
        for folder in target.parents:
            sync(folder)
            if folder == self.root:
                break

    def url(self, name: str) -> str | None:
        """An address that serves the file without us; None: this store has none."""
        return None

    def remove_tree(self, name: str) -> None:
        """Remove a folder with all it holds, if it is there."""
        shutil.rmtree(self.path(name), ignore_errors=True)


def hls_store(video_id: int) -> FolderStore:
    """The store of one video's streams: names in it are those of the plan (`720p/<key>/3.m4s`)."""
    return FolderStore(Path(settings.MEDIA_ROOT) / "hls" / str(video_id))


def adopt_source(video_id: int, path: Path) -> str:
    """Take over a finished upload as a source of the video; its name. A rename where both are on one file system."""
    name = f"sources/{video_id}/{secrets.token_hex(8)}"
    MediaStore().put_durably(name, path)
    return name


def folders_of(video_id: int) -> tuple[str, ...]:
    """Every folder that a video may have."""
    return tuple(f"{kind}/{video_id}" for kind in ("sources", "hls", "images", "mp4", "work"))


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk itself. What is there already takes no time."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
