"""The playlists of a finished encode, as files: so that any static web server can serve the folder."""

from __future__ import annotations

from . import dash, hls
from .plan import Plan, Rung
from .session import Session
from .store import FolderStore


def write_playlists(plan: Plan, session: Session, store: FolderStore) -> None:
    """Write every playlist and the manifest, with measured bit rates; the master last: it makes the rest known.

    Rungs that are not complete are not listed.
    """
    complete = {rendition.name for rendition in plan.renditions if session.complete(rendition.name)}
    measured = {
        rendition.name: hls.measure(rendition, session.segment_bytes(rendition.name))
        for rendition in plan.renditions
        if rendition.name in complete
    }
    listed = [rung.name for rung in plan.rungs if rung.name in complete]
    for rendition in plan.renditions:
        file = "video" if isinstance(rendition, Rung) else "audio"
        store.write(f"{rendition.name}/{file}.m3u8", hls.media_playlist(rendition).encode())
    for name in listed:
        store.write(f"{name}/index.m3u8", hls.rung_playlist(plan, name, measured).encode())
    store.write("manifest.mpd", dash.manifest(plan, listed, measured).encode())
    store.write("master.m3u8", hls.multivariant(plan, listed, measured).encode())
