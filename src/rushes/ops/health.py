"""/healthz and /readyz: whether this process answers, and whether it can do its work.

They are answered beside Django: a probe asks by whatever address it knows, without the host names that Django wants,
and gets its answer also while every thread of Django is busy.
"""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from rushes.engine import EngineError
from rushes.engine.binaries import toolchain

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

PATHS = frozenset({"/healthz", "/readyz"})
READY_LIMIT_S = 10.0

log = logging.getLogger(__name__)


async def health_app(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application for PATHS."""
    if scope["method"] not in ("GET", "HEAD"):
        await _answer(send, scope, 405, {"error": {"code": "method_not_allowed", "message": "Use GET."}})
    elif scope["path"] == "/healthz":
        await _answer(send, scope, 200, {"healthy": True})
    else:
        try:
            checks = await asyncio.wait_for(asyncio.to_thread(readiness), READY_LIMIT_S)
        except TimeoutError:
            checks = {"all": f"no answer within {READY_LIMIT_S:.0f} s"}
        ready = all(result == "ok" for result in checks.values())
        await _answer(send, scope, 200 if ready else 503, {"ready": ready, "checks": checks})


def readiness() -> dict[str, str]:
    """Each thing that the product needs: "ok", or what is wrong. Paths and addresses go to the log only."""
    return {
        "database": _check("the database", "it does not answer", _database),
        "ffmpeg": _check("ffmpeg", "it does not run here; see manage.py check_ffmpeg", _ffmpeg),
        "media": _check("the media folder", "it is not writable", _media),
    }


def _check(what: str, words: str, step: Callable[[], None]) -> str:
    try:
        step()
    except Exception as error:  # whatever it is, the probe gets an answer
        log.warning("Not ready: %s: %s", what, error)
        return words
    return "ok"


def _database() -> None:
    try:
        with connection.cursor() as cursor:
            # The tables too: before the migrations nothing works.
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
    finally:
        connection.close()  # this thread may not come back


def _ffmpeg() -> None:
    tools = toolchain()
    if tools.missing():
        raise EngineError(f"missing: {', '.join(map(str, tools.missing()))}")


def _media() -> None:
    folder = Path(settings.MEDIA_ROOT)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"rushes")


async def _answer(send: Send, scope: Scope, status: int, content: dict[str, Any]) -> None:
    body = json.dumps(content).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
