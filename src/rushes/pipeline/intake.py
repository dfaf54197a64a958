"""How work begins: a video and its first job in one transaction, and what people ask for later."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction

from rushes.jobs.clock import now
from rushes.jobs.ledger import cancel, cancel_group, enqueue
from rushes.jobs.models import OPEN, Job, Status
from rushes.jobs.queues import CONTROL, Priority
from rushes.videos.models import Encode, EncodeState, Video, VideoStatus, Visibility
from rushes.videos.store import MediaStore, adopt_source, sync

from .choices import asked_codecs, asked_quality
from .removal import enqueue_removal

#: A second wish for the same within this time is the same wish.
DEBOUNCE_S = 10
_RESOLUTION = re.compile(r"(\d{2,4})p")
MAX_TITLE = 200
SOURCE_FIELDS = ("source", "source_bytes", "original_name")
#: So often a plan is made anew because workers have different encoder builds.
_MOST_REPLANS = 2


class SourceDeleted(Exception):
    """The source is not kept any more, so nothing can be made from it."""


class UnknownResolution(ValueError):
    """Not a resolution that Rushes makes; the message says what is."""


def create_video(
    *,
    owner: Any,
    path: Path,
    original_name: str,
    title: str = "",
    description: str = "",
    visibility: str = Visibility.PRIVATE,
    external_ref: str = "",
) -> Video:
    """Take over an uploaded file as a new video; its ingest is enqueued in the same transaction."""
    name = plain_name(original_name)
    sync(path)  # not within the transaction: gigabytes may be on their way to the disk
    with _adopting(path) as adopt:
        video = Video.objects.create(
            owner=owner,
            title=(title or Path(name).stem)[:MAX_TITLE],
            description=description,
            visibility=visibility,
            external_ref=external_ref,
            original_name=name,
            source_bytes=path.stat().st_size,
        )
        video.source = adopt(video.pk)
        video.save(update_fields=["source"])
        _ingest(video)
    return video


def replace_source(video: Video, path: Path, original_name: str) -> Job:
    """Give a video another source; the old result plays on until the new one takes over."""
    sync(path)
    with _adopting(path) as adopt:
        row = Video.objects.select_for_update().get(pk=video.pk)
        replaced, before = row.source, _before(row)
        row.source_bytes, row.original_name = path.stat().st_size, plain_name(original_name)
        row.source = adopt(row.pk)
        row.error = ""
        if row.active_encode_id is None or row.status == VideoStatus.FAILED:
            row.status = VideoStatus.PENDING
        row.save(update_fields=[*SOURCE_FIELDS, "error", "status"])
        _forget(row, replaced)
        _cancel_ingests(row)
        return _ingest(row, {"before": before})


@contextmanager
def _adopting(path: Path) -> Iterator[Callable[[int], str]]:
    """A transaction in which `adopt(video_id)` makes the file a source; where it is rolled back, that is removed."""
    with ExitStack() as undo:

        def adopt(video_id: int) -> str:
            name = adopt_source(video_id, path)
            undo.callback(MediaStore().delete, name)
            return name

        with transaction.atomic():
            yield adopt
        undo.pop_all()


def _before(video: Video) -> dict[str, Any]:
    """What a video's source is again where nothing comes of the next: the last one that something was made from."""
    now_there = {name: getattr(video, name) for name in SOURCE_FIELDS}
    if Encode.objects.filter(video=video, source=video.source).exists():
        return now_there
    asked = Job.objects.filter(group=str(video.pk), kind="ingest", args__source=video.source).order_by("-pk")
    before: dict[str, Any] | None = next(
        (job.args["settings"]["before"] for job in asked if "before" in job.args["settings"]), None
    )
    return before or now_there


def _cancel_ingests(video: Video) -> None:
    """Nobody needs to look at a source any more that was replaced; of gigabytes that may take minutes.

    After the commit: a job whose commit waits for the video's row, which is locked here, must not be waited for.
    """
    jobs = Job.objects.filter(group=str(video.pk), kind="ingest", status__in=OPEN)
    looking = list(jobs.exclude(args__source=video.source).values_list("pk", flat=True))
    transaction.on_commit(lambda: cancel(looking))


def _forget(video: Video, source: str) -> None:
    """Remove a source that was replaced before anything was made from it; other ones go when nothing needs them."""
    if source and not Encode.objects.filter(video=video, source=source).exists():
        transaction.on_commit(lambda: MediaStore().delete(source))


