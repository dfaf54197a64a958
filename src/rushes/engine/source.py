"""What a source is: a typed description of a media file, made by `probe`, read by `plan`.

All times are integers in the stream's own `time_base`, or `Fraction` seconds; a rate is a `Fraction`, never a float.
The words are ffmpeg's: stream, packet, pts, time_base, disposition.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

Hdr = Literal["sdr", "hlg", "pq", "dolby-vision"]
#: "interlaced": the two fields of a picture are of different times. "film": each is of one film frame, though pictures
#: may hold fields of two (telecine).
Scan = Literal["progressive", "interlaced", "film"]
FieldOrder = Literal["tff", "bff"]


@dataclass(frozen=True, kw_only=True)
class Colour:
    """Colour tags in ffmpeg's names (`bt709`, `smpte2084`, `tv`, ...); None where the stream says nothing."""

    range: str | None = None
    matrix: str | None = None
    transfer: str | None = None
    primaries: str | None = None


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What every kind of stream has."""

    index: int  # ffmpeg's absolute stream index: `-map 0:<index>`
    codec: str  # ffmpeg's codec name, "unknown" where it has none
    time_base: Fraction  # seconds per tick
    first_pts: int | None = None  # of the packet presented first; from the packet index where there is one
    language: str | None = None  # BCP 47 or ISO 639 as the container says it; None for "und"
    title: str | None = None
    dispositions: frozenset[str] = frozenset()  # those that are set: default, forced, attached_pic, ...


@dataclass(frozen=True, kw_only=True)
class VideoStream(Stream):
    """Moving pictures."""

    width: int  # coded for display by the decoder, before rotation and SAR
    height: int
    pix_fmt: str | None = None
    bit_depth: int = 8
    profile: str | None = None
    codec_string: str | None = None  # RFC 6381, "avc1.640028", where the extradata tells it
    nominal_rate: Fraction | None = None  # ffprobe's r_frame_rate
    average_rate: Fraction | None = None  # ffprobe's avg_frame_rate
    sample_aspect_ratio: Fraction = Fraction(1)
    rotation_deg: int = 0  # clockwise, as a player must turn the picture: 0, 90, 180, 270
    mirrored: bool = False
    field_order: str | None = None  # "progressive", "tt", "bb", "tb", "bt"; None where unknown
    colour: Colour = field(default_factory=Colour)
    hdr: Hdr = "sdr"
    dolby_vision_profile: int | None = None
    # The next four are found by decoding (`examine`) where `interlaced` says that there is something to find.
    scan: Scan = "progressive"
    shown_first: FieldOrder = "tff"
    order_is_forced: bool = False  # the decoder's own word on the order is missing or wrong
    picture_gap_s: Fraction | None = None  # from decoded picture to picture: packets may be single fields
    parameter_sets: int | None = None  # SPS count in the extradata (H.264); None where unknown
    delay_frames: int = 0  # frames that the decoder holds back to put them in order: ffprobe's has_b_frames

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height as seen, in square pixels, after SAR and rotation (not yet even)."""
        # Lines are kept and the width follows the SAR, as every player shows it (1440x1080 at 4:3 is 1920x1080).
        width, height = max(1, round(self.width * self.sample_aspect_ratio)), self.height
        return (height, width) if self.rotation_deg in (90, 270) else (width, height)

    @property
    def interlaced(self) -> bool:
        """Whether its pictures consist of two fields, as it says or `examine` saw; `scan` is what they really are."""
        return self.field_order not in (None, "progressive", "unknown")


@dataclass(frozen=True, kw_only=True)
class AudioStream(Stream):
    """Sound."""

    sample_rate_hz: int
    channels: int
    layout: str | None = None
    profile: str | None = None  # "LC", "HE-AAC", ...
    bitrate_bps: int | None = None


@dataclass(frozen=True, kw_only=True)
class SubtitleStream(Stream):
    """Text or bitmaps over the picture."""


@dataclass(frozen=True, kw_only=True)
class OtherStream(Stream):
    """What is neither: it is listed and left alone."""

    kind: str  # "data", "attachment", an attached picture: "picture"


@dataclass(frozen=True, kw_only=True)
class PacketIndex:
    """The packets of one stream in decoding order, as three parallel arrays and the facts drawn from them.

    `pts` falls back to dts where a packet has none. It takes some 35 bytes a packet: 12 h of 60 fps are under 100 MB.
    """

    stream_index: int
    pts: array[int]  # ticks of the stream's time_base, decoding order
    dts: array[int]  # same length; pts where the container has no dts
    size_bytes: array[int]
    position: array[int]  # byte offset in the file, -1 where unknown
    keyframes: array[int]  # packet numbers (decoding order) flagged key
    last_duration: (
        int  # ticks: how long the packet presented last is shown, estimated where the container is silent
    )
    discarded: int = 0  # packets an edit list hides
    hidden_keyframe: bool = (
        False  # one of them is a keyframe before the first shown packet: decoding begins there
    )
    corrupt: int = 0
    empty: int = 0  # packets of no bytes, kept in time: a frame that an AVI dropped
    untimed: int = 0  # packets without a pts, which was drawn from their dts (AVI, raw streams)

    def __len__(self) -> int:
        return len(self.pts)


@dataclass(frozen=True, kw_only=True)
class Source:
    """One readable file: its streams, and the packets of those that are planned."""

    path: Path  # local file that ffmpeg opens
    key: str  # content key: size, packet index, first and last MiB; hex
    size_bytes: int
    formats: frozenset[str]  # ffprobe's format_name, split: {"mov", "mp4", ...}
    duration_s: Fraction | None  # what the container claims; not trusted
    streams: tuple[Stream, ...]
    packets: Mapping[int, PacketIndex]  # by stream index: the video, every audio
    complete: bool = True  # False where the container promises more than is there: the file was cut off
    index_wall_s: float = field(default=0.0, compare=False)  # how long reading all packets took
    warnings: tuple[str, ...] = ()
    #: Subtitle streams of the file that this one is a seekable copy of, which has none; None where it is no copy.
    set_aside_subtitles: tuple[SubtitleStream, ...] | None = None

    @property
    def subtitles(self) -> tuple[SubtitleStream, ...]:
        """Every subtitle stream, in the file's order."""
        if self.set_aside_subtitles is not None:
            return self.set_aside_subtitles
        return tuple(s for s in self.streams if isinstance(s, SubtitleStream))

    @property
    def video(self) -> VideoStream | None:
        """The picture that is planned: the default one with the most pixels; never an attached picture."""
        return best_video(s for s in self.streams if isinstance(s, VideoStream) and s.index in self.packets)

    @property
    def audio(self) -> tuple[AudioStream, ...]:
        """Every audio stream that has packets, in the file's order."""
        return tuple(s for s in self.streams if isinstance(s, AudioStream) and s.index in self.packets)


def best_video(candidates: Iterable[VideoStream]) -> VideoStream | None:
    """Of several pictures the one that is played: a default one before others, then the most pixels, then the first."""
    return max(
        candidates,
        key=lambda s: ("default" in s.dispositions, s.width * s.height, -s.index),
        default=None,
    )
