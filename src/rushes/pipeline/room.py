"""Room on the disk: what a video will take is promised to it before the work, and what was promised is not free.

Uploads on their way need no promise here: their room is taken from the disk itself (`uploads.incoming`).
"""

from __future__ import annotations

import shutil
from fractions import Fraction
from math import ceil
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.models import F, Max, Sum

from rushes.engine.download import download_of
from rushes.engine.plan import AudioTrack, Plan, Rung
from rushes.jobs.handlers import Unmendable
from rushes.videos.models import EncodeState, Rendition

from .workshop import NoRoom

#: An encode is not begun without room for half as much again as it will probably take.
DISK_FACTOR = Fraction(3, 2)
#: Postgres's number of the lock that promises are made under; any, as long as nobody else has it.
_PROMISING = 0x527573686573  # "Rushes"


def bytes_of(plan: Plan, rendition: Rung | AudioTrack) -> int:
    """What a rendition may take, scratch and error of the estimate included."""
    return ceil(DISK_FACTOR * plan.duration_s * rendition.average_bandwidth_bps / 8)


def require_room(plan: Plan, video_id: int) -> None:
    """Whether there is room for a plan's streams, and for its MP4: a copy, or made of parts of its own.

    Raises Unmendable where the disk has not got it, NoRoom where others were promised it: they may need less.
    """
    sizes = [bytes_of(plan, rendition) for rendition in plan.renditions]
    own = sum(bytes_of(plan, rendition) for rendition in download_of(plan).own)
    needed = sum(sizes) + (2 * own or max(sizes, default=0))
    free = shutil.disk_usage(settings.MEDIA_ROOT).free
    if needed > free:
        raise Unmendable(
            f"There is not enough room on the server: about {_gb(needed)} are needed, {_gb(free)} are free."
        )
    promised = promised_bytes(without_video=video_id)
    if needed > free - promised:
        raise NoRoom(
            f"There is not enough room on the server now: about {_gb(needed)} are needed, {_gb(free)} are free, and "
            f"{_gb(min(promised, free))} of them are promised to videos that came before."
        )


def one_promise_at_a_time() -> None:
    """Until this transaction ends nobody else promises room. SQLite's writers come one after the other anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_PROMISING])


def promised_bytes(*, without_video: int | None = None) -> int:
    """What encodes in work may still take."""
    # For each encode what of its renditions is still to come, and the largest once more: its MP4 is made last.
    share = F("promised_bytes") * (F("chunk_count") - F("chunks_done")) / F("chunk_count")
    rows = Rendition.objects.filter(
        encode__state__in=(EncodeState.BUILDING, EncodeState.ACTIVE),
        encode__completed_at__isnull=True,
        encode__error="",
    )
    if without_video is not None:
        rows = rows.exclude(encode__video=without_video)
    per_encode = rows.values("encode").order_by().annotate(rest=Sum(share), mp4=Max("promised_bytes"))
    return int(sum(row["rest"] + row["mp4"] for row in per_encode))  # Postgres adds up to decimals


def free_bytes(folder: Path) -> int:
    """What may be written there without taking what encodes were promised. Raises OSError."""
    return shutil.disk_usage(folder).free - promised_bytes()


def _gb(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.1f} GB"
