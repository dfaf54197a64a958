"""API keys: random, shown once, kept as a hash, each with scopes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from typing import TYPE_CHECKING

from django.db.models import Q
from django.db.models.functions import Now

from .models import ApiKey

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SCOPES = ("submit", "read", "work", "admin")
_PREFIX = "rsh_"


def make_key(user: User, name: str, scopes: Collection[str]) -> tuple[ApiKey, str]:
    """A new key and its secret, which is not kept. Raises ValueError for an unknown scope."""
    unknown = set(scopes) - set(SCOPES)
    if unknown or not scopes:
        raise ValueError(f"Scopes are one or more of {', '.join(SCOPES)}.")
    key = ApiKey(user=user, name=name, scopes=sorted(scopes))
    return key, issue(key)


def issue(key: ApiKey) -> str:
    """Save a new key; its secret, which is not kept."""
    secret = _PREFIX + secrets.token_urlsafe(32)
    key.prefix, key.digest = secret[:12], _digest(secret)
    key.save()
    return secret


def find_key(secret: str) -> ApiKey | None:
    """The living key of that secret, with its user; None where there is none.

    The lookup is by the hash: how long it takes says nothing about the secret.
    """
    living = Q(revoked_at__isnull=True) & (Q(expires_at__isnull=True) | Q(expires_at__gt=Now()))
    return (
        ApiKey.objects.filter(living, digest=_digest(secret), user__is_active=True)
        .select_related("user")
        .first()
    )


def find_user(secret: str, scope: str | None = None) -> User | None:
    """The user of a living key that has the scope; `admin` has all."""
    key = find_key(secret)
    return key.user if key is not None and (scope is None or allows(key, scope)) else None


def allows(key: ApiKey, scope: str) -> bool:
    """Whether the key may be used for that."""
    return scope in key.scopes or "admin" in key.scopes


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
