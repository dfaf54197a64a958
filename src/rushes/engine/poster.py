"""The poster of a video: one picture that stands for it, large and as a thumbnail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from .derived import Desk, Reel, run_over
from .plan import Plan, Rung
from .process import scratch_folder
from .stills import (
    PICTURE_LIMITS,
    TO_JPEG,
    NoPicture,
    check_jpegs,
    fitted,
    jpeg_output,
    picture_input,
    read_figures,
    rung_for,
    sampled_segments,
    thumbnail_size,
)
from .store import FolderStore

LOOKS = "looks.txt"
POSTER_LONG_SIDE = 1280  # behind a player's button it fills the page

_SAMPLES = 16  # segments spread over the video
_FEW = 4  # fewer first pictures than this are no choice: then every part of those segments is looked at
_LOOKED_AT = 480  # pixels of the long side: blur that is not seen in this size does not matter
_BRIGHT = 40  # luma, of 16 to 235: where nine tenths of a picture are darker it is a fade or a leader
_SHARP_FACTOR = 2  # edges of the same footage differ by half; those of a pan or a lost focus by much more
_FLAT = 32  # between the darkest and the brightest point: a blank page, fog, a test card of one colour


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was measured of one picture: luma and chroma of 8 bits, and how many pixels wide its edges are."""

    dark: float  # a tenth of the picture is darker
    bright: float  # a tenth of the picture is brighter
    contrast: float  # between its darkest and its brightest point
    luma: float
    blue: float
    red: float
    blur: float  # infinite where it has no edges


def poster_rung(plan: Plan) -> Rung | None:
    """The rung that the poster is taken from; None for sound alone."""
    return rung_for(plan, POSTER_LONG_SIDE)


def write_poster(rung: Rung, large: Path, thumb: Path, desk: Desk) -> None:
    """Write a representative picture of a complete rung as JPEG: `large` in its size, `thumb` at most 320 wide.

    Keyframes of some segments spread over the video are looked at; what is black, blank or blurred is passed over
    unless all is. Raises NoPicture, and as `run_over`.
    """
    segments = sampled_segments(rung.timeline.segment_count, _SAMPLES)
    with scratch_folder(desk.scratch) as folder:
        reel = Reel(pipe="looked-at.mp4", rendition=rung, segments=segments)
        run_over([reel], look_command(rung, reel.pipe, len(segments)), folder, desk, PICTURE_LIMITS)
        looks = read_looks((folder / LOOKS).read_text()) if (folder / LOOKS).exists() else []
        if not looks:
            raise NoPicture(f"no picture of {rung.name} could be decoded")
        reel = Reel(pipe="taken.mp4", rendition=rung, segments=segments)
        files = "large.jpg", "thumb.jpg"
        body = poster_command(rung, reel.pipe, files, len(segments), choose(looks))
        run_over([reel], body, folder, desk, PICTURE_LIMITS)
        sizes = (rung.width, rung.height), thumbnail_size(rung.width, rung.height)
        for file, size, target in zip(files, sizes, (large, thumb), strict=True):
            if not (folder / file).exists():
                raise NoPicture(f"no picture of {rung.name} could be written")
            check_jpegs([(file, (folder / file).read_bytes())], size)
            FolderStore(target.parent).put(target.name, folder / file)


def look_command(rung: Rung, source: str, samples: int) -> list[str]:
    """Decode first pictures and write what is measured of each into the file `LOOKS`."""
    width, height = fitted(rung, _LOOKED_AT)
    chain = [
        *_chosen(samples),
        f"scale={width}:{height}:flags=area,format=yuv420p",
        "signalstats",
        "blurdetect",  # how wide edges are, so that it does not matter how many there are
        f"metadata=mode=print:file={LOOKS}",
    ]
    return [
        *_input(source, samples),
        *("-filter_complex_threads", "1"),
        *("-filter_complex", f"[0:0]{','.join(chain)}[looks]"),
        *("-map", "[looks]"),
        *("-f", "null"),
        "-",
    ]


def read_looks(text: str) -> list[Look]:
    """What the filters of `look_command` have written."""
    blurs = read_figures(text, "lavfi.blur")
    stats = read_figures(text, "lavfi.signalstats.")
    return [
        Look(
            dark=found.get("YLOW", 0.0),
            bright=found.get("YHIGH", 0.0),
            contrast=found.get("YMAX", 0.0) - found.get("YMIN", 0.0),
            luma=found.get("YAVG", 0.0),
            blue=found.get("UAVG", 0.0),
            red=found.get("VAVG", 0.0),
            blur=math.inf if math.isnan(blur := edges.get("", math.nan)) else blur,
        )
        for found, edges in zip(stats, blurs, strict=True)
    ]


def choose(looks: Sequence[Look]) -> int:
    """Number of the picture that stands for all: neither black nor blank, sharp, and nearest to the mean of those.

    Sharp is what belongs to the sharper half and is not far from the sharpest.
    """
    numbered = list(enumerate(looks))
    lit = [entry for entry in numbered if entry[1].bright > _BRIGHT] or numbered
    usable = [entry for entry in lit if entry[1].contrast >= _FLAT] or lit
    limit = min(median(look.blur for _, look in usable), _SHARP_FACTOR * min(look.blur for _, look in usable))
    sharp = [entry for entry in usable if entry[1].blur <= limit]
    middle = [fmean(values) for values in zip(*(_features(look) for _, look in usable), strict=True)]
    return min(sharp, key=lambda entry: math.dist(_features(entry[1]), middle))[0]


def poster_command(rung: Rung, source: str, outputs: Sequence[str], samples: int, number: int) -> list[str]:
    """Write picture `number` of those that `look_command` looks at in two sizes."""
    width, height = thumbnail_size(rung.width, rung.height)
    chain = [*_chosen(samples), f"select=eq(n\\,{number})", TO_JPEG]
    return [
        *_input(source, samples),
        *("-filter_complex_threads", "1"),
        *(
            "-filter_complex",
            f"[0:0]{','.join(chain)},split[large][copy];[copy]scale={width}:{height}:flags=area[thumb]",
        ),
        # No artefacts that are seen beside those of the rung itself.
        *jpeg_output("[large]", outputs[0], 4),
        *jpeg_output("[thumb]", outputs[1], 4),
    ]


def _input(source: str, samples: int) -> list[str]:
    # A segment begins with a keyframe; the rest of it need not be decoded. noref: no B-pictures either way.
    return picture_input(source, "nokey" if samples >= _FEW else "noref")


def _chosen(samples: int) -> tuple[str, ...]:
    # Where whole segments are decoded, every fifth picture is choice enough.
    return ("select=not(mod(n\\,5))",) if samples < _FEW else ()


def _features(look: Look) -> tuple[float, ...]:
    return look.luma, look.dark, look.bright, look.blue, look.red
