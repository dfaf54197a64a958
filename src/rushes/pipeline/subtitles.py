"""Subtitles of videos: those that people upload, and what players and the API are told of all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, Q

from rushes.engine import webvtt
from rushes.engine.cues import Cue
from rushes.engine.labels import plain
from rushes.engine.languages import bcp47
from rushes.engine.plan import Plan
from rushes.engine.subtitle_files import MAX_FILE_BYTES, NoSubtitles, read_subtitles
from rushes.engine.subtitles import FIRST_UPLOAD
from rushes.engine.webvtt import TextTrack
from rushes.videos.models import Encode, Subtitle, SubtitleOrigin, SubtitleStatus, Video
from rushes.videos.store import hls_store

from .takeover import follow

__all__ = ["MAX_FILE_BYTES", "NoSubtitles", "UnknownLanguage", "add_subtitles", "remove_subtitles"]

#: Of one video: a film has some thirty languages, twice.
MAX_UPLOADS = 100
_TRIES = 5


class UnknownLanguage(ValueError):
    """What was said to be a language is none; the message says what is expected."""


def add_subtitles(
    video: Video,
    data: bytes,
    *,
    language: str = "",
    title: str = "",
    default: bool = False,
    forced: bool = False,
    hearing_impaired: bool = False,
) -> Subtitle:
    """Take subtitles from a file of a user: SubRip, WebVTT or ASS. They are shown at once.

    Raises NoSubtitles and UnknownLanguage, whose messages are for whoever sent it.
    """
    tag = language_of(language)
    kind, cues = read_subtitles(data, tag)
    return add_cues(
        video,
        cues,
        origin=SubtitleOrigin.UPLOAD,
        codec=kind,
        language=tag,
        title=plain(title),
        default=default,
        forced=forced,
        hearing_impaired=hearing_impaired,
    )


def language_of(text: str) -> str:
    """A language by BCP 47; empty where nothing was said. Raises UnknownLanguage."""
    if not text.strip():
        return ""
    tag = bcp47(text)
    if tag is None:
        raise UnknownLanguage(
            f"{plain(text)[:40]!r} is not a language; write its code (BCP 47), for example en, de or pt-BR."
        )
    return tag


def add_cues(video: Video, cues: Iterable[Cue], *, language: str, **fields: Any) -> Subtitle:
    """Publish cues as a track of the video itself. Raises NoSubtitles where the video has too many."""
    cues, store = tuple(cues), hls_store(video.pk)
    for _ in range(_TRIES):
        own = Subtitle.objects.filter(video=video, encode__isnull=True)
        if own.count() >= MAX_UPLOADS:
            raise NoSubtitles(f"A video may have at most {MAX_UPLOADS} subtitle files; delete one first.")
        highest = own.aggregate(highest=Max("number"))["highest"] or FIRST_UPLOAD - 1
        name = f"subs-{highest + 1}-{(language or 'und').lower()}"
        key, count, size_bytes = webvtt.publish(store, name, cues)
        row = Subtitle(
            video=video,
            number=highest + 1,
            name=name,
            key=key,
            language=language,
            status=SubtitleStatus.READY,
            segment_count=count,
            size_bytes=size_bytes,
            **fields,
        )
        try:
            with transaction.atomic():
                if row.default:
                    own.update(default=False)
                row.save(force_insert=True)
                follow(video.pk)
        except IntegrityError:
            continue  # somebody was quicker with the same number
        return row
    raise RuntimeError("Other uploads always come first.")


def remove_subtitles(video: Video, name: str) -> None:
    """Delete an uploaded track, its files at once: it may have been the wrong one. Raises Subtitle.DoesNotExist."""
    row = Subtitle.objects.get(video=video, encode__isnull=True, name=name)
    with transaction.atomic():
        row.delete()
        follow(video.pk)
    store = hls_store(video.pk)
    store.delete(f"{name}/subs.m3u8")
    store.delete_folder(f"{name}/{row.key}")


def replace_captions(video: Video, cues: Iterable[Cue], language: str) -> None:
    """Publish captions by machine in place of earlier ones; without cues there are none."""
    for row in Subtitle.objects.filter(video=video, encode__isnull=True, origin=SubtitleOrigin.CAPTIONS):
        remove_subtitles(video, row.name)
    if cues := tuple(cues):
        add_cues(video, cues, language=language, origin=SubtitleOrigin.CAPTIONS, hearing_impaired=True)


def tracks_of(video: Video, encode: Encode | None) -> list[Subtitle]:
    """The rows of a video as that encode has it, in order."""
    wanted = (None, encode.pk if encode else None)
    # Not filtered by the database: for a page of videos they are read at once.
    return sorted((row for row in video.subtitles.all() if row.encode_id in wanted), key=lambda r: r.number)


def text_tracks(video_id: int, encode_id: int) -> tuple[TextTrack, ...]:
    """What players get of them: those that are ready. Of several defaults an uploaded one counts."""
    rows = list(
        Subtitle.objects.filter(
            Q(encode__isnull=True) | Q(encode=encode_id), video=video_id, status=SubtitleStatus.READY
        ).order_by("number")
    )
    chosen = max((row.number for row in rows if row.default), default=None)
    return tuple(_text_track(row, default=row.number == chosen) for row in rows)


def _text_track(row: Subtitle, *, default: bool) -> TextTrack:
    return TextTrack(
        name=row.name,
        key=row.key,
        language=row.language or None,
        label=label_of(row),
        default=default,
        forced=row.forced,
        hearing_impaired=row.hearing_impaired,
        segment_count=row.segment_count,
        size_bytes=row.size_bytes,
    )


def label_of(row: Subtitle) -> str:
    """What menus call a track."""
    title = row.title
    if row.origin == SubtitleOrigin.CAPTIONS:
        title = f"{webvtt.label_of(None, row.language or None, row.number)} (automatic)"
    return webvtt.label_of(
        title or None,
        row.language or None,
        row.number,
        forced=row.forced,
        hearing_impaired=row.hearing_impaired,
    )


def describe(row: Subtitle) -> dict[str, Any]:
    """A track in the words of the API, without its address."""
    return {
        "name": row.name,
        "label": label_of(row),
        "language": row.language or None,
        "title": row.title or None,
        "default": row.default,
        "forced": row.forced,
        "hearing_impaired": row.hearing_impaired,
        "origin": row.origin,
        "codec": row.codec,
        "status": row.status,
        "reason": row.reason or None,
    }


def rows_of(encode: Encode, plan: Plan) -> list[Subtitle]:
    """The rows of a plan's tracks, not saved."""
    return [
        Subtitle(
            video_id=encode.video_id,
            encode=encode,
            number=track.number,
            name=track.name,
            origin=SubtitleOrigin.EMBEDDED,
            codec=track.codec[:32],
            language=track.language or "",
            title=(track.title or "")[:100],
            default=track.default,
            forced=track.forced,
            hearing_impaired=track.hearing_impaired,
            status=SubtitleStatus.NOT_CONVERTIBLE if track.refusal else SubtitleStatus.PROCESSING,
            reason=track.refusal or "",
        )
        for track in plan.subtitles
    ]
