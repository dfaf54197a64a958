"""A finished encode, for tests of what is made from one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rushes.engine.binaries import toolchain
from rushes.engine.plan import Plan
from rushes.engine.prepare import prepared
from rushes.engine.session import Session
from rushes.engine.settings import Settings
from rushes.engine.store import FolderStore


@dataclass(frozen=True)
class Finished:
    """A plan and the store that holds every segment of it. Never written to: tests share it."""

    plan: Plan
    store: FolderStore


def finish(source: Path, folder: Path, settings: Settings) -> Finished:
    """Encode `source` into `folder`."""
    with prepared(source, settings, toolchain(), folder / "scratch") as ready:
        session = Session(ready.plan, ready.path, folder / "out", ffmpeg=toolchain().ffmpeg.path)
        session.start()
        assert session.join(120)
        session.close()
        assert session.status().state == "finished"
        return Finished(ready.plan, FolderStore(folder / "out"))


class Changed(FolderStore):
    """The encode with some of its files replaced (None: gone)."""

    def __init__(self, done: Finished, folder: Path) -> None:
        super().__init__(folder)
        for path in done.store.root.rglob("*.m*"):
            target = folder / path.relative_to(done.store.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)

    def change(self, name: str, data: bytes) -> None:
        self.delete(name)
        self.write(name, data)
