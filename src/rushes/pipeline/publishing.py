"""Kind `publish`: the playlists of the active encode as files, and the removal of what is not needed any more."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from rushes.engine import dash, hls
from rushes.engine.plan import Plan, Rung
from rushes.jobs.handlers import Claimed, Handler, Report
from rushes.jobs.models import OPEN, Job
from rushes.jobs.queues import CONTROL
from rushes.videos.models import Chunk, Encode, EncodeState, Rendition, Video, VideoStatus
from rushes.videos.store import MediaStore, folders_of, hls_store, sync

from . import workshop
from .chunks import unpack_sizes
from .plans import plan_of
from .subtitles import text_tracks
from .takeover import follow

#: Writing a playlist takes milliseconds.
_HALF_WRITTEN_S = 10


class PublishHandler(Handler):
    """Files follow the database: asked for after each takeover, and harmless when done twice."""

    kind = "publish"
    queue = CONTROL

    def run(self, job: Claimed, report: Report) -> int | None:
        """Write the playlists, the master last; then remove what is not needed. The encode that was published."""
        videos = Video.objects.select_related("active_encode").defer("active_encode__plan_json")
        video = videos.filter(pk=job.args["video"]).first()
        if video is None:
            return None
        with workshop.interruptions():
            if video.active_encode is not None and video.active_encode.completed_at is not None:
                write_playlists(video.active_encode)
            _tidy(video)
        return video.active_encode_id

    def commit(self, job: Claimed, result: int | None) -> None:
        """Sources that are gone are gone in the rows, too; and once more, where another encode took over meanwhile."""
        video = Video.objects.select_for_update().filter(pk=job.args["video"]).first()
        if video is None:
            return
        if video.active_encode_id != result:
            follow(video.pk)
        elif video.status == VideoStatus.READY and video.source and not MediaStore().exists(video.source):
            Video.objects.filter(pk=video.pk, source=video.source).update(source="")


def write_playlists(encode: Encode) -> None:
    """Every playlist and the manifest of a complete encode, with measured rates; the master last."""
    plan, store = plan_of(encode.pk), hls_store(encode.video_id)
    measured = measure(encode, plan)
    listed = [rung.name for rung in plan.rungs]
    for rendition in plan.renditions:
        file = "video" if isinstance(rendition, Rung) else "audio"
        store.write(f"{rendition.name}/{file}.m3u8", hls.media_playlist(rendition).encode())
    texts = text_tracks(encode.video_id, encode.pk)
    for text in texts:
        store.write(f"{text.name}/subs.m3u8", hls.text_playlist(text, plan.duration_s).encode())
    rows = {row.name: row.pk for row in encode.renditions.all()}
    for rung in plan.rungs:
        if measured[rung.name].iframes is not None:
            playlist = hls.iframe_playlist(rung, keyframes_of(rows[rung.name]))
            store.write(f"{rung.name}/iframes.m3u8", playlist.encode())
        store.write(f"{rung.name}/index.m3u8", hls.rung_playlist(plan, rung.name, measured, texts).encode())
    store.write("manifest.mpd", dash.manifest(plan, listed, measured, texts).encode())
    masters = hls.masters(plan, listed)
    for name in set(hls.ENTRANCES) - {*masters, "manifest.mpd"}:
        store.delete(name)  # of an encode before this
    for name, rungs in masters.items():
        store.write(name, hls.multivariant(plan, rungs, measured, texts).encode())


def measure(encode: Encode, plan: Plan) -> dict[str, hls.Measured]:
    """The real bit rates of the renditions that are complete, from the sizes of their segments."""
    measured = {}
    for row in encode.renditions.all():
        if row.measured_peak_bps is not None and row.measured_average_bps is not None:
            iframes: hls.Measured | None = None
            if row.iframe_peak_bps is not None and row.iframe_average_bps is not None:
                iframes = hls.Measured(peak_bps=row.iframe_peak_bps, average_bps=row.iframe_average_bps)
            measured[row.name] = hls.Measured(
                peak_bps=row.measured_peak_bps, average_bps=row.measured_average_bps, iframes=iframes
            )
        elif row.complete:
            planned = plan.rendition(row.name)
            measured[row.name] = hls.measure(planned, sizes_of(row.pk), keyframes_of(row.pk))
    return measured


def remember(row: Rendition, measured: hls.Measured) -> None:
    """Keep what was measured in the rendition's row."""
    row.measured_peak_bps, row.measured_average_bps = measured.peak_bps, measured.average_bps
    if measured.iframes is not None:
        row.iframe_peak_bps, row.iframe_average_bps = measured.iframes.peak_bps, measured.iframes.average_bps
    row.save(
        update_fields=[
            *("measured_peak_bps", "measured_average_bps"),
            *("iframe_peak_bps", "iframe_average_bps"),
        ]
    )


