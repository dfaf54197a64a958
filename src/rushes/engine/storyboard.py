"""The storyboard of a video: small pictures in even steps on a few sheets, and a WebVTT file that says where each lies.

Players show them above the time line. Pictures are the keyframes of a small finished rung; of short videos, which have
few of those, whatever is shown at that moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

from .derived import Desk, Reel, run_over
from .plan import Plan, Rung
from .process import scratch_folder
from .settings import SEGMENT_S
from .stills import (
    PICTURE_LIMITS,
    NoPicture,
    check_jpegs,
    fitted,
    jpeg_output,
    picture_input,
    read_figures,
    rung_for,
)
from .store import FolderStore

TILE_LONG_SIDE = 192  # players show them up to 180 pixels wide
COLUMNS = ROWS = 8  # some 300 kB a sheet: soon there, and few of them
MOST_TILES = 720  # a sheet each ten minutes of a two hour film

#: (videos up to so many seconds, seconds between pictures). Longer ones: a multiple of a segment, for the keyframes.
_SHORT = (
    (Fraction(15), Fraction(1, 2)),
    (Fraction(60), Fraction(1)),
    (Fraction(120), Fraction(2)),
)
_QUALITY = 6  # of JPEG: seen for a moment, and small
_BLANK = 8  # luma, full range, between the darkest and the brightest point of all pictures: there is nothing in them
_SHOWN, _KEYFRAMES = (
    "shown.txt",
    "keyframes.txt",
)  # what was measured of the pictures on the sheets, and of keyframes


class NoStoryboard(NoPicture):
    """There is nothing to show, or pictures are missing: an empty storyboard is none."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """`count` pictures of `width` x `height`, one each `interval_s`, on sheets of `columns` x `rows`."""

    width: int
    height: int
    interval_s: Fraction
    count: int
    every_picture: bool  # whether all of the video is decoded; else keyframes alone

    @property
    def columns(self) -> int:
        """Pictures beside each other."""
        return min(COLUMNS, self.count)

    @property
    def rows(self) -> int:
        """Rows of a sheet; a single sheet has no more than it needs."""
        return min(ROWS, ceil(self.count / self.columns))

    @property
    def sheets(self) -> int:
        """How many sheets there are."""
        return ceil(self.count / (self.columns * self.rows))

    @property
    def sheet_size(self) -> tuple[int, int]:
        """Width and height of each sheet; the last one's free places are black."""
        return self.columns * self.width, self.rows * self.height

    def place(self, number: int) -> tuple[int, int, int]:
        """Sheet, x and y of a picture."""
        sheet, on_sheet = divmod(number, self.columns * self.rows)
        row, column = divmod(on_sheet, self.columns)
        return sheet, column * self.width, row * self.height


def storyboard_rung(plan: Plan) -> Rung | None:
    """The rung that the pictures are taken from: the smallest that is large enough; None for sound alone."""
    return rung_for(plan, TILE_LONG_SIDE)


def layout_of(plan: Plan, rung: Rung) -> Layout:
    """How many pictures, how far apart, in which shape."""
    width, height = fitted(rung, TILE_LONG_SIDE)
    short = next((step for longest, step in _SHORT if plan.duration_s <= longest), None)
    step_s = short or SEGMENT_S * ceil(plan.duration_s / (SEGMENT_S * MOST_TILES))
    return Layout(
        width=width,
        height=height,
        interval_s=step_s,
        count=max(1, ceil(plan.duration_s / step_s)),
        every_picture=short is not None,
    )


