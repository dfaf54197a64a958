"""What players show for audio tracks, in words that neither a playlist's attributes nor XML can stumble over."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from .plan import AudioTrack, language_tag

#: What XML Schema's `language` allows: BCP 47 tags and their like.
_LANGUAGE = re.compile(r"[a-z]{1,8}(-[a-z0-9]{1,8})*")
_MAX_LENGTH = 100  # characters; a menu shows a few dozen


def track_language(track: AudioTrack) -> str | None:
    """The track's language as a tag, as the container says it ("en", "eng", "pt-br"); None where nothing is known."""
    tag = language_tag(track.language)
    return tag if tag != "und" and _LANGUAGE.fullmatch(tag) else None


def track_labels(tracks: Iterable[AudioTrack]) -> tuple[str, ...]:
    """A name for each track: its title, else its language, else its number; no two are the same."""
    taken: set[str] = set()
    labels: list[str] = []
    for track in tracks:
        label = plain(track.title or "") or track_language(track) or f"Audio {track.number}"
        unique, count = label, 1
        while unique in taken:
            count += 1
            unique = f"{label} ({count})"
        taken.add(unique)
        labels.append(unique)
    return tuple(labels)


def plain(text: str) -> str:
    """`text` on one line, without quotation marks that would end an attribute, and without what XML 1.0 forbids."""
    spaced = "".join(" " if _breaks(c) else "'" if c == '"' else c for c in text)
    return " ".join(spaced.split())[:_MAX_LENGTH].rstrip()


def _breaks(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in "\ufffe\uffff"
