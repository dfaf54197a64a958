"""Who may watch and who may change a video, and the tokens in the addresses of private ones."""

from __future__ import annotations

import re
import time
from typing import Any, Protocol, TypeVar

from django.core import signing
from django.db.models import Model, Q, QuerySet
from django.utils.crypto import constant_time_compare

from .models import Visibility

M = TypeVar("M", bound=Model)

#: A player reads its playlists once: what they name must be served until the end, with pauses.
PAUSES_S = 6 * 3600
_STEP_S = 3600  # expiry is rounded up: addresses stay the same for an hour, and caches work
_SALT = "rushes.playback"
#: What `sign_playback` writes, and nothing else: a number of a million digits is no expiry, but takes its time.
_TOKEN = re.compile(r"([1-9a-f][0-9a-f]{0,11})\.([A-Za-z0-9_-]{1,100})")


class Owned(Protocol):
    """A video or a photo: what somebody has, and others may see."""

    @property
    def public_id(self) -> str:
        """In its addresses."""

    @property
    def visibility(self) -> str:
        """One of Visibility."""

    @property
    def owner_id(self) -> int | None:
        """The primary key of its user."""


def may_watch(video: Owned, user: Any, token: str | None = None) -> bool:
    """Whether this user, or whoever has this token, may watch."""
    if video.visibility != Visibility.PRIVATE or may_edit(video, user):
        return True
    return token is not None and check_playback(video.public_id, token)


def may_edit(video: Owned, user: Any) -> bool:
    """Its owner and staff may."""
    if user is None or not getattr(user, "is_authenticated", False):
        return False
    return bool(user.is_staff or (video.owner_id is not None and video.owner_id == user.pk))


def found_by(rows: QuerySet[M], user: Any) -> QuerySet[M]:
    """Those videos or photos that this user finds in lists: his own and public ones; staff finds all."""
    if not user.is_authenticated:
        return rows.filter(visibility=Visibility.PUBLIC)
    return rows if user.is_staff else rows.filter(Q(visibility=Visibility.PUBLIC) | Q(owner=user))


def playback_life_s(duration_s: float | None) -> float:
    """How long a token for a video of that length lives at least."""
    return (duration_s or 0.0) + PAUSES_S


def sign_playback(public_id: str, lives_s: float) -> str:
    """A token for watching one video for at least `lives_s` seconds: `<expiry>.<signature>`."""
    expires_s = -(-int(time.time() + lives_s + 1) // _STEP_S) * _STEP_S
    return f"{expires_s:x}.{_signature(public_id, expires_s)}"


def check_playback(public_id: str, token: str) -> bool:
    """Whether the token is for this video and still lives."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return False
    expires_s = int(match[1], 16)
    valid = constant_time_compare(match[2], _signature(public_id, expires_s))
    return valid and time.time() < expires_s


def _signature(public_id: str, expires_s: int) -> str:
    return signing.Signer(salt=_SALT).signature(f"{public_id}:{expires_s}")
