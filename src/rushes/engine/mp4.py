"""A finished rung and a finished audio track as one MP4 to download: put together anew, never encoded again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from .assembly import BrokenPromise
from .cmaf import Box, MalformedBoxes
from .derived import Desk, Reel, run_over
from .limits import INPUT_GUARDS
from .mp4boxes import NoTables, children, one, read_moov, read_number, read_words
from .plan import AudioTrack, Plan, Rung
from .process import Limits, scratch_folder
from .settings import AAC_FRAME_SAMPLES
from .store import FolderStore, SegmentStore

_NICE = 10  # nobody waits for it: the video plays already
_BYTES_PER_S = 1_000_000  # a slow disk, shared
_SMALLEST_WALL_LIMIT_S = 120.0
_INDEX_BYTES = 64 << 20  # 30 bytes a sample; 12 h have 2 million


def write_mp4(
    plan: Plan,
    rung: Rung | None,
    track: AudioTrack | None,
    store: SegmentStore,
    target: Path,
    *,
    ffmpeg: Path,
    scratch: Path,
    cancel: threading.Event | None = None,
) -> None:
    """Write `rung` and `track`, both complete, as a progressive MP4 whose index stands in front, and check its tables.

    It appears at `target` whole or not at all. Either may be None, not both. `scratch` should be on the same file
    system; the run takes the size of the result there. One segment of each is in memory at a time.
    Raises BrokenPromise where the result is not what the plan promises, FileNotFoundError where a segment is missing,
    Cancelled, and what `FfmpegRun.wait` raises.
    """
    chosen = [rendition for rendition in (rung, track) if rendition is not None]
    if not chosen:
        raise ValueError("An MP4 needs a picture or sound.")
    size_bytes = sum(_size_bytes(rendition, store) for rendition in chosen)
    limits = Limits(
        wall_s=max(_SMALLEST_WALL_LIMIT_S, size_bytes / _BYTES_PER_S),
        output_bytes=size_bytes * 2 + _INDEX_BYTES,
        nice=_NICE,
    )
    with scratch_folder(scratch) as folder:
        output = folder / "video.mp4"
        reels = [
            Reel(pipe=f"{number}-in.mp4", rendition=each, segments=range(each.timeline.segment_count))
            for number, each in enumerate(chosen)
        ]
        body = remux_command(rung, track, [str(folder / reel.pipe) for reel in reels], output.name)
        desk = Desk(ffmpeg=ffmpeg, store=store, scratch=scratch, cancel=cancel)
        run_over(reels, body, folder, desk, limits)
        _check(output, plan, rung, track)
        FolderStore(target.parent).put(target.name, output)


def remux_command(
    rung: Rung | None, track: AudioTrack | None, inputs: Sequence[str], output: str
) -> list[str]:
    """Copy the first stream of each input, the picture before the sound, into an MP4 with its index in front."""
    timescale = rung.timeline.timescale if rung else track.timeline.timescale if track else 1
    arguments = ["-copyts"]  # both begin at 0 already; ffmpeg would move each by its own beginning
    for path in inputs:
        arguments += [*INPUT_GUARDS, "-i", path]
    for number in range(len(inputs)):
        arguments += ["-map", f"{number}:0"]
    return [
        *arguments,
        *("-c", "copy"),
        *("-map_metadata", "-1"),  # handler names and the like
        *("-map_chapters", "-1"),  # would become a text track
        *("-fflags", "+bitexact"),  # no muxer version, no creation time: the same file each time
        # The rung's own ticks, so that no time is rounded: ffmpeg would take another multiple of the rate ...
        *(("-video_track_timescale", str(timescale)) if rung else ()),
        # ... and for edit lists, which hold the delay of the B-frames, milliseconds.
        *("-movie_timescale", str(timescale)),
        # Apple's players take HEVC only where the parameter sets lie in the sample entry, and this says so.
        *(("-tag:v", "hvc1") if rung and rung.codec_string.startswith(("hvc1", "hev1")) else ()),
        *("-movflags", "+faststart"),  # plays while it is downloaded, and seeks without reading its end
        *("-f", "mp4"),
        output,
    ]


def _size_bytes(rendition: Rung | AudioTrack, store: SegmentStore) -> int:
    """Of all segments. Raises FileNotFoundError."""
    total = 0
    for number in range(rendition.timeline.segment_count):
        size = store.size_bytes(rendition.segment_name(number))
        if size is None:
            raise FileNotFoundError(rendition.segment_name(number))
        total += size
    return total


def _check(path: Path, plan: Plan, rung: Rung | None, track: AudioTrack | None) -> None:
    """Hold the tables against the plan: a segment that ffmpeg left out would otherwise be found by a viewer."""
    promised: list[tuple[str, int, int, int]] = []  # name, timescale, samples, ticks
    if rung is not None:
        frames = rung.copy_chunk_packets[-1] if rung.copy_chunk_packets else plan.grid and plan.grid.frames
        timeline = rung.timeline
        promised.append((rung.name, timeline.timescale, frames or 0, timeline.bounds[-1]))
    if track is not None:
        timeline = track.timeline
        samples = timeline.bounds[-1] // AAC_FRAME_SAMPLES
        promised.append((track.name, timeline.timescale, samples, timeline.bounds[-1]))
    try:
        written = tracks_of(path)
    except (NoTables, MalformedBoxes) as error:
        raise BrokenPromise(f"the MP4 cannot be read: {error}") from error
    if len(written) != len(promised):
        raise BrokenPromise(f"the MP4 has {len(written)} tracks, not {len(promised)}")
    for (name, *figures), found in zip(promised, written, strict=True):
        timescale, samples, ticks = figures
        # As for segments: chunk starts pass through ffmpeg's microseconds where the clock is finer than that.
        slack = timescale // 500_000
        if found[:2] != (timescale, samples) or abs(found[2] - ticks) > slack:
            raise BrokenPromise(
                f"{name} in the MP4 has {found[1]} samples and {found[2]} ticks of 1/{found[0]} s; "
                f"{samples} and {ticks} of 1/{timescale} s are promised"
            )


def tracks_of(path: Path) -> list[tuple[int, int, int]]:
    """(timescale, samples, ticks) of each track of an MP4. Raises NoTables, MalformedBoxes."""
    with path.open("rb") as file:
        moov = read_moov(file, path.stat().st_size)
    found = []
    for trak in children(moov, Box(b"moov", 0, len(moov)), b"trak"):
        mdhd = one(moov, trak, b"mdia", b"mdhd")
        stts = one(moov, trak, b"mdia", b"minf", b"stbl", b"stts")
        rows = read_words(moov, stts, 8, 2 * read_number(moov, stts, ">I", 4))
        counts, deltas = rows[::2], rows[1::2]
        found.append(
            (
                read_number(moov, mdhd, ">I", 20 if moov[mdhd.start] else 12),
                sum(counts),
                sum(count * delta for count, delta in zip(counts, deltas, strict=True)),
            )
        )
    return found
