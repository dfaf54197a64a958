"""What views see of uploads."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from rushes.uploads.incoming import IncomingFile, Received

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request

#: Where the middleware leaves what came in, in the ASGI scope.
SCOPE_KEY = "rushes.received"
_COPIED = "_rushes_received"


def received(request: HttpRequest | Request) -> dict[str, Received]:
    """The files of a request by the names of their form fields. Django's requests and the REST framework's will do.

    Without the middleware (tests with Django's test client, another server) they are copied from `request.FILES`.
    """
    plain: Any = getattr(request, "_request", request)
    scope = getattr(plain, "scope", None)
    if scope is not None and SCOPE_KEY in scope:
        files: dict[str, Received] = scope[SCOPE_KEY]
        return files
    # Asked twice, a request must not be copied twice: the second copy would be adopted by nobody.
    if not hasattr(plain, _COPIED):
        setattr(plain, _COPIED, _copied(request, plain))
    copies: dict[str, Received] = getattr(plain, _COPIED)
    return copies


def _copied(request: HttpRequest | Request, plain: HttpRequest) -> dict[str, Received]:
    copies = {}
    # The framework's own `FILES`: Django's has none for PATCH.
    for field, upload in request.FILES.items():
        if isinstance(upload, list):
            continue
        file = IncomingFile(Path(settings.INCOMING_ROOT), upload.name or "")
        # The request's end is the last moment at which it may be adopted.
        weakref.finalize(plain, file.discard)
        for chunk in upload.chunks():
            file.write(chunk)
        file.sync()
        copies[field] = file.as_received()
    return copies
