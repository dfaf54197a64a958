"""Kinds `poster`, `storyboard` and `preview`: the pictures of a video, from the segments of its finished renditions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rushes.engine.plan import Plan
from rushes.engine.poster import poster_rung, write_poster
from rushes.engine.preview import preview_rung, write_preview
from rushes.engine.process import scratch_folder
from rushes.engine.storyboard import storyboard_rung, write_storyboard
from rushes.engine.waveform import waveform_track, write_waveform
from rushes.jobs.handlers import Report
from rushes.videos.models import Encode
from rushes.videos.store import MediaStore

from . import workshop
from .making import Fields, OutputHandler, desk_of
from .outputs import POSTER_OUTPUT, PREVIEW_OUTPUT, STORYBOARD_OUTPUT, folder_of


class PosterHandler(OutputHandler):
    """A representative picture, large and as a thumbnail; of sound alone its waveform."""

    output = POSTER_OUTPUT

    def make(self, plan: Plan, encode: Encode, report: Report) -> Fields:
        """See OutputHandler."""
        rung, track = poster_rung(plan), waveform_track(plan)
        with _bench(report) as folder:
            large, thumb = folder / "poster.jpg", folder / "thumbnail.jpg"
            if rung is not None:
                write_poster(rung, large, thumb, desk_of(encode, report))
            elif track is not None:
                write_waveform(track, large, thumb, desk_of(encode, report))
            return {"poster": _keep(encode, large), "thumbnail": _keep(encode, thumb)}


class StoryboardHandler(OutputHandler):
    """Sheets of small pictures, and the WebVTT file that players read."""

    output = STORYBOARD_OUTPUT

    def make(self, plan: Plan, encode: Encode, report: Report) -> Fields:
        """See OutputHandler."""
        rung = storyboard_rung(plan)
        assert rung is not None

        def sheet_name(number: int) -> str:
            # The encode is part of it: sheets may be kept for ever, and who has an old file finds the old sheets.
            return f"storyboard-{encode.pk}-{number}.jpg"

        with _bench(report) as folder:
            desk = desk_of(encode, report)
            vtt, *sheets = write_storyboard(plan, rung, folder / "made", "storyboard.vtt", sheet_name, desk)
            for sheet in sheets:
                _keep(encode, sheet)
            return {"storyboard": _keep(encode, vtt)}


class PreviewHandler(OutputHandler):
    """A few seconds that move."""

    output = PREVIEW_OUTPUT

    def make(self, plan: Plan, encode: Encode, report: Report) -> Fields:
        """See OutputHandler."""
        rung = preview_rung(plan)
        assert rung is not None
        with _bench(report) as folder:
            write_preview(rung, folder / "preview.mp4", desk_of(encode, report))
            return {"preview": _keep(encode, folder / "preview.mp4")}


@contextmanager
def _bench(report: Report) -> Iterator[Path]:
    """A CPU slot, and a folder on the file system of the media."""
    with (
        workshop.slots().background(report.cancel),
        scratch_folder(workshop.scratch()) as folder,
    ):
        yield folder


def _keep(encode: Encode, path: Path) -> str:
    name = f"{folder_of(encode)}/{path.name}"
    MediaStore().put_durably(name, path)
    return name
