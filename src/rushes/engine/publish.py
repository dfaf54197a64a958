"""The playlists of a finished encode, as files: so that any static web server can serve the folder."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from . import dash, hls, webvtt
from .binaries import Toolchain
from .plan import Plan, Rung
from .session import Session
from .store import FolderStore
from .subtitles import extract
from .webvtt import TextTrack


def write_texts(
    plan: Plan,
    source: Path,
    tools: Toolchain,
    store: FolderStore,
    scratch: Path,
    *,
    cancel: threading.Event | None = None,
) -> tuple[TextTrack, ...]:
    """Publish the text of the source's subtitles; what can be read of them. Raises what `extract` raises."""
    texts = []
    for one in extract(plan, source, tools, scratch, cancel=cancel):
        if not one.cues:
            continue
        track = one.track
        key, count, size_bytes = webvtt.publish(store, track.name, one.cues)
        label = webvtt.label_of(
            track.title,
            track.language,
            track.number,
            forced=track.forced,
            hearing_impaired=track.hearing_impaired,
        )
        texts.append(
            TextTrack(
                name=track.name,
                key=key,
                language=track.language,
                label=label,
                default=track.default,
                forced=track.forced,
                hearing_impaired=track.hearing_impaired,
                segment_count=count,
                size_bytes=size_bytes,
            )
        )
    return tuple(texts)


def write_playlists(
    plan: Plan, session: Session, store: FolderStore, texts: Sequence[TextTrack] = ()
) -> None:
    """Write every playlist and the manifest, with measured bit rates; the master last: it makes the rest known.

    Rungs that are not complete are not listed.
    """
    measured = session.measured()
    listed = [rung.name for rung in plan.rungs if rung.name in measured]
    for rendition in plan.renditions:
        file = "video" if isinstance(rendition, Rung) else "audio"
        store.write(f"{rendition.name}/{file}.m3u8", hls.media_playlist(rendition).encode())
    for text in texts:
        store.write(f"{text.name}/subs.m3u8", hls.text_playlist(text, plan.duration_s).encode())
    for rung in plan.rungs:
        if rung.name not in measured:
            continue
        if measured[rung.name].iframes is not None:
            playlist = hls.iframe_playlist(rung, session.keyframe_bytes(rung.name))
            store.write(f"{rung.name}/iframes.m3u8", playlist.encode())
        store.write(f"{rung.name}/index.m3u8", hls.rung_playlist(plan, rung.name, measured, texts).encode())
    store.write("manifest.mpd", dash.manifest(plan, listed, measured, texts).encode())
    masters = hls.masters(plan, listed)
    for name in set(hls.ENTRANCES) - {*masters, "manifest.mpd"}:
        store.delete(name)  # of an earlier encode into this folder
    for name, rungs in masters.items():
        if rungs or not plan.rungs:
            store.write(name, hls.multivariant(plan, rungs, measured, texts).encode())
