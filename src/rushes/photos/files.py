"""Where a photo's files are, by names that nobody gave but we.

Primary keys of photos and of videos are counted apart: so photos have a folder of their own in `sources` and `images`.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from rushes.videos.store import MediaStore


def adopt_source(photo_id: int, path: Path) -> str:
    """Take over a finished upload as the source of a photo; its name."""
    name = f"sources/photos/{photo_id}/{secrets.token_hex(8)}"
    MediaStore().put_durably(name, path)
    return name


def picture_name(photo_id: int, key: str, file: str) -> str:
    """The name of one of its pictures, such as `2400.webp`."""
    return f"images/photos/{photo_id}/{key}/{file}"


def folders_of(photo_id: int) -> tuple[str, ...]:
    """Every folder that a photo may have."""
    return tuple(f"{kind}/photos/{photo_id}" for kind in ("sources", "images"))
