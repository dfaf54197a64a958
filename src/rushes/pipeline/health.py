"""What of a video's streams is there: by the plan, on disk, and in the database."""

from __future__ import annotations

from typing import Any

from rushes.engine.plan import Rung
from rushes.videos.models import Chunk, Video
from rushes.videos.store import hls_store

from .plans import is_readable, plan_of


def health_of(video: Video) -> dict[str, Any]:
    """Per rendition of the active encode: manifest and segments expected, on disk, in the database, missing."""
    encode = video.active_encode
    if encode is None or not is_readable(encode):
        return {"public_id": video.public_id, "status": video.status, "healthy": False, "renditions": []}
    plan, store = plan_of(encode.pk), hls_store(video.pk)
    renditions = []
    for row in encode.renditions.all():
        planned = plan.rendition(row.name)
        timeline = planned.timeline
        there = {
            number for number in range(timeline.segment_count) if store.exists(planned.segment_name(number))
        }
        done = Chunk.objects.filter(rendition=row, state="done").values_list("index", flat=True)
        recorded = sum(len(timeline.chunk_segments(index)) for index in done)
        manifest = f"{row.name}/{'video' if isinstance(planned, Rung) else 'audio'}.m3u8"
        missing = sorted(set(range(timeline.segment_count)) - there)
        renditions.append(
            {
                "name": row.name,
                "manifest": store.exists(manifest),
                "init": store.exists(planned.init_name),
                "segments_expected": timeline.segment_count,
                "segments_on_disk": len(there),
                "segments_in_database": recorded,
                "missing": missing,
            }
        )
    healthy = all(r["manifest"] and r["init"] and not r["missing"] for r in renditions)
    return {
        "public_id": video.public_id,
        "status": video.status,
        "healthy": healthy,
        "renditions": renditions,
    }