def transcode(
    video: Video,
    resolutions: Collection[str] | None = None,
    force: bool = False,
    *,
    quality: str | None = None,
    codecs: Collection[str] | None = None,
) -> Job:
    """Make the video's renditions again, or others; the same job for calls within 10 s, or while it waits.

    What is there already is not made again, unless it is to be forced: then all of it is, in the same places.
    Raises SourceDeleted, UnknownResolution, UnknownChoice.
    """
    asked: dict[str, Any] = {}
    if resolutions:
        asked["rungs"] = parse_resolutions(resolutions)
    if quality:
        asked["quality"] = asked_quality(quality)
    if codecs:
        asked["codecs"] = list(asked_codecs(codecs))
    if force:
        asked["force"] = True
    return _again(video, asked)


def retry_video(video: Video) -> Job:
    """Go on with a video that failed; what is there of it is kept. Raises SourceDeleted."""
    return _again(video, {"retry": True})


def require_source(video: Video) -> None:
    """Raises SourceDeleted where there is nothing to make the video from."""
    if not video.source or not MediaStore().exists(video.source):
        raise SourceDeleted("The source of this video is not kept any more; upload it again to change it.")


def _again(video: Video, asked: dict[str, Any]) -> Job:
    with transaction.atomic():
        row = Video.objects.select_for_update().get(pk=video.pk)
        require_source(row)
        key = f"transcode:{row.pk}"
        young = Job.objects.filter(key=key, created_at__gte=now() - timedelta(seconds=DEBOUNCE_S))
        # One that came to nothing grants no wish.
        young = young.exclude(status__in=(Status.FAILED, Status.CANCELLED))
        recent = young.order_by("-pk").first()
        if recent is not None and recent.args.get("source") == row.source:
            return recent
        if row.status == VideoStatus.FAILED:
            Video.objects.filter(pk=row.pk).update(status=VideoStatus.PENDING, error="")
        return _ingest(row, asked, key=key)


def plan_again(encode: Encode, *, software: bool = False) -> None:
    """The plan is of encoders that are not here any more: make another. In the caller's transaction.

    With `software` by encoders that every worker has.
    Where workers have different builds, which would go on for ever, it fails.
    """
    video = Video.objects.get(pk=encode.video_id)
    replans = encode.settings.get("replans", 0) + 1
    if replans > _MOST_REPLANS:
        reason = "The workers have different builds of ffmpeg, which cannot make one video together."
        Encode.objects.filter(pk=encode.pk).update(error=reason)
        status = VideoStatus.FAILED if encode.state == EncodeState.ACTIVE else video.status
        Video.objects.filter(pk=video.pk).update(error=reason, status=status)
    elif video.source == encode.source:
        asked = {**encode.settings, "replans": replans}
        if software:
            asked["software"] = True
        _ingest(video, asked, key=f"replan:{encode.pk}")


def encode_instead(encode: Encode) -> None:
    """What was copied does not decode: encode all of it, which fills in what is damaged. In the caller's transaction.

    What is there plays on meanwhile; where nothing comes of the new one it is taken as it is.
    """
    video = Video.objects.get(pk=encode.video_id)
    encode.settings["copy_doubted"] = True
    encode.save(update_fields=["settings"])
    if video.source == encode.source:
        asked = {name: value for name, value in encode.settings.items() if name in ("rungs", "before")}
        _ingest(video, {**asked, "copy": False}, key=f"uncopied:{encode.pk}")


def delete_video(video: Video) -> None:
    """Remove a video: rows at once, running work cancelled, files as soon as nobody works on them."""
    with transaction.atomic():
        video_id = video.pk
        # Jobs first, then the rows: the order in which commits lock them.
        cancel_group(str(video_id))
        Video.objects.filter(pk=video_id).update(active_encode=None)
        Video.objects.get(pk=video_id).delete()
        enqueue_removal(video_id)


def parse_resolutions(resolutions: Collection[str]) -> list[int]:
    """`["720p", "360p"]` as lines. Raises UnknownResolution."""
    lines = []
    for resolution in resolutions:
        match = _RESOLUTION.fullmatch(str(resolution).strip().lower())
        if match is None or int(match[1]) % 2 or not 16 <= int(match[1]) <= 4320:
            raise UnknownResolution(f"{resolution!r} is not a resolution; write for example 720p.")
        lines.append(int(match[1]))
    return sorted(set(lines), reverse=True)


def plain_name(name: str) -> str:
    """What a user called a file, as a text to be shown: no folders, nothing that does not print."""
    base = re.split(r"[/\\]", name)[-1]
    return "".join(character for character in base if character.isprintable())[-255:] or "video"


def _ingest(video: Video, asked: dict[str, Any] | None = None, *, key: str | None = None) -> Job:
    return enqueue(
        "ingest",
        queue=CONTROL,
        group=str(video.pk),
        args={"video": video.pk, "source": video.source, "settings": asked or {}},
        key=key,
        priority=Priority.FIRST,
    )
