"""A video as people name it on a command line: by the id in its address, or by its primary key."""

from __future__ import annotations

from .models import Video


class UnknownVideo(LookupError):
    """No video is called that; the message says so."""


def find_video(reference: str) -> Video:
    """The video with this public_id, or else this primary key. Raises UnknownVideo."""
    text = reference.strip().rstrip("/").rpartition("/")[2]  # the address of its page does, too
    found = Video.objects.filter(public_id=text).first()
    if found is None and text.isascii() and text.isdigit() and len(text) <= 18:
        found = Video.objects.filter(pk=int(text)).first()
    if found is None:
        raise UnknownVideo(
            f"There is no video {reference!r}; name it by its public id, as in its address, or its primary key."
        )
    return found
