"""WebVTT as it is published: the whole text in one file, and cut into segments for HLS (RFC 8216, 3.5)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .cues import Cue
from .languages import language_name
from .store import FolderStore

#: Text is small: longer segments than the picture's mean fewer requests, and RFC 8216 (6.2.4) allows them.
SEGMENT_S = 30
#: Bumped whenever the same cues are written otherwise: it is part of the key.
_VERSION = 1
_HEAD = "WEBVTT\n"
# The time line begins at 0 in every rendition's tfdt, and so does the clock of the cues.
_TIMESTAMP_MAP = "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"


@dataclass(frozen=True, kw_only=True)
class TextTrack:
    """Published subtitles. `segment_count` segments hold all cues; what follows them is `empty_name`."""

    name: str  # "subs-1-de": the folder
    key: str  # of the text; hex
    language: str | None  # BCP 47
    label: str  # what menus show
    default: bool = False
    forced: bool = False  # only what is foreign to the sound's own language
    hearing_impaired: bool = False
    segment_count: int = 0
    size_bytes: int = 0  # of the whole text

    @property
    def kind(self) -> str:
        """What HTML calls such a track."""
        return "captions" if self.hearing_impaired else "subtitles"

    @property
    def folder(self) -> str:
        """Where its files lie."""
        return f"{self.name}/{self.key}"

    @property
    def whole_name(self) -> str:
        """Name of the whole text."""
        return f"{self.folder}/all.vtt"

    @property
    def empty_name(self) -> str:
        """Name of the segment without cues."""
        return f"{self.folder}/empty.vtt"

    def segment_name(self, number: int) -> str:
        """Name of the segment that is shown from `number` times `SEGMENT_S`."""
        return f"{self.folder}/{number}.vtt" if number < self.segment_count else self.empty_name


def key_of(cues: Sequence[Cue]) -> str:
    """16 hex digits that name the text."""
    return hashlib.sha256(f"{_VERSION}\n{document(cues)}".encode()).hexdigest()[:16]


def segment_count(cues: Sequence[Cue]) -> int:
    """How many segments the cues need."""
    return -(-max((cue.end_ms for cue in cues), default=0) // (SEGMENT_S * 1000))


def document(cues: Sequence[Cue], *, mapped: bool = False) -> str:
    """A WebVTT file; `mapped` with the line that HLS wants in each segment."""
    blocks = [
        f"{_clock(cue.start_ms)} --> {_clock(cue.end_ms)}{' ' + cue.settings if cue.settings else ''}\n{cue.text}\n"
        for cue in cues
    ]
    return "\n".join((_HEAD + (_TIMESTAMP_MAP if mapped else ""), *blocks))


def publish(store: FolderStore, name: str, cues: Sequence[Cue]) -> tuple[str, int, int]:
    """Write all files of a text below `name`; its key, the number of its segments, the bytes of the whole.

    The whole text is written last: where it is, the rest is. Twice is harmless: the bytes are the same.
    """
    key, count = key_of(cues), segment_count(cues)
    buckets: list[list[Cue]] = [[] for _ in range(count)]
    for cue in cues:  # a cue is in every segment that it is shown in
        for number in range(cue.start_ms // (SEGMENT_S * 1000), -(-cue.end_ms // (SEGMENT_S * 1000))):
            buckets[number].append(cue)
    for number, bucket in enumerate(buckets):
        store.write(f"{name}/{key}/{number}.vtt", document(bucket, mapped=True).encode())
    store.write(f"{name}/{key}/empty.vtt", document((), mapped=True).encode())
    whole = document(cues).encode()
    store.write(f"{name}/{key}/all.vtt", whole)
    return key, count, len(whole)


def segments_until(duration_s: Fraction) -> int:
    """How many segments a playlist lists for a video of that length; at least one."""
    return max(1, -(-duration_s // SEGMENT_S))


def label_of(
    title: str | None,
    language: str | None,
    number: int,
    *,
    forced: bool = False,
    hearing_impaired: bool = False,
) -> str:
    """What a menu calls a track: its title, else its language and what is special about it."""
    if title:
        return title
    words = language_name(language) if language else f"Subtitles {number}"
    notes = [note for note, there in (("forced", forced), ("SDH", hearing_impaired)) if there]
    return f"{words} ({', '.join(notes)})" if notes else words


def _clock(time_ms: int) -> str:
    seconds, ms = divmod(time_ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"
