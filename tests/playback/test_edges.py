"""Playback where it could hang, fail or work too much: odd requests, clients that leave, many at once."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
from django.db.models.functions import Now

from rushes.engine.plan import Plan
from rushes.pipeline.chunks import pack_sizes
from rushes.pipeline.plans import OUTDATED
from rushes.playback import events, lookups, promoter, watcher
from rushes.playback.app import PlaybackApp
from rushes.videos.models import Chunk, Encode, Rendition, Video, Visibility
from tests.playback.conftest import Viewer, aside

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]
LIMIT_S = 30.0


async def asked(
    app: PlaybackApp, path: str, method: str = "GET", *, leave: asyncio.Event | None = None
) -> list[dict[str, Any]]:
    """What a bare server is sent for a request whose client stays until `leave`."""
    sent: list[dict[str, Any]] = []
    begun = False

    async def receive() -> dict[str, Any]:
        nonlocal begun
        if not begun:
            begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await (leave or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": method,
        "path": path,
    }
    await app({**scope, "query_string": b"", "headers": []}, receive, send)
    return sent


async def allowed() -> bool:
    return True


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every query, of whatever thread."""
    said: list[str] = []
    execute = CursorWrapper.execute

    def noted(self: CursorWrapper, sql: Any, params: Any = None) -> Any:
        said.append(str(sql))
        return execute(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", noted)
    return said


def test_no_address_is_too_odd_for_an_answer_in_the_apis_shape(viewer: Viewer, here: str, plan: Plan) -> None:
    key = plan.rendition("360p").key
    for odd in (
        "/api/video/%00/master.m3u8",
        "/api/video/a%00b/events",
        f"{here}360p%00/{key}/0.m4s",
        f"{here}360p/%00/0.m4s",
        f"{here}360p/{key}/0.m4s%00",
        f"{here}360p%00/video.m3u8",
        f"{here}{'9' * 3000}/{key}/0.m4s",
        f"{here}360p/{key}/{'9' * 5000}.m4s",
    ):
        answer = viewer.get(odd)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), odd


def test_an_odd_cookie_is_nobodys(viewer: Viewer, here: str) -> None:
    Video.objects.update(visibility=Visibility.PRIVATE)
    for odd in (r'"\000abc"', "x" * 5000, '"'):
        answer = viewer.get(here + "master.m3u8", cookie=f"{settings.SESSION_COOKIE_NAME}={odd}")
        assert answer.status_code == 404, odd


def test_a_part_beyond_the_end_is_refused_in_the_apis_shape(
    viewer: Viewer, here: str, plan: Plan, publish: Callable[..., bytes]
) -> None:
    content = publish("360p", 0)
    answer = viewer.get(here + plan.rendition("360p").segment_name(0), range=f"bytes={len(content)}-")
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(content)}"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "immutable" not in answer.headers.get("cache-control", "")
    assert answer.json()["error"]["code"] == "range_not_satisfiable"


def test_an_encode_of_another_version_is_refused_in_words(
    viewer: Viewer, here: str, video: Video, plan: Plan
) -> None:
    segment = plan.rendition("360p").segment_name(0)
    Encode.objects.update(plan_version=plan.version - 1, plan_json='{"version": 1}')
    Video.objects.update(status="ready", playable_at=Now(), ready_at=Now())
    for rest in ("master.m3u8", "manifest.mpd", "360p/index.m3u8", segment):
        answer = viewer.get(here + rest)
        assert answer.status_code == 404
        assert "Encode it again." in answer.json()["error"]["message"]
    told = events.snapshot(Video.objects.select_related("active_encode").get())
    assert told["error"] == OUTDATED
    assert not told["playable"]
    assert told["rungs"] == []


def test_head_on_the_events_is_answered_and_ends(viewer: Viewer, here: str) -> None:
    async def work(_: httpx.AsyncClient, app: PlaybackApp) -> list[dict[str, Any]]:
        async with asyncio.timeout(LIMIT_S):
            return await asked(app, here + "events", "HEAD")

    start, *bodies = viewer.run(work)
    assert start["status"] == 200
    assert (b"content-type", b"text/event-stream; charset=utf-8") in start["headers"]
    assert b"".join(body["body"] for body in bodies) == b""


@pytest.mark.parametrize("rest", ["master.m3u8", "segment"])
def test_a_client_that_goes_away_no_longer_waits(viewer: Viewer, here: str, plan: Plan, rest: str) -> None:
    viewer.hold_s = LIMIT_S * 10
    path = here + rest
    if rest == "segment":
        path = here + plan.rendition("360p").segment_name(0)
    else:
        Video.objects.update(active_encode=None)

    async def work(_: httpx.AsyncClient, app: PlaybackApp) -> None:
        leave = asyncio.Event()
        request = asyncio.ensure_future(asked(app, path, leave=leave))
        async with asyncio.timeout(LIMIT_S):
            while not app.waiting:
                await asyncio.sleep(0.01)
            leave.set()
            await request
            assert app.waiting == 0

    viewer.run(work)


def test_stopping_ends_the_wait_for_a_plan_at_once(viewer: Viewer, here: str) -> None:
    viewer.hold_s = LIMIT_S * 10
    Video.objects.update(active_encode=None)

    async def work(client: httpx.AsyncClient, app: PlaybackApp) -> httpx.Response:
        request = asyncio.ensure_future(client.get(here + "master.m3u8"))
        async with asyncio.timeout(LIMIT_S):
            while not app.waiting:
                await asyncio.sleep(0.01)
            app.close()
            return await request

    assert viewer.run(work).status_code == 503


