"""What a request may do: by who asks, and by the scopes of the key it came with."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from rushes.videos.keys import allows
from rushes.videos.models import ApiKey


class MayUseApi(BasePermission):
    """Everybody may read what is public; changing needs a user, and a key that may `submit`."""

    message = "This token may not do that."

    def has_permission(self, request: Request, view: Any) -> bool:
        """See BasePermission."""
        safe = request.method in SAFE_METHODS
        if isinstance(request.auth, ApiKey):
            return allows(request.auth, "read" if safe else "submit")
        return safe or bool(request.user and request.user.is_authenticated)
