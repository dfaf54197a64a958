"""Who sends a request, for what is answered beside Django: by its session cookie or its token."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from .keys import find_user

_KEYWORD = "token "


def find_sender(cookie: str, authorization: str, scope: str) -> Any:
    """The active user of that `Cookie` or `Authorization` header, None where there is none. Asks the database.

    `scope` is what a token must be for.
    """
    if authorization[: len(_KEYWORD)].lower() == _KEYWORD:
        return find_user(authorization[len(_KEYWORD) :].strip(), scope)
    key = session_key(cookie)
    if key is None:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(request)
    return user if user.is_authenticated and user.is_active else None


def session_key(cookie: str) -> str | None:
    """The session's key in a `Cookie` header."""
    try:
        found = SimpleCookie(cookie).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return None
    return found.value if found is not None else None
