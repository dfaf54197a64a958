"""The ASGI application of `rushes play`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.routing import Mount

from rushes.engine.session import Session
from rushes.playback.waiting import HOLD_S

from . import events, pages, playlists
from .media import MediaApp
from .origins import guards
from .screening import Screening
from .texts import ReadTexts


def create_app(
    title: str,
    prepare: Callable[[], Session],
    *,
    host: str = "127.0.0.1",
    hold_s: float = HOLD_S,
    on_failed: Callable[[], None] | None = None,
    read_texts: ReadTexts | None = None,
) -> Starlette:
    """An application that shows one video; its pages answer while `prepare` still reads the file.

    `host` is where the server listens; it decides who may read (see `origins`).
    `prepare` runs once, in a thread, when the server has started; it returns a session, which the application starts,
    and closes when the server stops. Where it fails, `on_failed` is called on the event loop. `app.state.screening` is
    what is told to stop. `read_texts` reads the source's subtitles, in a thread. Raises PageNotBuilt.
    """
    screening = Screening(title, prepare, hold_s, on_failed, read_texts)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        screening.start()
        try:
            yield
        finally:
            await screening.close()

    app = Starlette(
        routes=[
            *pages.routes(title),
            *events.routes(screening),
            *playlists.routes(screening),
            # Whatever is left is a segment of the plan, or nothing.
            Mount("/", MediaApp(screening)),
        ],
        middleware=guards(host),
        lifespan=lifespan,
    )
    app.state.screening = screening
    return app
