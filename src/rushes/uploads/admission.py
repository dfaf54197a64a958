"""Whether another upload may come, where a view is the first to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushes.pipeline.backpressure import check
from rushes.uploads.requests import SCOPE_KEY

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request


def admit(request: HttpRequest | Request) -> None:
    """Refuse an upload that there is no place for, unless the middleware has given it one. Raises LineIsFull."""
    plain: Any = getattr(request, "_request", request)
    if SCOPE_KEY not in (getattr(plain, "scope", None) or {}):
        check()
