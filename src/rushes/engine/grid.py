"""The frame grid: which rate a source is shown at, where its time line begins and how many frames it has.

A constant rate keeps its rational; it snaps to a standard rate only where the whole count changes by at most half a
frame. A variable rate takes the lowest standard rate that keeps its usual gap. 60 fps at most (DESIGN.md, "Videos").
Of an interlaced video each field becomes a frame, because each shows a time of its own.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

from .settings import EDGE_TOLERANCE_S, MAX_RATE
from .source import PacketIndex, VideoStream
from .treatment import picture_rate_factor

#: Rates that cameras, broadcasters, screen recorders and slide shows use.
STANDARD_RATES: tuple[Fraction, ...] = (
    *(Fraction(r) for r in (1, 2, 3, 4, 5, 6, 8, 10, 12)),
    Fraction(25, 2),
    Fraction(15),
    Fraction(20),
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(48),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
)

#: Codecs whose decoders drop what is shown before the first keyframe.
_REORDERED = frozenset({"h264", "hevc", "mpeg1video", "mpeg2video"})


@dataclass(frozen=True, kw_only=True)
class Grid:
    """`frames` frames at `rate`; frame n is shown at `origin_s + n / rate` of the source's own clock."""

    rate: Fraction
    frames: int
    origin_s: Fraction
    constant: bool  # whether the source itself keeps this rate (or a whole multiple of it)

    @property
    def duration_s(self) -> Fraction:
        """Of all frames."""
        return self.frames / self.rate

    @property
    def timescale(self) -> int:
        """Track timescale in which every frame is a whole number of ticks: the rate's numerator, made fine enough."""
        return self.rate.numerator * self._factor

    @property
    def ticks_per_frame(self) -> int:
        """Ticks of `timescale` that a frame lasts."""
        return self.rate.denominator * self._factor

    @property
    def _factor(self) -> int:
        # 30/1 -> 30000, as every muxer writes it; 30000/1001 stays; 179/6 -> 10024 ticks a second
        if self.rate.denominator == 1:
            return 1000
        return max(1, ceil(10_000 / self.rate.numerator))


def choose_grid(
    video: VideoStream, packets: PacketIndex, audio_spans_s: Sequence[tuple[Fraction, Fraction]] = ()
) -> Grid:
    """The grid of a video stream. `audio_spans_s` are (first, end) of each audio track on the source's clock.

    The origin is the first picture, minus whole frames where sound leads by more than 0.1 s; the end is the
    picture's, or the sound's where that outlasts it by more than 0.1 s (a slide show, a still screen).
    Raises ValueError where there is no packet.
    """
    if not len(packets):
        raise ValueError("A video stream without packets has no grid.")
    times = _shown_times(video, packets)
    tick = video.time_base
    constant = _constant_rate(video, times, tick)
    if constant is not None:
        source_rate = constant
        frames_s = Fraction(round((times[-1] - times[0]) * tick * source_rate) + 1) / source_rate
    else:
        source_rate = _lowest_rate_for(_usual_gap_s(times, tick, packets.last_duration))
        frames_s = (times[-1] - times[0] + packets.last_duration) * tick
    source_rate *= picture_rate_factor(video)
    rate = source_rate / ceil(source_rate / MAX_RATE)

    first_s = times[0] * tick
    lead_s = first_s - min((start for start, _ in audio_spans_s), default=first_s)
    lead_frames = floor(lead_s * rate) if lead_s > EDGE_TOLERANCE_S else 0
    end_s = first_s + frames_s
    sound_end_s = max((end for _, end in audio_spans_s), default=end_s)
    if sound_end_s - end_s > EDGE_TOLERANCE_S:
        frames_s = sound_end_s - first_s
    return Grid(
        rate=rate,
        frames=max(1, round(frames_s * rate)) + lead_frames,
        origin_s=first_s - lead_frames / rate,
        constant=constant is not None,
    )


def first_picture_s(video: VideoStream, packets: PacketIndex) -> Fraction:
    """When the first picture that can be decoded is shown, on the source's clock."""
    return _shown_times(video, packets)[0] * video.time_base


def _constant_rate(video: VideoStream, times: Sequence[int], tick: Fraction) -> Fraction | None:
    """The rate of a straight line that every frame's time lies on within a tick (or half a millisecond), snapped."""
    if len(times) == 1:
        return _snap(video.nominal_rate or video.average_rate or Fraction(25), Fraction(1, 25))
    span = (times[-1] - times[0]) * tick
    measured = ((len(times) - 1) / span).limit_denominator(100_000)
    for rate in (video.nominal_rate, video.average_rate, measured):
        if rate is not None and 0 < rate <= 1000 and _on_a_line(times, tick, rate):
            return _snap(rate, span + 1 / rate)
    return None


def _on_a_line(times: Sequence[int], tick: Fraction, rate: Fraction) -> bool:
    ticks = 1 / (rate * tick)  # per frame, exact
    numerator, denominator = ticks.numerator, ticks.denominator
    tolerance = max(denominator, floor(Fraction(1, 2000) / tick * denominator))
    base = times[0]
    return all(abs((t - base) * denominator - i * numerator) <= tolerance for i, t in enumerate(times))


def _snap(rate: Fraction, duration_s: Fraction) -> Fraction:
    """The nearest standard rate, where the whole count changes by at most half a frame (and the rate by 1 %)."""
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    difference = abs(nearest - rate)
    return nearest if difference * duration_s <= Fraction(1, 2) and difference <= rate / 100 else rate


def _usual_gap_s(times: Sequence[int], tick: Fraction, last_duration: int) -> Fraction:
    """The mean of the gaps near the median: a container's rounding to milliseconds averages out."""
    gaps = sorted(b - a for a, b in pairwise(times)) or [max(1, last_duration)]
    median = gaps[len(gaps) // 2]
    # Jitter is inside (it cancels out, unless its tails are cut off); a dropped frame, twice as long, is outside.
    near = [gap for gap in gaps if abs(gap - median) * 5 <= median * 2] or [median]
    return Fraction(sum(near), len(near)) * tick


def _lowest_rate_for(gap_s: Fraction) -> Fraction:
    """The lowest standard rate that loses no usual frame; the nearest where jitter (5 %) hides which that is."""
    wanted = 1 / gap_s
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - wanted))
    if abs(nearest - wanted) * 20 <= wanted:
        return nearest
    return next((rate for rate in STANDARD_RATES if rate >= wanted), MAX_RATE)


def _shown_times(video: VideoStream, packets: PacketIndex) -> array[int]:
    """When pictures are shown, ascending, from the first that can be decoded: a cut recording has some before."""
    if packets.hidden_keyframe:
        return _pictures(video, sorted(set(packets.pts)))
    first = packets.keyframes[0] if packets.keyframes and video.codec in _REORDERED else 0
    since = packets.pts[first]
    return _pictures(video, sorted({pts for pts in packets.pts[first:] if pts >= since}))


def _pictures(video: VideoStream, times: Sequence[int]) -> array[int]:
    """`times` without those of second fields, which some streams pack by themselves."""
    if video.picture_gap_s is None:
        return array("q", times)
    least = video.picture_gap_s * 3 / 4 / video.time_base
    kept = array("q", times[:1])
    for time in times[1:]:
        if time - kept[-1] >= least:
            kept.append(time)
    return kept
