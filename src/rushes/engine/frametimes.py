"""Where a codec's frames of sound really lie, in a container that rounds their times.

Matroska, WebM and FLV keep whole milliseconds. Each chunk of sound is placed by the time of one frame, so two chunks
would differ by up to a millisecond, heard as a tick where they meet. But frames of a constant size follow each other
without a gap: their times are known to the sample from their number. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .source import AudioStream, PacketIndex

#: Samples a frame, from ISO/IEC 14496-3, ISO/IEC 11172-3 (layer III), ATSC A/52, and as every encoder of Opus does by
#: default (RFC 6716 allows others: those are left alone, as is Vorbis, whose frames have two sizes).
_FRAME_SAMPLES = {"aac": 1_024, "mp3": 1_152, "ac3": 1_536, "opus": 960}


@dataclass(frozen=True, kw_only=True)
class FrameTimes:
    """Frame n of the source begins at sample `base + n * samples`, in samples of the source on its own clock."""

    samples: int
    base: int


def frame_times(stream: AudioStream, packets: PacketIndex) -> FrameTimes | None:
    """The frames of a track whose container rounds; None where times are exact, or not a plain row of frames."""
    samples, rate, tick = _FRAME_SAMPLES.get(stream.codec), stream.sample_rate_hz, stream.time_base
    if samples is None or tick * rate <= 1:
        return None
    frame_ticks = Fraction(samples, rate) / tick
    step, scale = frame_ticks.numerator, frame_ticks.denominator
    # How far each packet is from its place in the row, in ticks times `scale`: whole numbers, 12 hours are a second.
    off = [pts * scale - number * step for number, pts in enumerate(packets.pts)]
    low, high = min(off), max(off)
    if high - low > scale:
        return None  # more than rounding: a gap, a pause, other frames than the codec's usual ones
    return FrameTimes(samples=samples, base=round(Fraction(low + high, 2 * scale) * tick * rate))
