"""Bodies that are no uploads are small: what is larger is refused while it comes.

Django's ASGI handler keeps any body in a temporary file before it asks a single view, however large it is and whoever
sends it. Without this a stranger could fill the disk by posting to the sign-in page.
"""

from __future__ import annotations

from django.conf import settings

from rushes.uploads.refusals import App, Message, Receive, Refusal, Scope, Send, answer


class SmallBodies:
    """ASGI middleware: a body above Django's DATA_UPLOAD_MAX_MEMORY_SIZE is a 413."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection, as ASGI has it."""
        most_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if scope["type"] != "http" or most_bytes is None:
            await self._app(scope, receive, send)
            return
        taken_bytes = 0

        async def receive_small() -> Message:
            nonlocal taken_bytes
            message = await receive()
            taken_bytes += len(message.get("body", b""))
            if taken_bytes > most_bytes:
                raise _too_large()  # through Django, which is still reading
            return message

        try:
            if _length(scope) > most_bytes:
                raise _too_large()
            await self._app(scope, receive_small, send)
        except Refusal as refusal:
            await answer(refusal, receive, send)


def _length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value)
    return 0  # chunked: it is counted as it comes


def _too_large() -> Refusal:
    return Refusal(413, "too_large", "This is too much; only files may be large.")
