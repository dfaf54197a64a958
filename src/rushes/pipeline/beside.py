"""What is made of a source beside its streams: the text of its subtitles, its loudness, captions by machine.

Each is one job of an encode. The encode is finished only when they are: afterwards the source may be gone. None of them
keeps a video from being ready: where nothing comes of one, that is said, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings

from rushes.engine import webvtt
from rushes.engine.captions import NoCaptions, caption_cues, check, listener
from rushes.engine.loudness import Loudness, heard_of, measure_loudness
from rushes.engine.plan import AudioTrack, SubtitleTrack
from rushes.engine.process import FfmpegFailed, LimitExceeded, scratch_folder
from rushes.engine.store import FolderStore
from rushes.engine.subtitles import Extracted, extract
from rushes.jobs.handlers import Claimed, Handler, Report, Unmendable
from rushes.jobs.ledger import enqueue
from rushes.jobs.models import Job
from rushes.jobs.queues import SUBTITLE, TRANSCODE
from rushes.videos.models import Encode, EncodeState, Subtitle, SubtitleOrigin, SubtitleStatus, Video
from rushes.videos.store import hls_store

from . import workshop
from .building import living, locked, settle, wanted_again
from .plans import OUTDATED, is_readable, plan_of
from .subtitles import replace_captions
from .window import root_of

_MAX_REASON = 300


@dataclass(frozen=True, kw_only=True)
class Published:
    """A track whose files are there, or the reason why they are not."""

    track: SubtitleTrack
    key: str = ""
    segment_count: int = 0
    size_bytes: int = 0
    reason: str = ""


class SubtitleHandler(Handler):
    """Kind `subtitle`: the text of a source's subtitles."""

    kind = "subtitle"
    queue = SUBTITLE

    def run(self, job: Claimed, report: Report) -> tuple[Published, ...]:
        """Take out what can be, and write its files."""
        encode = living(job.args["encode"])
        if encode is None or encode.subtitles_done:
            return ()
        store = hls_store(encode.video_id)
        with workshop.interruptions():
            extracted = extract(
                plan_of(encode.pk),
                workshop.source_path(encode),
                workshop.tools(),
                workshop.scratch(),
                cancel=report.cancel,
            )
        for one in extracted:
            if one.reason:
                report.log(f"{one.track.name}: {one.reason}", "warning")
        return tuple(self._publish(store, one) for one in extracted)

    def _publish(self, store: FolderStore, one: Extracted) -> Published:
        if not one.cues:
            return Published(track=one.track, reason=one.reason)
        key, count, size_bytes = webvtt.publish(store, one.track.name, one.cues)
        return Published(track=one.track, key=key, segment_count=count, size_bytes=size_bytes)

    def commit(self, job: Claimed, result: tuple[Published, ...]) -> None:
        """Tell of the tracks, and go on."""
        encode = locked(job.args["encode"])
        if encode is None:
            return
        for one in result:
            told = {
                "key": one.key,
                "segment_count": one.segment_count,
                "size_bytes": one.size_bytes,
                "status": SubtitleStatus.READY if one.key else SubtitleStatus.FAILED,
                "reason": one.reason[:_MAX_REASON],
            }
            of_picture = {
                "video_id": encode.video_id,
                "name": one.track.name,
                "origin": SubtitleOrigin.EMBEDDED,
                "codec": one.track.codec,
                "title": one.track.title or "",
                "hearing_impaired": one.track.hearing_impaired,
            }
            Subtitle.objects.update_or_create(
                encode=encode, number=one.track.number, defaults=told, create_defaults={**of_picture, **told}
            )
        _done(encode, "subtitles_done")

    def failed(self, job: Claimed, reason: str) -> None:
        """The video is watched without them."""
        encode = locked(job.args["encode"])
        if encode is not None:
            waiting = encode.subtitles.filter(status=SubtitleStatus.PROCESSING)
            waiting.update(status=SubtitleStatus.FAILED, reason=reason[:_MAX_REASON])
            _done(encode, "subtitles_done")

    def retried(self, job: Claimed) -> None:
        """They may be read after all."""
        _again(job, "subtitles_done")


