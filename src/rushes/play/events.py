"""What the page is told: one snapshot of everything that it shows, again whenever something changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from rushes.engine.events import Failed
from rushes.engine.plan import AudioTrack, Rung
from rushes.engine.session import Session
from rushes.engine.webvtt import TextTrack
from rushes.playback.files import NEVER

from .screening import Screening

#: Changes within this time are told together: a page need not know of every segment.
GATHER_S = 0.25
#: A comment keeps proxies from closing a connection on which nothing happens.
HEARTBEAT_S = 15.0


def routes(screening: Screening) -> list[Route]:
    """`/status`, once as JSON, and `/events`, the same as server-sent events."""

    async def status(_: Request) -> Response:
        return JSONResponse(snapshot(screening), headers={"cache-control": NEVER})

    async def events(_: Request) -> Response:
        # no-transform: a proxy that compresses would gather events up.
        headers = {"cache-control": f"{NEVER}, no-transform", "x-accel-buffering": "no"}
        return StreamingResponse(stream(screening), media_type="text/event-stream", headers=headers)

    return [Route("/status", status), Route("/events", events)]


async def stream(screening: Screening) -> AsyncIterator[str]:
    """Events named `status`, each a whole snapshot, so that a page that was away for a while misses nothing."""
    with screening.watch() as changed:
        told = ""
        while True:
            changed.clear()
            now = json.dumps(snapshot(screening), separators=(",", ":"))
            if now != told:
                told = now
                yield f"event: status\ndata: {now}\n\n"
            if screening.closing:
                return
            await asyncio.sleep(GATHER_S)
            try:
                await asyncio.wait_for(changed.wait(), HEARTBEAT_S)
            except TimeoutError:
                yield ": still here\n\n"


def snapshot(screening: Screening) -> dict[str, Any]:
    """Everything that the page shows, as plain data.

    `state` is reading, encoding, finished or failed. Times are in seconds, `progress` and `there` are parts of 1.
    """
    session = screening.session
    if session is None:
        return {
            "title": screening.title,
            "state": "failed" if screening.error else "reading",
            "error": screening.error,
            "warnings": [],
            "rungs": [],
            "audio": [],
            "subtitles": [],
            "failures": [],
        }
    status = session.status()
    plan = session.plan
    return {
        "title": screening.title,
        "state": status.state,
        "error": status.error,
        "warnings": list(status.warnings),
        "progress": round(status.progress, 4),
        "eta_s": None if status.eta_s is None else round(status.eta_s, 1),
        "speed": None if status.speed is None else round(status.speed, 2),
        "duration_s": float(plan.duration_s),
        "rungs": [_rung(screening, session, rung) for rung in plan.rungs],
        "audio": [_audio(track) for track in plan.audio],
        "subtitles": [_text(text) for text in screening.texts],
        "failures": [_failure(session, failed) for failed in screening.failures],
    }


def _rung(screening: Screening, session: Session, rung: Rung) -> dict[str, Any]:
    return {
        "name": rung.name,
        "width": rung.width,
        "height": rung.height,
        "copied": rung.method == "copy",
        "fed": rung.name in session.fed_rungs(),
        "complete": session.complete(rung.name),
        "there": screening.coverage.spans(rung.name) if screening.coverage else [],
    }


def _audio(track: AudioTrack) -> dict[str, Any]:
    return {"name": track.name, "language": track.language, "title": track.title, "default": track.default}


def _text(text: TextTrack) -> dict[str, Any]:
    return {
        "name": text.name,
        "label": text.label,
        "language": text.language,
        "default": text.default,
        "kind": text.kind,
        "url": f"/{text.whole_name}",
    }


def _failure(session: Session, failed: Failed) -> dict[str, Any]:
    """A chunk that will never come: the page then asks no more for the segments of `rendition` in it."""
    told: dict[str, Any] = {"rendition": failed.rendition, "reason": failed.reason}
    with contextlib.suppress(KeyError, IndexError):
        timeline = session.plan.rendition(failed.rendition).timeline
        segments = timeline.chunk_segments(failed.chunk)
        told |= {
            "first_segment": segments.start,
            "last_segment": segments.stop - 1,
            "start_s": float(timeline.start_s(segments.start)),
            "end_s": float(
                timeline.start_s(segments.start) + sum(map(timeline.segment_duration_s, segments))
            ),
        }
    return told
