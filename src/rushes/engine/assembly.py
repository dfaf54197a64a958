"""From fragments that ffmpeg writes to the plan's segments, each held against its promise before it is published."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from zlib import crc32

from . import EngineError
from .cmaf import Fragment, MalformedBoxes, audio_segment
from .codecstrings import starts_afresh
from .growing import FragmentReader
from .plan import AudioTrack, Rung
from .settings import AAC_FRAME_SAMPLES
from .store import SegmentStore


class BrokenPromise(EngineError):
    """ffmpeg ended well, but what it wrote is not what the plan promises: frames, times or keyframes are off."""


class ForeignInit(EngineError):
    """The init segment differs from the published one: another encoder build or other settings (P3, P7)."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """One rendition's chunk as published: what a ledger records."""

    rendition: str
    chunk: int
    segment_bytes: tuple[int, ...]
    segment_crcs: tuple[int, ...] = ()  # CRC-32 of each, as it was when it was made; empty: not known
    #: Of video: how much of each segment holds its first picture, which needs nothing else (for I-frame playlists).
    keyframe_bytes: tuple[int, ...] = ()


class Assembly(ABC):
    """Follows one output of a run: `harvest` while it grows, `complete` at its end, then `finish`.

    A subclass turns fragments into segments, in order. Everything checked is published, the init segment first.
    """

    def __init__(
        self,
        rendition: Rung | AudioTrack,
        chunk: int,
        path: Path,
        store: SegmentStore,
        published: Callable[[str], None],
    ) -> None:
        self._rendition, self._chunk, self._path = rendition, chunk, path
        self._store, self._announce = store, published
        self._reader = FragmentReader(path)
        self._segments = rendition.timeline.chunk_segments(chunk)
        self._ready: list[Path] = []  # complete and checked, not yet published
        self._sizes: list[int] = []
        self._crcs: list[int] = []
        self._keyframes: list[int] = []
        self._published = 0

    def harvest(self, *, publish: bool) -> None:
        """Take in what has been written since; with `publish`, put what is complete into the store."""
        if not self._path.exists():
            return
        try:
            fragments = self._reader.read_new()
        except MalformedBoxes as error:
            raise BrokenPromise(f"{self._rendition.name}: {error}") from error
        for fragment in fragments:
            self._take(fragment)
        if publish:
            self._publish()

    def complete(self) -> None:
        """The run has ended well: take in the rest and hold it against the promise. Raises BrokenPromise."""
        self.harvest(publish=False)
        try:
            self._reader.finish()
        except (MalformedBoxes, FileNotFoundError) as error:
            raise BrokenPromise(f"{self._rendition.name}: {error}") from error
        self._end()
        if len(self._sizes) != len(self._segments):
            raise BrokenPromise(
                f"{self._rendition.name}: {len(self._sizes)} segments came, {len(self._segments)} are promised"
            )

    def finish(self) -> Made:
        """Publish what is not published yet. The caller has judged the run's decoding."""
        self._publish()
        return Made(
            rendition=self._rendition.name,
            chunk=self._chunk,
            segment_bytes=tuple(self._sizes),
            segment_crcs=tuple(self._crcs),
            keyframe_bytes=tuple(self._keyframes),
        )

    @abstractmethod
    def _take(self, fragment: Fragment) -> None: ...

    @abstractmethod
    def _end(self) -> None: ...

    def _segment_ready(self, parts: list[bytes]) -> None:
        number = self._segments.start + len(self._sizes)
        if number >= self._segments.stop:
            raise BrokenPromise(f"{self._rendition.name}: there is more than segment {number - 1}")
        path = self._path.with_name(f"{self._path.stem}-{number}.m4s")
        with path.open("wb") as file:
            file.writelines(parts)
        self._sizes.append(path.stat().st_size)
        self._crcs.append(reduce(lambda crc, part: crc32(part, crc), parts, 0))
        self._ready.append(path)

    def _publish(self) -> None:
        if self._ready:
            self._publish_init()
        for path in self._ready:
            name = self._rendition.segment_name(self._segments.start + self._published)
            self._store.put(name, path)
            self._published += 1
            self._announce(name)
        self._ready.clear()

    def _publish_init(self) -> None:
        name, init = self._rendition.init_name, self._reader.init
        assert init is not None
        if self._store.exists(name):
            if self._store.read(name) != init:
                raise ForeignInit(
                    f"{name} was written by another encoder build or with other settings; "
                    "encode into an empty folder"
                )
            return
        path = self._path.with_name(f"{self._path.stem}-init.mp4")
        path.write_bytes(init)
        self._store.put(name, path)
        self._announce(name)


