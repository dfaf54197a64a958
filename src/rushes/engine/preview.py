"""The preview of a video: a few silent seconds from all over it, as a small MP4 that is played in a loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from .command import seconds
from .derived import Desk, Reel, run_over
from .limits import INPUT_GUARDS
from .mp4 import tracks_of
from .plan import Plan, Rung
from .process import scratch_folder
from .stills import PICTURE_LIMITS, NoPicture, fitted, rung_for, sampled_segments
from .store import FolderStore

PREVIEW_LONG_SIDE = 480  # a card of the library, on a sharp screen

_PIECES = 4
_PIECE_S = Fraction(8, 5)  # 24 pictures
_WHOLE_S = _PIECES * _PIECE_S  # a video that is not longer is its own preview
_RATE = 15
_MAXRATE_BPS = 500_000  # a page of them is a few megabytes at most


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of the preview: what is fed for it, and how much of that is shown."""

    segments: Sequence[int]
    duration_s: Fraction


def preview_rung(plan: Plan) -> Rung | None:
    """The rung that it is made from; None for sound alone."""
    return rung_for(plan, PREVIEW_LONG_SIDE)


def pieces_of(rung: Rung) -> list[Piece]:
    """The beginnings of a few segments spread over the video, or all of a short one."""
    timeline = rung.timeline
    if timeline.duration_s <= _WHOLE_S:
        return [Piece(segments=range(timeline.segment_count), duration_s=timeline.duration_s)]
    return [
        Piece(segments=(number,), duration_s=min(_PIECE_S, timeline.segment_duration_s(number)))
        for number in sampled_segments(timeline.segment_count, _PIECES)
    ]


def write_preview(rung: Rung, target: Path, desk: Desk) -> None:
    """Write the preview of a complete rung. Raises NoPicture where it has no pictures, and as `run_over`."""
    pieces = pieces_of(rung)
    with scratch_folder(desk.scratch) as folder:
        reels = [
            Reel(pipe=f"in-{number}.mp4", rendition=rung, segments=piece.segments)
            for number, piece in enumerate(pieces)
        ]
        body = preview_command(rung, pieces, [reel.pipe for reel in reels], "preview.mp4")
        run_over(reels, body, folder, desk, PICTURE_LIMITS)
        output = folder / "preview.mp4"
        shown = tracks_of(output)
        promised = sum(frames_of(piece) for piece in pieces)
        if len(shown) != 1 or shown[0][1] != promised:
            raise NoPicture(f"the preview has {shown[0][1] if shown else 0} pictures of {promised}")
        FolderStore(target.parent).put(target.name, output)


def frames_of(piece: Piece) -> int:
    """How many pictures a piece has."""
    return max(1, round(piece.duration_s * _RATE))


def preview_command(rung: Rung, pieces: Sequence[Piece], inputs: Sequence[str], output: str) -> list[str]:
    """Decode the pieces, one input each, and encode them one after the other."""
    width, height = fitted(rung, PREVIEW_LONG_SIDE)
    graph, arguments = (
        "",
        ["-copyts"],
    )  # segments come with their own times; each piece begins at 0 by the graph
    for number, (piece, path) in enumerate(zip(pieces, inputs, strict=True)):
        arguments += [*INPUT_GUARDS, "-threads", "1", "-i", path]
        start_s = rung.timeline.start_s(piece.segments[0])
        graph += (
            f"[{number}:0]setpts=PTS-({seconds(start_s)}/TB),"
            # By count, so that what is promised comes also where a source has gaps.
            f"fps={_RATE}:start_time=0,tpad=stop=-1:stop_mode=clone,trim=end_frame={frames_of(piece)},"
            f"scale={width}:{height}:flags=area,setsar=1,format=yuv420p[p{number}];"
        )
    labels = "".join(f"[p{number}]" for number in range(len(pieces)))
    return [
        *arguments,
        *("-filter_complex_threads", "1"),
        *("-filter_complex", f"{graph}{labels}concat=n={len(pieces)}[v]"),
        *("-map", "[v]"),
        *("-c:v", "libx264"),
        *("-preset", "veryfast"),
        *("-profile:v", "main"),  # every phone plays a dozen of these at once
        *("-crf", "28"),  # small and moving: nobody looks for artefacts
        *("-maxrate:v", str(_MAXRATE_BPS)),
        *("-bufsize:v", str(_MAXRATE_BPS)),
        *("-threads", "1"),
        *("-flags:v", "+bitexact"),
        *("-fflags", "+bitexact"),
        *("-map_metadata", "-1"),
        *("-movflags", "+faststart"),  # begins before it is all there
        *("-f", "mp4"),
        output,
    ]
