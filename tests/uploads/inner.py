"""A server of its own for the tests: uploads before a tiny application that stands for Django.

`python -m tests.uploads.inner FD FOLDER`. It answers with what it was given. With the field `keep` it adopts the files
into FOLDER under that name; with the field `wait` it first waits until a file of that name is in FOLDER.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import django
import uvicorn

django.setup()

from rushes.uploads.bodies import SmallBodies  # noqa: E402
from rushes.uploads.multipart import StreamingUploads  # noqa: E402
from rushes.uploads.requests import SCOPE_KEY  # noqa: E402


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Inner:
    """What stands for Django."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        fields = {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
        (self.folder / "asked").touch()
        gone = asyncio.ensure_future(receive())
        while "wait" in fields and not (self.folder / fields["wait"]).exists():
            await asyncio.sleep(0.01)
            if gone.done():  # Django, too, leaves a request whose sender has left
                return
        gone.cancel()
        files = {
            field: {"name": file.name, "size_bytes": file.size_bytes, "sha256": digest(file.path)}
            for field, file in scope.get(SCOPE_KEY, {}).items()
        }
        for field, file in scope.get(SCOPE_KEY, {}).items():
            if "keep" in fields:
                file.path.rename(self.folder / f"{fields['keep']}-{field}")
        answer = json.dumps({"fields": parse_qs(body.decode()), "files": files}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    listener = socket.socket(fileno=int(sys.argv[1]))
    inner = Inner(Path(sys.argv[2]))
    config = uvicorn.Config(StreamingUploads(SmallBodies(inner)), lifespan="off", log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])