class VideoAssembly(Assembly):
    """Fragments of one or more whole groups of pictures; a segment ends where the plan says."""

    def __init__(
        self, rung: Rung, chunk: int, path: Path, store: SegmentStore, published: Callable[[str], None]
    ) -> None:
        super().__init__(rung, chunk, path, store, published)
        self._rung = rung
        self._parts: list[bytes] = []
        self._samples = 0  # of the chunk so far
        self._next_time: int | None = None  # where the last fragment ended, in ticks

    def _take(self, fragment: Fragment) -> None:
        timeline = self._rung.timeline
        number = self._segments.start + len(self._sizes)
        begins_next = (
            self._parts
            and number + 1 < self._segments.stop
            and fragment.base_decode_time >= timeline.bounds[number + 1] - self._slack
        )
        if begins_next:
            self._close_segment()
            number += 1
        if not self._parts and abs(fragment.base_decode_time - timeline.bounds[number]) > self._slack:
            raise BrokenPromise(
                f"{self._rung.name}: segment {number} begins at tick {fragment.base_decode_time}, "
                f"{timeline.bounds[number]} is promised"
            )
        if not fragment.starts_with_sync or not starts_afresh(fragment, self._rung.codec):
            raise BrokenPromise(
                f"{self._rung.name}: segment {number} has a part that begins without a keyframe"
            )
        if not self._parts:
            self._keyframes.append(fragment.payload_offset + fragment.sample_sizes[0])
        self._parts.append(fragment.data)
        self._samples += fragment.sample_count
        self._next_time = fragment.base_decode_time + fragment.duration
        # An encoded segment is one fragment, known to be whole at once; a copied one may have more to come.
        if self._rung.method == "encode":
            if abs(self._next_time - timeline.bounds[number + 1]) > self._slack:
                raise BrokenPromise(
                    f"{self._rung.name}: segment {number} ends at tick {self._next_time}, "
                    f"{timeline.bounds[number + 1]} is promised"
                )
            self._close_segment()

    def _end(self) -> None:
        if self._parts:
            self._close_segment()
        packets = self._rung.copy_chunk_packets
        if packets is not None and self._samples != packets[self._chunk + 1] - packets[self._chunk]:
            raise BrokenPromise(f"{self._rung.name}: {self._samples} packets came of chunk {self._chunk}")

    def _close_segment(self) -> None:
        self._segment_ready(self._parts)
        self._parts = []

    @property
    def _slack(self) -> int:
        # Chunk starts pass through ffmpeg's microseconds: exact up to a timescale of 500,000, a tick or so beyond.
        return self._rung.timeline.timescale // 500_000


class AudioAssembly(Assembly):
    """Fragments of one AAC frame each; those of the run-up are skipped, the chunk's are packed into segments."""

    def __init__(
        self,
        track: AudioTrack,
        chunk: int,
        path: Path,
        store: SegmentStore,
        published: Callable[[str], None],
        *,
        skipped: int,
    ) -> None:
        super().__init__(track, chunk, path, store, published)
        self._track = track
        self._to_skip = skipped
        self._frames: list[bytes] = []

    def _take(self, fragment: Fragment) -> None:
        if fragment.sample_count != 1:
            raise BrokenPromise(
                f"{self._track.name}: a fragment holds {fragment.sample_count} frames, not one"
            )
        if self._to_skip:
            self._to_skip -= 1
            return
        number = self._segments.start + len(self._sizes)
        if number == self._segments.stop:
            return  # what follows the chunk was encoded for the sake of its last frame
        self._frames.append(fragment.payload)
        timeline = self._track.timeline
        if len(self._frames) * AAC_FRAME_SAMPLES == timeline.bounds[number + 1] - timeline.bounds[number]:
            segment = audio_segment(
                sequence=number + 1,
                base_decode_time=timeline.bounds[number],
                frame_samples=AAC_FRAME_SAMPLES,
                frames=self._frames,
            )
            self._frames = []
            self._segment_ready([segment])

    def _end(self) -> None:
        if self._frames:
            raise BrokenPromise(
                f"{self._track.name}: the sound ends {len(self._frames)} frames into a segment"
            )
