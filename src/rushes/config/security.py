"""Headers and cookies that Django leaves to us."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

#: Only what comes from this server. media-chrome's components and the admin carry styles in their elements, hence
#: 'unsafe-inline' for styles; blob: is how Media Source Extensions are named, and how hls.js starts its worker.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)

GetResponse = Callable[[HttpRequest], HttpResponse]


def content_security_policy(get_response: GetResponse) -> GetResponse:
    """Middleware: the policy on every answer that has none of its own."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return middleware


def secure_cookies(get_response: GetResponse) -> GetResponse:
    """Middleware: cookies set over HTTPS are for HTTPS alone.

    Django's settings say always or never; `make run` speaks HTTP, and HTTPS as soon as a proxy stands before it.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.is_secure():
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response

    return middleware
