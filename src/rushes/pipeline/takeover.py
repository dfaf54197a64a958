"""The one step by which a re-encode takes over, and what becomes of the old one."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from rushes.engine.plan import UnreadablePlan
from rushes.jobs.clock import now
from rushes.jobs.handlers import Claimed, Handler, Report
from rushes.jobs.ledger import enqueue
from rushes.jobs.queues import CONTROL, Priority
from rushes.videos.access import playback_life_s
from rushes.videos.models import Chunk, Encode, EncodeState, Rendition, Subtitle, Video
from rushes.videos.store import MediaStore, hls_store

from .download import remove_parts
from .outputs import folder_of, mp4_name

_OVER = (EncodeState.RETIRED, EncodeState.FAILED)

#: Tokens are rounded up to the hour, and a request may have begun in its last second.
MARGIN_S = 2 * 3600
#: What a failed encode has made is kept for a retry, but not for ever.
FAILED_LIFE_S = 3600


def take_over(encode: Encode, video: Video) -> None:
    """Make `encode` what players get. Both rows are locked by the caller."""
    old = video.active_encode
    if old is not None and old.pk != encode.pk:
        retire(old, video)
    Encode.objects.filter(pk=encode.pk).update(state=EncodeState.ACTIVE)
    Video.objects.filter(pk=video.pk).update(active_encode=encode)


def retire(old: Encode, video: Video) -> None:
    """Players that read its playlists go on with it: its segments stay as long as a token lives."""
    Encode.objects.filter(pk=old.pk).update(state=EncodeState.RETIRED, retired_at=now())
    enqueue(
        "retire",
        queue=CONTROL,
        args={"encode": old.pk},
        key=f"retire:{old.pk}",
        run_after_s=playback_life_s(video.duration_s) + MARGIN_S,
    )


def discard(building: Encode, reason: str) -> None:
    """End an encode that players never got; its row stays and says why. The video's row is locked by the caller."""
    Encode.objects.filter(pk=building.pk).update(state=EncodeState.FAILED, error=reason, retired_at=now())
    enqueue(
        "retire",
        queue=CONTROL,
        args={"encode": building.pk},
        key=f"retire:{building.pk}",
        run_after_s=FAILED_LIFE_S,
    )


class RetireHandler(Handler):
    """Kind `retire`: removes what only an encode that is over has, of its files and of its rows."""

    kind = "retire"
    queue = CONTROL

    def run(self, job: Claimed, report: Report) -> None:
        """Remove files; nothing is removed that another encode needs."""
        over = Encode.objects.filter(pk=job.args["encode"], state__in=_OVER).defer("plan_json").first()
        if over is not None:
            remove_files(over)

    def commit(self, job: Claimed, result: Any) -> None:
        """Forget a retired encode; of a failed one its reason stays, for people."""
        Encode.objects.filter(pk=job.args["encode"], state=EncodeState.RETIRED).delete()
        failed = Rendition.objects.filter(encode=job.args["encode"], encode__state=EncodeState.FAILED)
        Chunk.objects.filter(rendition__in=failed).delete()
        failed.update(chunks_done=0, settled_until=0)


def remove_files(encode: Encode) -> None:
    """Remove the segments, downloads and pictures that only this encode of its video uses."""
    store = hls_store(encode.video_id)
    others = Rendition.objects.filter(encode__video=encode.video_id).exclude(encode=encode)
    # Renditions of failed encodes have no claim to files once their own removal has been.
    others = others.exclude(encode__state=EncodeState.FAILED, chunks_done=0)
    kept = set(others.values_list("name", "key"))
    names = {name for name, _ in kept}
    for row in encode.renditions.all():
        if (row.name, row.key) in kept:
            continue
        store.delete_folder(f"{row.name}/{row.key}")
        if row.name not in names:
            store.delete_folder(row.name)
    for folder in own_subtitles(encode):
        store.delete_folder(folder)
    media = MediaStore()
    for name in (mp4_name(encode), encode.work_source):
        if name:
            media.delete(name)
    media.delete_folder(folder_of(encode))
    with suppress(UnreadablePlan):  # of an older build, which made none
        remove_parts(encode)


def own_subtitles(encode: Encode) -> list[str]:
    """Folders of the texts that only this encode of its video uses."""
    rows = Subtitle.objects.filter(video=encode.video_id).exclude(key="")
    kept = set(rows.exclude(encode=encode).values_list("name", "key"))
    mine = set(rows.filter(encode=encode).values_list("name", "key"))
    names = {name for name, _ in kept}
    gone = [f"{name}/{key}" for name, key in mine - kept]
    return gone + sorted({name for name, _ in mine} - names)


def follow(video_id: int) -> None:
    """Ask for the files that follow a change of the active encode. In the caller's transaction."""
    enqueue(
        "publish",
        queue=CONTROL,
        group=str(video_id),
        args={"video": video_id},
        key=f"publish:{video_id}",
        priority=Priority.CONTROL,
    )
