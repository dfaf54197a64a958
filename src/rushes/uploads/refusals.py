"""Answers that are given before Django is asked."""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

#: How long a sender may go on after it was refused. One that is cut off while it sends gets a reset and no answer.
LINGER_S = 2.0


class Refusal(Exception):
    """A request that is answered with an error. The message is a sentence for whoever sent it."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


async def answer(refusal: Refusal, receive: Receive, send: Send, *, as_page: bool = False) -> None:
    """Send a refusal and end the connection: the rest of the body is not wanted.

    The answer is whole at once; what still comes is thrown away for a moment, so that the sender gets to read it.
    `as_page`: in words alone, for a browser without scripts.
    """
    body = _page(refusal) if as_page else _json(refusal)
    headers = {
        "content-type": "text/html; charset=utf-8" if as_page else "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        "cache-control": "no-store",
        **refusal.headers,
    }
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    try:
        async with asyncio.timeout(LINGER_S):
            while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
                pass
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b""})


def _json(refusal: Refusal) -> bytes:
    return json.dumps({"error": {"code": refusal.code, "message": refusal.message, "fields": {}}}).encode()


def _page(refusal: Refusal) -> bytes:
    return (
        '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">'
        "<title>Not uploaded · Rushes</title>"
        f'<h1>Not uploaded</h1><p>{html.escape(refusal.message)}</p><p><a href="/upload/">Back</a></p></html>'
    ).encode()