def sizes_of(rendition_id: int) -> tuple[int, ...]:
    """Bytes of every segment of a complete rendition, in order."""
    return _sizes(rendition_id, "segment_sizes")


def keyframes_of(rendition_id: int) -> tuple[int, ...]:
    """How much of each segment of a complete rung holds its first picture; fewer where some were made before that
    was noted."""
    return _sizes(rendition_id, "keyframe_sizes")


def _sizes(rendition_id: int, column: str) -> tuple[int, ...]:
    packed = Chunk.objects.filter(rendition=rendition_id).order_by("index").values_list(column, flat=True)
    return tuple(size for sizes in packed for size in unpack_sizes(sizes))


def sync_streams(encode: Encode) -> None:
    """Return when no power cut takes a segment of a complete encode any more. Raises OSError."""
    store = hls_store(encode.video_id)
    for rendition in plan_of(encode.pk).renditions:
        folder = store.path(rendition.folder)
        for path in folder.iterdir():
            sync(path)
        for parent in (folder, folder.parent):
            sync(parent)
    for parent in (store.root, *list(store.root.parents)[:2]):
        sync(parent)


def _tidy(video: Video) -> None:
    """Remove sources and seekable copies that nothing needs any more, and what a killed writer left half-written."""
    media, store = MediaStore(), hls_store(video.pk)
    sources, copies = _files(f"sources/{video.pk}"), _files(f"work/{video.pk}")
    # Asked after the folders were read: what an ingest has put there and not yet committed is not taken from it.
    ingests = Job.objects.filter(kind="ingest", group=str(video.pk), status__in=OPEN).exists()
    # Of a source that was just adopted the row may not be written yet: only what some encode was made from goes.
    made_from = set(Encode.objects.filter(video=video).values_list("source", flat=True))
    unfinished = Encode.objects.filter(
        video=video, completed_at__isnull=True, state__in=(EncodeState.BUILDING, EncodeState.ACTIVE)
    )
    needed = set(unfinished.values_list("source", flat=True))
    if settings.RUSHES_KEEP_SOURCE or video.status != VideoStatus.READY:
        needed.add(video.source)
    if video.active_encode and (ingests or unfinished.exists()):
        needed.add(video.active_encode.source)  # where nothing comes of the new one, it is the video's again
    over = made_from & sources - needed
    if over and video.active_encode is not None:
        # Segments are not synced one by one: what a power cut takes is made again, but not without a source.
        sync_streams(video.active_encode)
    for name in over:
        media.delete(name)
    if not ingests:
        for name in copies - set(unfinished.values_list("work_source", flat=True)):
            media.delete(name)
    half_written = [path for depth in ("", "*/", "*/*/") for path in store.root.glob(f"{depth}.*")]
    for folder in folders_of(video.pk):
        half_written += media.path(folder).glob(".*")
    long_ago_s = _file_system_s(store.root) - _HALF_WRITTEN_S if half_written else 0.0
    for path in half_written:
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < long_ago_s:
                path.unlink()


def _file_system_s(folder: Path) -> float:
    """The time by the clock that stamps files there: that of another host, where the folder is shared."""
    with tempfile.TemporaryFile(dir=folder) as now:
        return os.fstat(now.fileno()).st_mtime


def _files(folder: str) -> set[str]:
    path = MediaStore().path(folder)
    return {f"{folder}/{file.name}" for file in path.iterdir()} if path.is_dir() else set()