class LoudnessHandler(Handler):
    """Kind `loudness`: how loud each audio track is."""

    kind = "loudness"
    queue = TRANSCODE

    def run(self, job: Claimed, report: Report) -> Mapping[str, Loudness]:
        """Decode and measure all tracks."""
        encode = living(job.args["encode"])
        if encode is None or encode.loudness_done:
            return {}
        try:
            with (
                workshop.interruptions(),
                workshop.slots().background(report.cancel),
                scratch_folder(workshop.scratch()) as folder,
            ):
                return measure_loudness(
                    heard_of(plan_of(encode.pk)),
                    workshop.source_path(encode),
                    workshop.tools().ffmpeg.path,
                    folder,
                    nice=workshop.BACKGROUND_NICE,
                    cancel=report.cancel,
                )
        except (FfmpegFailed, LimitExceeded) as error:  # trying again would give the same
            report.log(f"The loudness could not be measured: {error}", "warning")
            return {}

    def commit(self, job: Claimed, result: Mapping[str, Loudness]) -> None:
        """Record it, and go on."""
        encode = locked(job.args["encode"])
        if encode is None:
            return
        for name, loudness in result.items():
            encode.renditions.filter(name=name).update(**asdict(loudness))
        _done(encode, "loudness_done")

    def failed(self, job: Claimed, reason: str) -> None:
        """It is not known."""
        encode = locked(job.args["encode"])
        if encode is not None:
            _done(encode, "loudness_done")

    def retried(self, job: Claimed) -> None:
        """It may be measured after all."""
        _again(job, "loudness_done")


class CaptionsHandler(Handler):
    """Kind `captions`: what is said in a video that is finished, by the speech model of RUSHES_CAPTIONS_MODEL."""

    kind = "captions"
    queue = SUBTITLE
    limit_s = 24 * 3600.0  # a model without a GPU may take several times as long as the film

    def run(self, job: Claimed, report: Report) -> None:
        """Listen to the published default track, and publish what was said. Done twice it is there once."""
        encode = (
            Encode.objects.filter(pk=job.args["encode"], state=EncodeState.ACTIVE).defer("plan_json").first()
        )
        if encode is None:
            return
        plan = plan_of(encode.pk)
        track = next((track for track in plan.stereo if track.default), None)
        if track is None:
            return
        report.progress(1, "Listening")
        try:
            hearing = listener(settings.RUSHES_CAPTIONS_MODEL)
            with workshop.interruptions(), scratch_folder(workshop.scratch()) as folder:
                sound = folder / "sound.mp4"
                _join(hls_store(encode.video_id), track, sound)
                language, cues = caption_cues(
                    hearing,
                    sound,
                    plan.duration_s,
                    workshop.tools().ffmpeg.path,
                    folder,
                    cancel=report.cancel,
                )
        except NoCaptions as error:
            raise Unmendable(str(error)) from error
        replace_captions(Video.objects.get(pk=encode.video_id), cues, language or "")


class CaptionsImpossible(Exception):
    """Captions can't be made here, or not of this video; the message says why."""


def begin_captions(video: Video) -> Job:
    """Ask for captions of a finished video. Raises CaptionsImpossible."""
    try:
        check(settings.RUSHES_CAPTIONS_MODEL)
    except NoCaptions as error:
        raise CaptionsImpossible(str(error)) from error
    encode = video.active_encode
    if encode is None or encode.completed_at is None:
        raise CaptionsImpossible("Captions are made of a video that is ready; this one is not yet.")
    if not is_readable(encode):
        raise CaptionsImpossible(OUTDATED)
    if not plan_of(encode.pk).audio:
        raise CaptionsImpossible("This video has no sound.")
    return enqueue_captions(encode)


def enqueue_captions(encode: Encode) -> Job:
    """Write the job. In the caller's transaction."""
    return enqueue(
        "captions",
        group=str(encode.video_id),
        args={"encode": encode.pk},
        key=f"captions:{encode.pk}",
        parent=root_of(encode),
    )


def _join(store: FolderStore, track: AudioTrack, target: Path) -> None:
    """The published track as one file."""
    with target.open("wb") as file:
        file.write(store.read(track.init_name))
        for number in range(track.timeline.segment_count):
            file.write(store.read(track.segment_name(number)))


def _again(job: Claimed, what: str) -> None:
    """An encode that is not finished waits for it again. Raises NothingToRetry."""
    encode = wanted_again(job.args["encode"])
    setattr(encode, what, False)
    encode.save(update_fields=[what])


def _done(encode: Encode, what: str) -> None:
    """Say so, and go on with the encode, which may have waited for it. Its row is locked."""
    setattr(encode, what, True)
    encode.save(update_fields=[what])
    settle(encode)
