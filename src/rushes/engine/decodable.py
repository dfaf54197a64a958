"""Whether the samples of a finished rendition decode: headers may be right above a picture that is none.

To decode all of a ladder is 13 % of its encode's CPU; 3 % are allowed (benchmarks/bench_verify.py). So the first and
last segments of every rung are decoded; both sides of every joint in the smallest rung of each codec, and in the others
of one joint in `JOINT_EVERY`, in each of another; and the keyframe after every other joint, and of one segment in
`SAMPLED_EVERY`. That the rest is as its encoder wrote it, and so as its run was judged, is known by checksums
(`assembly.Made`).

Of a copy every packet has been decoded by who encoded the rungs beside it: where they had nothing to complain of, some
keyframes are enough, to see that they fit its init segment. A copy that is the only rung was decoded by nobody: it is,
whole.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path

from .binaries import Toolchain
from .cmaf import MalformedBoxes
from .feeding import fed
from .limits import INPUT_GUARDS
from .lines import line_level
from .plan import AudioTrack, Plan, Rung
from .process import Cancelled, LimitExceeded, ffmpeg_argv, run_tool, scratch_folder
from .store import SegmentStore
from .timeline import Timeline

#: Chunks of a rung from one joint that is decoded on both sides to the next.
JOINT_EVERY = 32
#: Of segments that are neither first, last nor beside a joint: of sound, of which a chunk has eight, the whole, of
#: pictures the keyframe.
SAMPLED_EVERY = 4
#: At most this much is decoded in one run: it is cancelled, and its slot changes hands, soon enough.
RUN_S = Fraction(600)
_CONCEALED = re.compile(r"\[h264 @ 0x[0-9a-f]+\] \[info\] concealing ")
# In ffmpeg's progress, or ffprobe's answer.
_COUNT = re.compile(r"^(?:frame|nb_read_frames)= *(\d+)$", re.MULTILINE)
_NICE = 10  # nobody waits for it: the video plays already
_SMALLEST_LIMIT_S = 60.0
_SLOWEST = 8  # seconds for a second of 8K at 60 fps


def runs(timeline: Timeline) -> Iterator[range]:
    """The chunks of a time line in runs that are decoded in one go each."""
    starts = [timeline.start_s(timeline.chunks[chunk]) // RUN_S for chunk in range(timeline.chunk_count)]
    for _, chunks in groupby(range(timeline.chunk_count), starts.__getitem__):
        numbers = list(chunks)
        yield range(numbers[0], numbers[-1] + 1)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Segments that are decoded as a whole, and those of which the keyframes are."""

    whole: frozenset[int]
    keyframes: frozenset[int]


def sample_of(plan: Plan, rendition: Rung | AudioTrack, *, clean_source: bool = False) -> Sample:
    """What is decoded of a rendition. `clean_source`: its pictures gave no encoder a reason for a warning."""
    timeline = rendition.timeline
    every = frozenset(range(timeline.segment_count))
    last = timeline.segment_count - 1
    joints = [(first - 1, first) for first in timeline.chunks[1:-1]]
    if isinstance(rendition, AudioTrack):
        beside = {number for joint in joints for number in joint}
        whole = frozenset({0, last, *beside, *range(0, last, SAMPLED_EVERY)})
        return Sample(whole=whole, keyframes=frozenset())
    copied = rendition.method == "copy"
    if copied and not plan.encoded_rungs:
        return Sample(whole=every, keyframes=frozenset())
    chosen = frozenset(
        {0, last, *(number for joint in _sampled(joints, plan, rendition) for number in joint)}
    )
    if copied and clean_source:
        return Sample(whole=frozenset(), keyframes=chosen)
    if copied:
        return Sample(whole=chosen, keyframes=every - chosen)
    keyframes = frozenset({*timeline.chunks[1:-1], *range(0, last, SAMPLED_EVERY)})
    return Sample(whole=chosen, keyframes=keyframes - chosen)


def _sampled(joints: list[tuple[int, int]], plan: Plan, rung: Rung) -> list[tuple[int, int]]:
    beside = [other for other in plan.encoded_rungs if other.codec == rung.codec]
    if rung in beside and rung == min(beside, key=_pixels):
        return joints
    begin = (len(plan.rungs) - 1 - plan.rungs.index(rung)) * JOINT_EVERY // len(plan.rungs)
    return joints[begin::JOINT_EVERY]


def _pixels(rung: Rung) -> int:
    return rung.width * rung.height


