"""Who may read what `rushes play` serves: this machine, unless the user has opened the server to others.

A server on loopback can be reached by every website that is open in the user's browser. Without these guards one could
read the video: by a request across origins, or by a name of its own that it makes resolve to 127.0.0.1.
"""

from __future__ import annotations

import ipaddress

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

_LOCAL_ORIGINS = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"
#: "[" is what Starlette makes of "[::1]:8000".
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[")


def guards(host: str) -> list[Middleware]:
    """Middleware for a server that listens on `host`.

    Pages of this machine may play the streams, whatever their port; on loopback only local names are answered.
    """
    middleware = [
        Middleware(
            CORSMiddleware,
            allow_origin_regex=_LOCAL_ORIGINS,
            allow_methods=["GET", "HEAD"],
            allow_headers=["range"],
            expose_headers=["content-length", "content-range"],
        )
    ]
    if is_loopback(host):
        middleware.insert(
            0, Middleware(TrustedHostMiddleware, allowed_hosts=_LOCAL_HOSTS, www_redirect=False)
        )
    return middleware


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on `host` (a name or an address)."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
