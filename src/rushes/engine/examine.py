"""What only decoding tells of a source: whether the fields of its pictures are of different times.

Some pictures are decoded, of sources that say they are interlaced, and of those that look like tape and deny it: many
an archive was digitised without a word about its fields.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from .binaries import Toolchain
from .limits import INPUT_GUARDS
from .process import run_tool
from .source import FieldOrder, Scan, Source, VideoStream

_WALL_LIMIT_S = 60.0
#: Where pictures are looked at, in parts of the whole, and how many: telecined film repeats itself every five.
_PLACES, _PICTURES = (Fraction(1, 20), Fraction(2, 5), Fraction(3, 4)), 40
#: Lines and pictures a second of tape and broadcast, where a missing flag is likely.
_TAPE_LINES, _TAPE_RATES = frozenset({480, 486, 576}), (Fraction(249, 10), Fraction(301, 10))
#: In full HD only of what archives and editors write: of a phone's pictures the look would delay the first.
_BROADCAST_LINES = frozenset({1080, 1088})
_INTERMEDIATES = frozenset({
    *("mpeg2video", "mjpeg", "prores", "dnxhd", "dvvideo", "ffv1", "huffyuv", "utvideo", "v210", "rawvideo"),
})  # fmt: skip
#: Of the pictures looked at: so many must be combed, all but one in five of these by the same field, before a file's
#: word is not believed. Telecined film has two in five.
_COMBED, _ONE_SIDED = Fraction(3, 10), 5
_SHORT_S = 20  # what is shorter is looked at once, from its beginning
_TIME = re.compile(r"\bpts_time:(-?\d+(?:\.\d+)?)")
_VERDICT = re.compile(r"lavfi\.idet\.(multiple|repeated)\.current_frame=(\w+)")


@dataclass(frozen=True, kw_only=True)
class FieldCounts:
    """What ffmpeg's idet says of a number of pictures."""

    scans: Counter[str] = field(default_factory=Counter)  # tff, bff, progressive, undetermined
    repeats: Counter[str] = field(default_factory=Counter)  # neither, top, bottom
    gaps_s: Sequence[Fraction] = ()  # from picture to picture


def examined(source: Source, toolchain: Toolchain) -> Source:
    """`source` with what decoding some pictures of its video tells; without that, if they cannot be decoded.

    Raises as `run_tool` does.
    """
    video = source.video
    if video is None:
        return source
    if video.interlaced:
        order = _decoder_s_order(_first_picture(source.path, video, toolchain))
        found = with_fields(video, _field_counts(source, video, toolchain), order)
    elif may_be_tape(video) and (field := combed(counts := _field_counts(source, video, toolchain))):
        told = replace(video, field_order="tt" if field == "tff" else "bb")
        found = with_fields(told, counts, None)
    else:
        return source
    return replace(source, streams=tuple(found if stream is video else stream for stream in source.streams))


def may_be_tape(video: VideoStream) -> bool:
    """Whether pictures that are not said to be interlaced deserve a look all the same. Pure."""
    rate = video.average_rate or video.nominal_rate
    if rate is None or not _TAPE_RATES[0] <= rate <= _TAPE_RATES[1]:
        return False
    if video.height in _TAPE_LINES:
        return True
    return video.height in _BROADCAST_LINES and video.codec in _INTERMEDIATES and video.field_order is None


def combed(counts: FieldCounts) -> FieldOrder | None:
    """The field that comes first in pictures which clearly consist of two, whatever their file says; else None."""
    tff, bff = counts.scans["tff"], counts.scans["bff"]
    if tff + bff < _COMBED * sum(counts.scans.values()) or not _one_sided(counts):
        return None
    return "tff" if tff > bff else "bff"


def with_fields(video: VideoStream, counts: FieldCounts, decoder_says: FieldOrder | None) -> VideoStream:
    """The interlaced `video` with what its pictures show. Pure.

    Where they show nothing (a still picture has no fields to compare) the container's word stands.
    """
    order = _shown_first(video, counts)
    return replace(
        video,
        scan=scan_of(counts),
        shown_first=order,
        order_is_forced=decoder_says != order,
        picture_gap_s=median(counts.gaps_s) if counts.gaps_s else None,
    )


