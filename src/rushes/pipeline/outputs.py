"""What is made beside the streams: download, poster, storyboard and preview, each by a job of its own.

Each is asked for as soon as the renditions that it is made from are complete, and runs beside the chunks of others. A
video is ready when all are there, or will never be: then there is a warning instead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from rushes.engine.download import download_of
from rushes.engine.plan import Plan
from rushes.engine.poster import poster_rung
from rushes.engine.preview import preview_rung
from rushes.engine.storyboard import storyboard_rung
from rushes.engine.waveform import waveform_track
from rushes.jobs.ledger import enqueue
from rushes.jobs.queues import POSTER, SPRITE, TRANSCODE, TRICKPLAY, Queue
from rushes.videos.models import Encode

from .window import root_of


@dataclass(frozen=True, kw_only=True)
class Output:
    """One of them: its kind of job, what people call it, and the names of the renditions that must be complete.

    `needs` is None where the video has no such thing.
    """

    kind: str
    queue: Queue
    words: str
    needs: Callable[[Plan], tuple[str, ...] | None]


def _poster_needs(plan: Plan) -> tuple[str, ...] | None:
    source = poster_rung(plan) or waveform_track(plan)
    return None if source is None else (source.name,)


def _storyboard_needs(plan: Plan) -> tuple[str, ...] | None:
    rung = storyboard_rung(plan)
    return None if rung is None else (rung.name,)


def _preview_needs(plan: Plan) -> tuple[str, ...] | None:
    rung = preview_rung(plan)
    return None if rung is None else (rung.name,)


def _mp4_needs(plan: Plan) -> tuple[str, ...] | None:
    download = download_of(plan)
    if not download.finished and not download.own:
        return None
    # What is encoded for it alone comes after all that is watched.
    return tuple(r.name for r in (plan.renditions if download.own else download.finished))


POSTER_OUTPUT = Output(kind="poster", queue=POSTER, words="poster", needs=_poster_needs)
STORYBOARD_OUTPUT = Output(kind="storyboard", queue=SPRITE, words="storyboard", needs=_storyboard_needs)
PREVIEW_OUTPUT = Output(kind="preview", queue=TRICKPLAY, words="preview", needs=_preview_needs)
MP4_OUTPUT = Output(kind="mp4", queue=TRANSCODE, words="MP4", needs=_mp4_needs)
OUTPUTS = (POSTER_OUTPUT, STORYBOARD_OUTPUT, PREVIEW_OUTPUT, MP4_OUTPUT)

#: Their kinds of jobs.
KINDS = tuple(output.kind for output in OUTPUTS)


def settled(encode: Encode, plan: Plan) -> bool:
    """Whether each that the video can have is there, or will never be."""
    return all(output.kind in encode.outputs for output in OUTPUTS if output.needs(plan) is not None)


def ask(encode: Encode, plan: Plan, complete: Collection[str]) -> None:
    """Write jobs for what can be made now. In the caller's transaction, with the encode's row locked."""
    parent = root_of(encode)
    for output in OUTPUTS:
        needs = output.needs(plan)
        if needs is None or output.kind in encode.outputs or not set(needs) <= set(complete):
            continue
        enqueue(
            output.kind,
            queue=output.queue,
            group=str(encode.video_id),
            args={"encode": encode.pk, "repairs": repairs_of(encode)},
            key=f"{output.kind}:{encode.pk}",
            parent=parent,
        )


def repairs_of(encode: Encode) -> int:
    """How often chunks of it were broken and have been made again: what was made of it before is not to be trusted."""
    return int(encode.settings.get("repairs", 0))


def spoil(encode: Encode, plan: Plan, broken: Collection[str]) -> None:
    """Forget what was made from renditions that turned out to be broken. The caller saves the row."""
    encode.outputs = {
        kind: warning
        for kind, warning in encode.outputs.items()
        if not any(output.kind == kind and set(output.needs(plan) or ()) & set(broken) for output in OUTPUTS)
    }


def warnings_of(encode: Encode) -> list[str]:
    """Why there is no poster, download and so on, in words."""
    return [warning for warning in encode.outputs.values() if warning]


def folder_of(encode: Encode) -> str:
    """Where the pictures of an encode lie."""
    return f"images/{encode.video_id}/{encode.pk}"


def mp4_name(encode: Encode) -> str:
    """Where its download lies, made or not."""
    return f"mp4/{encode.video_id}/{encode.pk}.mp4"
