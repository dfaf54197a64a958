"""What players show for audio tracks, in words that neither a playlist's attributes nor XML can stumble over."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from .languages import bcp47, language_name
from .plan import AudioTrack

_MAX_LENGTH = 100  # characters; a menu shows a few dozen


def track_language(track: AudioTrack) -> str | None:
    """The track's language by BCP 47 ("en", "pt-BR"); None where the container's word names none."""
    return bcp47(track.language)


def track_labels(tracks: Iterable[AudioTrack]) -> tuple[str, ...]:
    """A name for each track: its title, else its language, else its number; no two are the same."""
    taken: set[str] = set()
    labels: list[str] = []
    for track in tracks:
        label = plain(track.title or "") or _language_name(track) or f"Audio {track.number}"
        if track.surround:
            label = f"{label} (5.1)"
        unique, count = label, 1
        while unique in taken:
            count += 1
            unique = f"{label} ({count})"
        taken.add(unique)
        labels.append(unique)
    return tuple(labels)


def _language_name(track: AudioTrack) -> str | None:
    language = track_language(track)
    return None if language is None else language_name(language)


def plain(text: str) -> str:
    """`text` on one line, without quotation marks that would end an attribute, and without what XML 1.0 forbids."""
    spaced = "".join(" " if _breaks(c) else "'" if c == '"' else c for c in text)
    return " ".join(spaced.split())[:_MAX_LENGTH].rstrip()


def _breaks(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in "\ufffe\uffff"
