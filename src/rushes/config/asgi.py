"""The ASGI application: streams, waits and uploads beside Django, everything else in it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rushes.config.settings")
_DJANGO = get_asgi_application()  # before the rest is imported: it needs the models

from rushes.jobs.delivery.engine import chosen  # noqa: E402
from rushes.jobs.delivery.standby import InThread  # noqa: E402
from rushes.ops.health import PATHS as HEALTH_PATHS  # noqa: E402
from rushes.ops.health import health_app  # noqa: E402
from rushes.photos.serving import PhotoFiles  # noqa: E402
from rushes.playback.app import PlaybackApp  # noqa: E402
from rushes.uploads.bodies import SmallBodies  # noqa: E402
from rushes.uploads.incoming import sweep_incoming  # noqa: E402
from rushes.uploads.multipart import StreamingUploads  # noqa: E402

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Any], Awaitable[None]]


class Application:
    """Sends each request where it belongs."""

    def __init__(self, django: App, playback: PlaybackApp) -> None:
        self._django = django
        self._playback = playback
        self._photos = PhotoFiles()
        self._standby: InThread | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection, as ASGI has it."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] != "http":
            raise ValueError(f"no application for {scope['type']}")
        elif scope["path"] in HEALTH_PATHS:
            await health_app(scope, receive, send)
        elif self._playback.handles(scope):
            await self._playback(scope, receive, send)
        elif self._photos.handles(scope):
            await self._photos(scope, receive, send)
        else:
            await self._django(scope, receive, send)

    def close(self) -> None:
        """Let go of everything that waits: the server stops. May be called from a signal handler."""
        self._playback.close()
        if self._standby is not None:
            self._standby.stop()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                # What a web process that was killed was receiving.
                await asyncio.to_thread(sweep_incoming, Path(settings.INCOMING_ROOT))
                if (engine := chosen()) is not None:
                    self._standby = InThread(engine)
            else:
                self.close()
                if self._standby is not None:
                    await asyncio.to_thread(self._standby.join)
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


application = Application(StreamingUploads(SmallBodies(_DJANGO)), PlaybackApp())
