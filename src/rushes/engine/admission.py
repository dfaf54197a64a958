"""What of a source is refused, by its description alone: more of something than can be worked on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from rushes.engine import EngineError
from rushes.engine.index import covered_ticks
from rushes.engine.source import AudioStream, PacketIndex, Stream, VideoStream

MAX_DURATION_S = 13 * 3600  # 12 h are promised; the rest is for clocks and cards that run over

MAX_AUDIO_TRACKS = 32  # discs and broadcasts have fewer
MAX_HOLLOW_S = 3600  # of a recorded screen on which nothing moves no frame may come for long
_PAUSE_S = 10  # from one packet to the next: so long, and it is not counted


class ProbeError(EngineError):
    """Base of what is wrong with a source; trying again won't mend it. The messages are for uploaders."""


class NotMedia(ProbeError):
    """The file can't be read, or is neither video nor sound."""


class PlaylistRefused(NotMedia):
    """The file only names other files; following it would read what the uploader may not."""


class NothingToPlay(ProbeError):
    """A media file without a single packet of video or audio."""


class TooManyTracks(ProbeError):
    """More tracks, or more words about them, than any video has: each would be a rendition of its own."""


class TooLong(ProbeError):
    """Longer than the limit, or with more packets than any video of that length has."""


class TooManyPixels(ProbeError):
    """A picture larger than the limit."""


def check_duration(
    name: str, streams: Iterable[Stream], packets: Mapping[int, PacketIndex], max_duration_s: float
) -> None:
    """Raise TooLong when the packets of one stream span more than `max_duration_s`."""
    for stream in streams:
        if stream.index in packets:
            index = packets[stream.index]
            span_s = (max(index.pts) - min(index.pts) + index.last_duration) * stream.time_base
            if span_s > max_duration_s:
                raise TooLong(
                    f"{name} is {float(span_s / 3600):.1f} hours long; "
                    f"at most {max_duration_s / 3600:g} hours can be played"
                )


def check_tracks(streams: Iterable[Stream]) -> None:
    """Raise TooManyTracks."""
    tracks = sum(isinstance(stream, AudioStream) for stream in streams)
    if tracks > MAX_AUDIO_TRACKS:
        raise TooManyTracks(f"it has {tracks} sound tracks; at most {MAX_AUDIO_TRACKS} can be played")


def check_hollow(name: str, streams: Iterable[Stream], packets: Mapping[int, PacketIndex]) -> None:
    """Raise TooLong where nothing comes for hours: two pictures ten hours apart are 1.6 kB, and a million frames.

    Over all streams: one packet of sound a month after the picture makes a plan of a month.
    """
    begins, ends, covered_s = [], [], Fraction(0)
    for stream in streams:
        if stream.index in packets:
            index, base = packets[stream.index], stream.time_base
            begins.append(min(index.pts) * base)
            ends.append((max(index.pts) + index.last_duration) * base)
            covered_s = max(covered_s, covered_ticks(index, int(_PAUSE_S / base)) * base)
    hollow_s = max(ends) - min(begins) - covered_s
    if hollow_s > MAX_HOLLOW_S:
        raise TooLong(
            f"{name} has {float(hollow_s / 3600):.1f} hours in which neither picture nor sound goes on"
        )


def check_pixels(streams: Iterable[Stream], max_pixels: int) -> None:
    """Raise TooManyPixels."""
    for stream in streams:
        if isinstance(stream, VideoStream) and stream.width * stream.height > max_pixels:
            raise too_many_pixels(stream.width, stream.height, max_pixels)


def too_many_pixels(width: int, height: int, max_pixels: int) -> TooManyPixels:
    """The error, for whoever meets such a picture."""
    return TooManyPixels(
        f"its pictures are {width}x{height}, {width * height / 1e6:.0f} megapixels; "
        f"at most {max_pixels / 1e6:.0f} can be played"
    )
