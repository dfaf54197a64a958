"""The pages and what they load: the built front end, nothing from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

import rushes.web

DIST = Path(rushes.web.__file__).parent / "dist"
PAGES = {"/": "index.html", "/shaka": "shaka.html", "/dash": "dash.html", "/native": "native.html"}

#: Only what comes from this server. media-chrome's components carry <style> elements in their shadow trees, hence
#: 'unsafe-inline' for styles; blob: is how Media Source Extensions are named, and the
#: track that Shaka shows subtitles by has an address of data:.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "media-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


class PageNotBuilt(RuntimeError):
    """The front end is not there; the message says how to build it."""


class _Static(StaticFiles):
    """Static files that a browser asks for anew each time, by their ETag: their names don't change with a build."""

    def file_response(self, *arguments: object, **options: object) -> Response:
        response: Response = super().file_response(*arguments, **options)  # type: ignore[arg-type]
        response.headers["cache-control"] = "no-cache"
        response.headers["x-content-type-options"] = "nosniff"
        return response


def check_built() -> None:
    """Raise PageNotBuilt when a page is missing."""
    missing = [name for name in PAGES.values() if not (DIST / name).is_file()]
    if missing:
        raise PageNotBuilt(
            f"the player's page is not built ({', '.join(missing)} not in {DIST}): run `make venv`"
        )


def routes(title: str) -> list[BaseRoute]:
    """The pages, with the video's title in them, and the built scripts and styles. Raises PageNotBuilt."""
    check_built()
    return [
        *(
            Route(path, _page((DIST / name).read_text(encoding="utf-8"), title))
            for path, name in PAGES.items()
        ),
        Mount("/static", _Static(directory=DIST)),
    ]


def _page(template: str, title: str) -> Callable[[Request], Awaitable[Response]]:
    text = template.replace("{{title}}", html.escape(title))

    async def endpoint(_: Request) -> Response:
        return HTMLResponse(text, headers=HEADERS)

    return endpoint
