"""Uploads as they come: to disk while they are read, refused before they are read, and gone where nobody took them."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qs

import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from rushes.uploads.forms import FileBegins, FileData, FileEnds, FormReader
from rushes.uploads.incoming import IncomingFile
from rushes.uploads.multipart import StreamingUploads
from rushes.uploads.refusals import Refusal
from rushes.uploads.requests import SCOPE_KEY
from rushes.videos.keys import make_key

BOUNDARY = "xyz"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def form(*parts: tuple[str, str | None, bytes]) -> bytes:
    """Parts are (field, file name or None, content)."""
    body = b""
    for field, name, content in parts:
        head = f'Content-Disposition: form-data; name="{field}"' + (f'; filename="{name}"' if name else "")
        body += f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


class Inner:
    """What stands for Django: remembers what it was given, and keeps files if told to."""

    def __init__(self, keep: Path | None = None) -> None:
        self.keep = keep
        self.fields: dict[str, list[str]] = {}
        self.files: dict[str, bytes] = {}
        self.called = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.called = True
        message = await receive()
        self.fields = parse_qs(message["body"].decode())
        for field, file in scope.get(SCOPE_KEY, {}).items():
            self.files[field] = file.path.read_bytes()
            if self.keep:
                file.path.rename(self.keep)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def incoming(settings: Any, tmp_path: Path) -> Path:
    settings.INCOMING_ROOT = tmp_path / "incoming"
    return tmp_path / "incoming"


@pytest.fixture
def token(transactional_db: None) -> str:
    _, secret = make_key(User.objects.create_user("ann"), "test", ["submit"])
    return secret


@pytest.fixture
def send(incoming: Path, token: str) -> Callable[..., tuple[int, Inner]]:
    """Send a body in pieces; the status and what the inner application saw."""

    def run(
        body: bytes,
        *,
        piece: int = 65_536,
        keep: Path | None = None,
        authorization: str | None = None,
        ends: bool = True,
        kind: str = TYPE,
    ) -> tuple[int, Inner]:
        inner = Inner(keep)
        pieces = [body[at : at + piece] for at in range(0, len(body), piece)] or [b""]
        messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": part, "more_body": number + 1 < len(pieces) or not ends}
            for number, part in enumerate(pieces)
        ]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def note(message: Any) -> None:
            sent.append(message)

        said = f"Token {token}" if authorization is None else authorization
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/api/video/",
            "headers": [
                (b"content-type", kind.encode()),
                (b"content-length", str(len(body)).encode()),
                (b"authorization", said.encode()),
            ],
        }
        asyncio.run(StreamingUploads(inner)(scope, receive, note))
        return (sent[0]["status"] if sent else 0), inner

    return run


def test_files_are_on_disk_and_fields_reach_django(
    send: Callable[..., tuple[int, Inner]], incoming: Path, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 9000
    body = form(("title", None, "Größe & Maß".encode()), ("file", "../../x.mov", content))
    status, inner = send(body, keep=tmp_path / "kept")
    assert (status, inner.fields) == (200, {"title": ["Größe & Maß"]})
    assert (tmp_path / "kept").read_bytes() == content
    assert not list(incoming.iterdir())


def test_what_nobody_takes_is_removed(send: Callable[..., tuple[int, Inner]], incoming: Path) -> None:
    _, inner = send(form(("file", "x", b"content")))
    assert inner.files == {"file": b"content"}
    assert not list(incoming.iterdir())


def test_a_sender_that_goes_away_leaves_nothing(
    send: Callable[..., tuple[int, Inner]], incoming: Path
) -> None:
    status, inner = send(form(("file", "x", b"c" * 300_000))[:200_000], ends=False)
    assert (status, inner.called) == (0, False)
    assert not list(incoming.iterdir())


@pytest.mark.parametrize("authorization", ["", "Token wrong", "Basic x"])
def test_strangers_are_refused_before_anything_is_written(
    send: Callable[..., tuple[int, Inner]], incoming: Path, authorization: str
) -> None:
    status, inner = send(form(("file", "x", b"content")), authorization=authorization)
    assert (status, inner.called) == (401, False)
    assert not incoming.exists()


def test_too_large_is_refused_while_it_is_read(
    send: Callable[..., tuple[int, Inner]], incoming: Path, settings: Any
) -> None:
    settings.RUSHES_MAX_UPLOAD_MB = 1
    assert send(form(("file", "x", b"c" * 1_000_000)))[0] == 200
    assert send(form(("file", "x", b"c" * 1_000_001)))[0] == 413
    assert not list(incoming.iterdir())


def test_a_disk_that_is_full_is_said(
    send: Callable[..., tuple[int, Inner]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rushes.uploads.multipart.SPARE_BYTES", 1 << 60)
    assert send(form(("file", "x", b"content")))[0] == 507


def test_a_body_that_stands_still_is_given_up(
    incoming: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rushes.uploads.multipart.IDLE_S", 0.05)
    body = form(("file", "x", b"c" * 1000))
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body[:500], "more_body": True}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.sleep(0.2)
            return {"type": "http.disconnect"}
        return messages.pop(0)

    async def note(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", TYPE.encode()), (b"authorization", f"Token {token}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/upload/", "headers": headers}
    asyncio.run(StreamingUploads(Inner())(scope, receive, note))
    assert sent[0]["status"] == 408
    assert not list(incoming.iterdir())


def test_the_disk_is_watched_while_a_body_of_unknown_length_comes(
    send: Callable[..., tuple[int, Inner]], incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([1 << 40, 1 << 40])  # before the first byte, and after the first write
    monkeypatch.setattr(
        "rushes.uploads.multipart.shutil.disk_usage", lambda _: SimpleNamespace(free=next(free, 0))
    )
    status, inner = send(form(("file", "x", bytes(3 << 20))))
    assert (status, inner.called) == (507, False)
    assert not list(incoming.iterdir())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"nothing", TYPE),
        (form(("file", "x", b"content"))[:-10], TYPE),
        (form(("file", "x", b"content")), "multipart/form-data"),
        (form(("file", "x", b"one"), ("file", "y", b"two")), TYPE),
        (b"--xyz\r\nContent-Disposition: attachment\r\n\r\nx\r\n--xyz--\r\n", TYPE),
    ],
)
def test_what_is_no_form_is_refused(
    send: Callable[..., tuple[int, Inner]], incoming: Path, body: bytes, kind: str
) -> None:
    status, inner = send(body, kind=kind)
    assert (status, inner.called) == (400, False)
    assert not incoming.exists() or not list(incoming.iterdir())


@given(st.integers(1, 200), st.binary(max_size=400))
@given_settings(max_examples=150, deadline=None)
def test_a_form_means_the_same_wherever_it_is_torn(piece: int, content: bytes) -> None:
    body = form(("a", None, b"1"), ("file", "x", content.replace(b"--xyz", b"")), ("b", None, b"2"))
    reader = FormReader(TYPE)
    events = [event for at in range(0, len(body), piece) for event in reader.feed(body[at : at + piece])]
    reader.end()
    assert isinstance(events[0], FileBegins)
    assert isinstance(events[-1], FileEnds)
    data = b"".join(event.data for event in events if isinstance(event, FileData))
    assert data == content.replace(b"--xyz", b"")
    assert reader.fields == [("a", b"1"), ("b", b"2")]


def test_a_field_that_never_ends_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        FormReader(TYPE).feed(form(("a", None, b"x" * 100_000)))
    assert refused.value.status == 413


def taken_bytes(folder: Path) -> int:
    """What the files there take from the disk, reserved or written."""
    return sum(path.stat().st_blocks * 512 for path in folder.iterdir())


def reserves(folder: Path) -> bool:
    """Whether the file system there can reserve room."""
    before, file = taken_bytes(folder), IncomingFile(folder, "x")
    file.reserve(64 << 20)
    reserved = taken_bytes(folder) - before >= 64 << 20
    file.discard()
    return reserved


def test_room_is_taken_before_the_bytes_come_and_what_was_too_much_is_given_back(incoming: Path) -> None:
    file = IncomingFile(incoming, "x")
    file.reserve(8 << 20)
    file.write(b"content")
    assert (file.path.stat().st_size, file.path.read_bytes()) == (7, b"content")
    if reserves(incoming):
        assert taken_bytes(incoming) >= 8 << 20
    file.sync(whole=True)
    assert (file.path.stat().st_size, taken_bytes(incoming) < 1 << 20) == (7, True)
    file.discard()
    assert not list(incoming.iterdir())


def test_uploads_that_come_at_once_have_room_for_all_of_them_or_one_is_refused_before_its_bytes(
    send: Callable[..., tuple[int, Inner]], incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = IncomingFile(incoming, "x")  # of another process, which has not sent a byte
    if not reserves(incoming):
        pytest.skip(f"no room can be reserved on the file system of {incoming}")
    content, disk_bytes = bytes(6 << 20), 100 << 20
    monkeypatch.setattr("rushes.uploads.multipart.SPARE_BYTES", 0)
    monkeypatch.setattr(
        "shutil.disk_usage", lambda _: SimpleNamespace(free=disk_bytes - taken_bytes(incoming))
    )
    assert send(form(("file", "x", content)))[0] == 200
    other.reserve(95 << 20)
    status, inner = send(form(("file", "x", content)))
    assert (status, inner.called) == (507, False)
    other.discard()
    assert send(form(("file", "x", content)))[0] == 200
    assert not list(incoming.iterdir())


def test_a_file_system_that_cannot_reserve_takes_uploads_all_the_same(
    send: Callable[..., tuple[int, Inner]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "no")

    monkeypatch.setattr("rushes.uploads.incoming._fallocate", cannot)
    assert send(form(("file", "x", b"content")))[0] == 200
    full = OSError(errno.ENOSPC, "no")
    monkeypatch.setattr("rushes.uploads.incoming._fallocate", Mock(side_effect=full))
    assert send(form(("file", "x", b"content" * 100_000)), piece=1000)[0] == 507


def test_what_is_promised_to_videos_in_work_is_not_taken_by_uploads(
    send: Callable[..., tuple[int, Inner]], incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rushes.pipeline.room.promised_bytes", lambda: 1 << 60)
    assert send(form(("file", "x", b"content")))[0] == 507
    assert not list(incoming.iterdir())
