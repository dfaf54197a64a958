"""What playback refuses, in the API's shape, and what other sites may read."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from .files import NEVER


def refusal(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """An error in the API's shape."""
    body = {"error": {"code": code, "message": message, "fields": {}}}
    return JSONResponse(body, status_code=status, headers={"cache-control": NEVER, **(headers or {})})


def not_found(
    message: str = "There is nothing of that name.", headers: dict[str, str] | None = None
) -> Response:
    """404, the same for what is not there and for what is not shown."""
    return refusal(404, "not_found", message, headers)


def beyond_the_end(headers: dict[str, str]) -> Response:
    """416: no byte of the file is in the part that was asked for."""
    return refusal(416, "range_not_satisfiable", "The file ends before that.", headers)


def cors() -> dict[str, str]:
    """Headers that let players on other sites read the answer."""
    # No credentials: what anybody, or whoever has the token, may read anyway.
    return {
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "content-length, content-range, etag",
    }