def test_a_database_that_is_away_is_a_503_and_no_error_of_ours(
    viewer: Viewer, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: str) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(lookups, "load_showing", away)
    answer = viewer.get(here + "master.m3u8")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert answer.headers["cache-control"] == "no-store"


def test_a_published_file_is_noticed_soon_however_long_the_database_takes(
    viewer: Viewer, here: str, plan: Plan, publish: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question for failures is asked beside the looking, not between two looks."""
    viewer.hold_s = LIMIT_S * 10
    release = asyncio.Event()
    asking = asyncio.Event()

    async def slow(self: Any, keys: Any) -> None:
        asking.set()
        await release.wait()

    monkeypatch.setattr(watcher.Watcher, "_ask_for_failures", slow)

    async def work(client: httpx.AsyncClient, _: PlaybackApp) -> httpx.Response:
        request = asyncio.ensure_future(client.get(here + plan.rendition("360p").segment_name(0)))
        async with asyncio.timeout(LIMIT_S):
            await asking.wait()
            await aside(publish, "360p", 0)
            return await request

    assert viewer.run(work).status_code == 200


def test_wishes_do_not_stand_in_the_way_of_other_requests(
    viewer: Viewer, here: str, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wish is a write, and a write may have to wait for the database's lock."""
    viewer.hold_s = LIMIT_S * 10
    unlocked = threading.Event()
    begun = threading.Semaphore(0)

    def locked(*_: Any) -> None:
        begun.release()
        unlocked.wait(LIMIT_S)

    monkeypatch.setattr(promoter, "promote", locked)
    names = [rung.segment_name(n) for rung in plan.rungs for n in range(rung.timeline.segment_count)]

    async def work(client: httpx.AsyncClient, app: PlaybackApp) -> httpx.Response:
        waiting = [asyncio.ensure_future(client.get(here + name)) for name in names]
        try:
            async with asyncio.timeout(LIMIT_S):
                while app.waiting < len(names):
                    await asyncio.sleep(0.01)
                app._lookups._seen.clear()
                return await client.get(here + "master.m3u8")
        finally:
            unlocked.set()
            app.close()
            await asyncio.gather(*waiting)

    assert viewer.run(work).status_code == 200


def test_pages_of_videos_at_rest_cost_one_query_a_look(
    viewer: Viewer, video: Video, queries: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LOOK_S", 0.01)
    Video.objects.update(status="ready", ready_at=Now(), playable_at=Now())
    others = [
        Video.objects.create(title=f"at rest {n}", visibility="public", status="failed", error="no")
        for n in range(5)
    ]

    async def work(_: httpx.AsyncClient, app: PlaybackApp) -> list[str]:
        streams = [app._events.stream(v.public_id, allowed) for v in (video, *others, *others)]
        async with asyncio.timeout(LIMIT_S):
            for stream in streams:
                await anext(stream)
            before = len(queries)

            def looks() -> list[str]:
                return [sql for sql in queries[before:] if sql.startswith("SELECT")]

            while len(looks()) < 20:
                await asyncio.sleep(0.01)
        for stream in streams:
            await stream.aclose()
        return looks()

    assert all("SUM(" in sql for sql in viewer.run(work))


def test_nothing_is_asked_when_nobody_watches_or_waits(
    viewer: Viewer, here: str, plan: Plan, video: Video, queries: list[str]
) -> None:
    viewer.hold_s = 0.05

    async def work(client: httpx.AsyncClient, app: PlaybackApp) -> None:
        stream = app._events.stream(video.public_id, allowed)
        await anext(stream)
        await stream.aclose()
        assert (await client.get(here + plan.rendition("360p").segment_name(0))).status_code == 503
        async with asyncio.timeout(LIMIT_S):
            tasks = (app._events._task, app._watcher._looking, app._watcher._asking)
            while not all(task is not None and task.done() for task in tasks):
                await asyncio.sleep(0.01)

    viewer.run(work)


def test_a_page_hears_of_a_rung_that_can_be_fed(viewer: Viewer, video: Video, plan: Plan) -> None:
    timeline = plan.rendition("720p").timeline

    def complete() -> None:
        row = Rendition.objects.get(name="720p")
        Chunk.objects.bulk_create(
            Chunk(
                rendition=row,
                index=index,
                state="done",
                segment_sizes=pack_sizes([1000] * len(timeline.chunk_segments(index))),
            )
            for index in range(timeline.chunk_count)
        )
        Rendition.objects.filter(pk=row.pk).update(chunks_done=row.chunk_count)

    async def work(_: httpx.AsyncClient, app: PlaybackApp) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        async with asyncio.timeout(LIMIT_S):
            async for event in app._events.stream(video.public_id, allowed):
                told.append(json.loads(event.partition("data: ")[2]))
                if len(told) == 2:
                    break
                await aside(complete)
        return told

    first, second = viewer.run(work)
    assert [rung["fed"] for rung in first["rungs"]] == [False, True]
    assert [rung["fed"] for rung in second["rungs"]] == [True, True]
    assert second["rungs"][0]["there"] == [[0, 1]]


def test_whoever_may_not_watch_any_more_hears_nothing_more(
    viewer: Viewer, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LOOK_S", 0.01)

    async def work(_: httpx.AsyncClient, app: PlaybackApp) -> list[dict[str, Any]]:
        request = asyncio.ensure_future(asked(app, here + "events"))
        async with asyncio.timeout(LIMIT_S):
            while not app._events._told:
                await asyncio.sleep(0.01)
            await aside(partial(Video.objects.all().update, visibility=Visibility.PRIVATE, title="A secret"))
            return await request

    sent = viewer.run(work)
    assert b"A secret" not in b"".join(message.get("body", b"") for message in sent)