def undecodable_chunks(
    plan: Plan,
    rendition: Rung | AudioTrack,
    store: SegmentStore,
    chunks: Sequence[int],
    *,
    tools: Toolchain,
    scratch: Path,
    clean_source: bool = False,
    cancel: threading.Event | None = None,
) -> dict[int, str]:
    """What the decoder says of each of `chunks` (a run of `runs`) that it cannot decode; usually nothing.

    Where the run is not clean its halves are tried, and theirs, until the chunks are known. `clean_source` as in
    `sample_of`.
    Raises FileNotFoundError where a segment is missing, Cancelled, and FfmpegInterrupted and CannotRun as they say.
    """

    bench = _Bench(plan, rendition, store, tools, scratch, cancel)
    sample = sample_of(plan, rendition, clean_source=clean_source)
    wanted = sample.whole | sample.keyframes

    def search(part: Sequence[int]) -> dict[int, str]:
        segments = [n for chunk in part for n in rendition.timeline.chunk_segments(chunk) if n in wanted]
        reason = bench.decode(segments, cut=sample.keyframes.intersection(segments))
        if reason is None:
            return {}
        if len(part) == 1:
            return {part[0]: f"{rendition.name}: chunk {part[0]} cannot be decoded: {reason}."}
        middle = len(part) // 2
        found = search(part[:middle]) | search(part[middle:])
        if not found:  # each half alone is clean, and the whole is not: then it is not known which it is
            name = f"{rendition.name}: chunks {part[0]} to {part[-1]}"
            found = dict.fromkeys(part, f"{name} cannot be decoded in turn: {reason}.")
        return found

    return search(chunks)


def decode_command(rendition: Rung | AudioTrack, source: Path, tools: Toolchain) -> tuple[str, ...]:
    """Decode the one stream of `source` to nothing; how many pictures it had is the last number on stdout.

    ffprobe takes a fifth less time for it than ffmpeg, which hands each picture through filter, encoder and muxer.
    """
    decoder = (
        # Every bit is read, and that is where damage shows: of 120 flips of one bit, in 360p and 720p, 119 were found,
        # as many as with the transforms and the loop filter. (Without concealment, -ec 0: 48.)
        *("-skip_idct", "all"),
        *("-skip_loop_filter", "all"),
        *INPUT_GUARDS,
        *("-threads", "1"),  # the slot is one core; and errors keep their order
    )
    if isinstance(rendition, Rung) and rendition.codec == "av1":
        # Its decoder is a library, which an ffprobe need not have been built with.
        body = [
            "-xerror",  # at the first error: what follows from it says nothing new
            *decoder,
            *("-i", str(source)),
            *("-map", "0:0"),
            *("-filter_threads", "1"),
            *("-fps_mode", "passthrough"),  # each picture counts once, also beside those left out
            *("-f", "null", "-"),
        ]
        return ffmpeg_argv(tools.ffmpeg.path, body)
    return (
        *(str(tools.ffprobe.path), "-hide_banner"),
        # H.264's decoder mends what it can, and of many a damage no more is heard than that it did, on this level.
        *("-loglevel", "level+info"),
        *decoder,
        "-count_frames",  # decodes them all
        *("-show_entries", "stream=nb_read_frames"),
        *("-of", "default=noprint_wrappers=1"),
        str(source),
    )


def complaint(stderr: str) -> str | None:
    """The first line in which a decoder complains; None where it has nothing to complain of."""
    for line in stderr.splitlines():
        if line_level(line) in ("error", "fatal", "panic") or _CONCEALED.match(line):
            return line
    return None


@dataclass(frozen=True)
class _Bench:
    """What each decoding of a rendition needs."""

    plan: Plan
    rendition: Rung | AudioTrack
    store: SegmentStore
    tools: Toolchain
    scratch: Path
    cancel: threading.Event | None

    def decode(self, segments: Sequence[int], *, cut: frozenset[int]) -> str | None:
        """Decode those segments in one go, of those in `cut` the keyframes alone; what is wrong, or None."""
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled("nobody needs this any more")
        if not segments:
            return None
        seconds = float(sum(self.rendition.timeline.segment_duration_s(number) for number in segments))
        limit_s = _SMALLEST_LIMIT_S + _SLOWEST * seconds
        with scratch_folder(self.scratch) as folder:
            pipe = folder / "segments.mp4"
            with fed(pipe, self.rendition, self.store, segments, cut=cut) as feed:
                try:
                    result = run_tool(
                        decode_command(self.rendition, pipe, self.tools),
                        wall_limit_s=2 * limit_s,
                        cpu_limit_s=limit_s,
                        nice=_NICE,
                        scratch=folder,
                        cancel=self.cancel,
                    )
                except LimitExceeded as error:
                    return str(error)
                try:
                    feed.check()  # the cause, where there is one; what the decoder says of it comes second
                except MalformedBoxes as error:
                    return str(error)
        said = complaint(result.stderr)
        if said is not None or result.returncode != 0:
            return said or result.stderr or f"its decoder ended with status {result.returncode}"
        counted = _COUNT.findall(result.stdout)
        frames = int(counted[-1]) if counted else 0
        promised = self._pictures(segments, cut)
        return f"{frames} pictures came of {promised}" if promised not in (None, frames) else None

    def _pictures(self, segments: Sequence[int], cut: frozenset[int]) -> int | None:
        """How many there are in those segments; None where the plan does not say."""
        rendition, grid = self.rendition, self.plan.grid
        if isinstance(rendition, AudioTrack) or rendition.method == "copy" or grid is None:
            return None
        bounds = rendition.timeline.bounds
        whole = (bounds[number + 1] - bounds[number] for number in segments if number not in cut)
        return len(cut) + sum(whole) // grid.ticks_per_frame