def scan_of(counts: FieldCounts) -> Scan:
    """Whether pictures that are said to be interlaced are, or are those of a film.

    A film at 24 pictures a second on 60 fields repeats a field in two of five pictures; a film at 25 on 50 fields is
    whole.
    """
    looked_at = sum(counts.scans.values())
    whole = counts.scans["progressive"]
    mixed = counts.scans["tff"] + counts.scans["bff"]
    repeated = counts.repeats["top"] + counts.repeats["bottom"]
    if whole and mixed * 10 <= whole:
        return "film"
    if repeated * 4 >= looked_at > 0:
        return "film"
    return "interlaced"


def field_counts(lines: Iterable[str]) -> FieldCounts:
    """idet's verdicts from the lines of ffmpeg's `metadata=print`."""
    times: list[Fraction] = []
    scans: Counter[str] = Counter()
    repeats: Counter[str] = Counter()
    for line in lines:
        if time := _TIME.search(line):
            times.append(Fraction(time[1]))
        elif verdict := _VERDICT.match(line):
            (scans if verdict[1] == "multiple" else repeats)[verdict[2]] += 1
    gaps = tuple(after - before for before, after in pairwise(times) if after > before)
    return FieldCounts(scans=scans, repeats=repeats, gaps_s=gaps)


def _field_counts(source: Source, video: VideoStream, toolchain: Toolchain) -> FieldCounts:
    index = source.packets[video.index]
    span_s = (max(index.pts) - min(index.pts)) * video.time_base
    if span_s < _SHORT_S:
        return _counts_from(source.path, video, toolchain, None, _PICTURES * len(_PLACES))
    found = []
    for place in _PLACES:
        found.append(_counts_from(source.path, video, toolchain, place * span_s, _PICTURES))
        if not video.interlaced and found[-1].scans["progressive"] >= _PICTURES * 9 // 10:
            break  # as it says
    return FieldCounts(
        scans=sum((counts.scans for counts in found), Counter()),
        repeats=sum((counts.repeats for counts in found), Counter()),
        gaps_s=tuple(gap for counts in found for gap in counts.gaps_s),
    )


def _counts_from(
    path: Path, video: VideoStream, toolchain: Toolchain, at_s: Fraction | None, pictures: int
) -> FieldCounts:
    result = run_tool(
        [
            str(toolchain.ffmpeg.path),
            *("-hide_banner", "-nostdin", "-loglevel", "fatal"),  # damage is the chunks' business
            *(("-ss", f"{float(at_s):.3f}") if at_s is not None else ()),
            *INPUT_GUARDS,
            *("-threads", "1"),  # a look must not take the machine from whoever encodes
            *("-i", str(path)),
            *("-map", f"0:{video.index}", "-frames:v", str(pictures), "-fps_mode", "passthrough"),
            *("-vf", "idet,metadata=mode=print:file=pipe\\\\:1", "-f", "null", "-"),
        ],
        wall_limit_s=_WALL_LIMIT_S,
    )
    return field_counts(result.stdout.splitlines())


def _first_picture(path: Path, video: VideoStream, toolchain: Toolchain) -> dict[str, Any]:
    """ffprobe's words on the first picture; none where it cannot be decoded."""
    result = run_tool(
        [
            *(str(toolchain.ffprobe.path), "-v", "fatal", *INPUT_GUARDS),
            *("-select_streams", str(video.index), "-read_intervals", "%+#4"),
            *("-show_frames", "-of", "json", str(path)),
        ],
        wall_limit_s=_WALL_LIMIT_S,
    )
    try:
        frames: list[dict[str, Any]] = json.loads(result.stdout or "{}").get("frames", [])
    except json.JSONDecodeError:
        return {}
    return frames[0] if frames else {}


def _decoder_s_order(picture: dict[str, Any]) -> FieldOrder | None:
    """Which field the decoder says is first; None where it calls the picture progressive."""
    if not int(picture.get("interlaced_frame", 0)):
        return None
    return "tff" if int(picture.get("top_field_first", 0)) else "bff"


def _one_sided(counts: FieldCounts) -> bool:
    fewer, more = sorted((counts.scans["tff"], counts.scans["bff"]))
    return more >= _ONE_SIDED * max(1, fewer)


def _shown_first(video: VideoStream, counts: FieldCounts) -> FieldOrder:
    """What the pictures show, where that is clear: the flag in the file is wrong in many a transfer from tape."""
    tff, bff = counts.scans["tff"], counts.scans["bff"]
    if _one_sided(counts):
        return "tff" if tff > bff else "bff"
    # ffprobe's two letters: the field that is coded first, the field that is shown first.
    return "bff" if (video.field_order or "").endswith("b") else "tff"