def write_storyboard(
    plan: Plan, rung: Rung, folder: Path, vtt_name: str, sheet_name: Callable[[int], str], desk: Desk
) -> tuple[Path, ...]:
    """Write the sheets of a complete rung and their WebVTT file into `folder`; the file, then the sheets.

    Raises NoStoryboard where pictures are missing or all are blank, and as `run_over`.
    """
    layout, timeline = layout_of(plan, rung), rung.timeline
    every = range(timeline.segment_count)
    shown = {timeline.segment_at(number * layout.interval_s) for number in range(layout.count)}
    segments = every if layout.every_picture else sorted(shown)
    with scratch_folder(desk.scratch) as scratch:
        reel = Reel(pipe="in.mp4", rendition=rung, segments=segments)
        run_over([reel], storyboard_command(layout, reel.pipe), scratch, desk, PICTURE_LIMITS)
        pictures, keyframes = (_figures(scratch / name) for name in (_SHOWN, _KEYFRAMES))
        check_pictures(pictures, keyframes=len(keyframes), at_least=len(segments))
        made = [scratch / f"{number}.jpg" for number in range(layout.sheets)]
        if missing := [path.name for path in made if not path.exists()]:
            raise NoStoryboard(f"{len(missing)} of {layout.sheets} sheets are missing")
        check_jpegs([(path.name, path.read_bytes()) for path in made], layout.sheet_size)
        store, names = FolderStore(folder), [sheet_name(number) for number in range(layout.sheets)]
        for name, path in zip(names, made, strict=True):
            store.put(name, path)
        # Last: who has it finds all that it names.
        store.write(vtt_name, webvtt(layout, plan.duration_s, sheet_name).encode())
    return tuple(store.path(name) for name in (vtt_name, *names))


def _figures(path: Path) -> list[dict[str, float]]:
    return read_figures(path.read_text(), "lavfi.signalstats.") if path.exists() else []


def check_pictures(figures: list[dict[str, float]], *, keyframes: int, at_least: int) -> None:
    """Hold what was decoded against what was fed: every segment begins with a keyframe. `figures` are of the pictures.

    Raises NoStoryboard: repeats of one picture are no storyboard.
    """
    if keyframes < at_least:
        raise NoStoryboard(f"{keyframes} keyframes could be decoded of at least {at_least}")
    darkest = min((found.get("YMIN", 0.0) for found in figures), default=0.0)
    if max((found.get("YMAX", 0.0) for found in figures), default=0.0) - darkest < _BLANK:
        raise NoStoryboard("all pictures of this video are blank")


def storyboard_command(layout: Layout, source: str) -> list[str]:
    """Decode, take the picture that is shown at each step, and lay them out on sheets `0.jpg`, `1.jpg`, ..."""
    small = (
        # As of JPEG's: see TO_JPEG.
        f"scale={layout.width}:{layout.height}:flags=area:out_color_matrix=bt601:out_range=full",
        "setsar=1",
        "format=yuvj420p",
    )
    chain = [
        # At each step the last picture that has begun by then, as a player would show it ...
        f"fps={1 / layout.interval_s}:start_time=0:round=up",
        "tpad=stop=-1:stop_mode=clone",
        f"trim=end_frame={layout.count}",  # ... and exactly as many as the WebVTT file names
        *small,  # what is not shown costs nothing but its decoding
        "signalstats",
        f"metadata=mode=print:file={_SHOWN}",
        f"tile={layout.columns}x{layout.rows}",
    ]
    looked_at = ["select=key", *small, "signalstats", f"metadata=mode=print:file={_KEYFRAMES}"]
    graph = f"[0:0]split[all][some];[all]{','.join(chain)}[sheets];[some]{','.join(looked_at)},nullsink"
    return [
        # A few B-pictures more or less are no difference at steps of half a second.
        *picture_input(source, "noref" if layout.every_picture else "nokey"),
        *("-filter_complex_threads", "1"),
        *("-filter_complex", graph),
        *jpeg_output("[sheets]", "%d.jpg", _QUALITY, frames=None),
    ]


def webvtt(layout: Layout, duration_s: Fraction, sheet_name: Callable[[int], str]) -> str:
    """Where each picture lies, in the way that players know: `<sheet>#xywh=x,y,w,h` from its time to the next."""
    lines = ["WEBVTT", ""]
    for number in range(layout.count):
        sheet, x, y = layout.place(number)
        start, end = number * layout.interval_s, (number + 1) * layout.interval_s
        lines += [
            f"{_clock(start)} --> {_clock(min(end, duration_s))}",
            f"{sheet_name(sheet)}#xywh={x},{y},{layout.width},{layout.height}",
            "",
        ]
    return "\n".join(lines)


def _clock(time_s: Fraction) -> str:
    """As WebVTT has it; at least a millisecond after any earlier cue's."""
    milliseconds = ceil(time_s * 1000)
    seconds, fraction = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:03}"
