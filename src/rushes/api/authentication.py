"""API keys in the `Token` header of the REST framework."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from rushes.videos.keys import find_key
from rushes.videos.models import ApiKey

KEYWORD = "Token"
#: People see about when a key was used; a write for each request would be one too many.
USE_IS_NOTED_EVERY = timedelta(minutes=1)


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Token <key>`; the key with its scopes is the request's `auth`."""

    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        """See BaseAuthentication."""
        keyword, _, secret = get_authorization_header(request).partition(b" ")
        if keyword.lower() != KEYWORD.lower().encode():
            return None
        try:
            key = find_key(secret.strip().decode("ascii"))
        except UnicodeDecodeError:
            key = None
        if key is None:
            raise AuthenticationFailed("This token is unknown, expired or revoked.")
        if key.last_used_at is None or timezone.now() - key.last_used_at > USE_IS_NOTED_EVERY:
            ApiKey.objects.filter(pk=key.pk).update(last_used_at=Now())
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        """See BaseAuthentication."""
        return KEYWORD


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # it has no types
    """How the schema calls it."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """See OpenApiAuthenticationExtension."""
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Token <key>"}
