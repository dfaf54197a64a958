"""How far a video is, in the words of the API and the pages."""

from __future__ import annotations

from typing import Any

from rushes.engine.tally import weights_of
from rushes.jobs.clock import now
from rushes.jobs.ledger import queue_position
from rushes.videos.models import Chunk, Video, VideoStatus

from .plans import OUTDATED, is_readable, plan_of
from .streams import fed_rungs

_SHOWN_FROM = 2  # per cent: before that a rate says nothing
_LAST = 24  # chunks whose pace is taken for that of the rest


def is_playable(video: Video) -> bool:
    """Whether players can begin, with what this build reads."""
    return video.playable and _is_readable(video)


def error_of(video: Video) -> str:
    """What is wrong with it, as a sentence; empty where nothing is."""
    return video.error or ("" if _is_readable(video) else OUTDATED)


def _is_readable(video: Video) -> bool:
    return video.active_encode is None or is_readable(video.active_encode)


def describe(video: Video) -> dict[str, Any]:
    """Progress, time left, place in line and the renditions of what players get, without addresses."""
    working = video.status in (VideoStatus.PENDING, VideoStatus.PROCESSING)
    return {
        "progress_percentage": video.progress_percentage,
        "eta_seconds": _eta_s(video) if working else None,
        "queue_position": queue_position(str(video.pk)) if working else None,
        **_renditions(video),
    }


def _eta_s(video: Video) -> int | None:
    """From the pace of the last chunks: weighed by pixels, over the time since the first of them was begun."""
    encode = video.active_encode
    if encode is None or not is_readable(encode) or video.progress_percentage < _SHOWN_FROM:
        return None
    plan = plan_of(encode.pk)
    weights = weights_of(plan)
    total = sum(weights.values()) * float(plan.duration_s)
    # Those of earlier encodes that were taken over were not made now.
    made = Chunk.objects.filter(rendition__encode=encode, state="done", made_at__gte=encode.created_at)
    last = list(made.order_by("-made_at", "-pk").values_list("rendition__name", "index", "made_at")[:_LAST])
    if not last:
        return None
    work = 0.0
    for name, index, _ in last:
        timeline = plan.rendition(name).timeline
        first, end = timeline.chunk_ticks(index)
        work += weights[name] * (end - first) / timeline.timescale
    since = last[-1][2] if len(last) == _LAST else encode.created_at
    spent_s = max(0.001, (now() - since).total_seconds())
    left = total * (100 - video.progress_percentage) / 100
    return round(left * spent_s / work) if work else None


def _renditions(video: Video) -> dict[str, Any]:
    encode = video.active_encode
    if encode is None or not is_readable(encode):
        return {"renditions": [], "audio_tracks": []}
    plan = plan_of(encode.pk)
    rows = list(encode.renditions.all())
    fed = fed_rungs(plan, frozenset(row.name for row in rows if row.complete))
    rungs, tracks = [], []
    for row in rows:
        planned = plan.rendition(row.name)
        common = {
            "name": row.name,
            "codecs": row.codecs,
            "bandwidth": row.measured_peak_bps or planned.bandwidth_bps,
            "status": "ready" if row.complete else ("playable" if row.name in fed else "processing"),
        }
        if row.kind == "video":
            rungs.append({**common, "width": row.width, "height": row.height})
        else:
            tracks.append(
                {
                    **common,
                    "language": getattr(planned, "language", None),
                    "title": getattr(planned, "title", None),
                    "default": getattr(planned, "default", False),
                    "channels": getattr(planned, "channels", 0),
                    "loudness": None
                    if row.integrated_lufs is None
                    else {
                        "integrated_lufs": row.integrated_lufs,
                        "range_lu": row.range_lu,
                        "true_peak_dbtp": row.true_peak_dbtp,
                    },
                    "gain_db": getattr(planned, "gain_centibels", 0) / 10,
                }
            )
    return {"renditions": rungs, "audio_tracks": tracks}
