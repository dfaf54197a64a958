"""The command line's ledger: a small file per rendition and chunk, written last. It is the commit of the chunk.

(The product's ledger is a database; see docs/architecture.md.) What a record says is believed only while every file
that it names is there with that size, so a power cut, a kill or a curious `rm` costs one chunk and no more.
"""

from __future__ import annotations

import msgspec

from .assembly import Made
from .hls import ENTRANCES
from .plan import AudioTrack, Plan, Rung
from .store import FolderStore

STATE_FOLDER = ".rushes"


class _Record(msgspec.Struct, forbid_unknown_fields=True):
    segment_bytes: tuple[int, ...]
    warnings: tuple[str, ...] = ()
    keyframe_bytes: tuple[int, ...] = ()


class Records:
    """Records below `.rushes/` in the folder of the store."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store

    def commit(self, rendition: Rung | AudioTrack, made: Made, warnings: tuple[str, ...] = ()) -> None:
        """Record a chunk whose files are published. Raises OSError."""
        record = _Record(
            segment_bytes=made.segment_bytes, warnings=warnings, keyframe_bytes=made.keyframe_bytes
        )
        self._store.write(_name(rendition, made.chunk), msgspec.json.encode(record))

    def read(self, rendition: Rung | AudioTrack, chunk: int) -> tuple[Made, tuple[str, ...]] | None:
        """The committed chunk and its warnings, or None where it has to be made (again)."""
        name = _name(rendition, chunk)
        if not self._store.exists(name):
            return None
        try:
            record = msgspec.json.decode(self._store.read(name), type=_Record)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        segments = rendition.timeline.chunk_segments(chunk)
        there = len(record.segment_bytes) == len(segments) and all(
            self._store.size_bytes(rendition.segment_name(number)) == size
            for number, size in zip(segments, record.segment_bytes, strict=True)
        )
        if not there or not self._store.exists(rendition.init_name):
            return None
        made = Made(
            rendition=rendition.name,
            chunk=chunk,
            segment_bytes=record.segment_bytes,
            keyframe_bytes=record.keyframe_bytes,
        )
        return made, record.warnings

    def write_plan(self, plan_json: bytes) -> None:
        """Keep the plan that this folder is encoded by."""
        self._store.write(f"{STATE_FOLDER}/plan.json", plan_json)

    def read_plan(self) -> bytes | None:
        """The plan that was kept last."""
        name = f"{STATE_FOLDER}/plan.json"
        return self._store.read(name) if self._store.exists(name) else None

    def forget(self, plan: Plan, kept: Plan) -> None:
        """Remove what `plan` made and `kept` does not use: an earlier encode into this folder, and its playlists."""
        used = {rendition.folder for rendition in kept.renditions}
        unused = [rendition for rendition in plan.renditions if rendition.folder not in used]
        if unused:
            # They name what goes now; the first, so that nobody begins to play it.
            for playlist in ENTRANCES:
                self._store.delete(playlist)
        for rendition in unused:
            for playlist in ("index.m3u8", "video.m3u8", "iframes.m3u8", "audio.m3u8"):
                self._store.delete(f"{rendition.name}/{playlist}")
            self._store.delete_folder(rendition.folder)
            self._store.delete_folder(f"{STATE_FOLDER}/{rendition.folder}")


def _name(rendition: Rung | AudioTrack, chunk: int) -> str:
    return f"{STATE_FOLDER}/{rendition.folder}/{chunk}.json"
