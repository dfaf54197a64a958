"""The plan of a video: every rung, every segment and every name, as plain data fixed before anything is encoded.

A plan is a promise: its playlists are published at once, and each chunk delivers exactly its frames and samples. It
serialises to JSON and back (`to_json`, `from_json`); `planning` makes it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import msgspec

from .encoders import Codec, codec_of
from .frametimes import FrameTimes
from .grid import Grid
from .timeline import Timeline
from .treatment import Treatment

PLAN_VERSION = 2
Method = Literal["encode", "copy"]


class UnreadablePlan(ValueError):
    """A stored plan is not JSON of this version; the message says what is wrong."""


@dataclass(frozen=True, kw_only=True)
class Rendition:
    """What every rendition has: a folder `name`, a folder of segments `name/key`, and a time line."""

    name: str  # "720p", "audio-1-eng": the folder
    key: str  # of everything that its bytes depend on; hex
    method: Method
    codec_string: str  # RFC 6381
    bandwidth_bps: int  # the most that any stretch of two seconds or more may need
    average_bandwidth_bps: int
    stream_index: int  # of the source's stream

    @property
    def folder(self) -> str:
        """Where its segments lie."""
        return f"{self.name}/{self.key}"

    @property
    def init_name(self) -> str:
        """Name of the init segment."""
        return f"{self.folder}/init.mp4"

    def segment_name(self, number: int) -> str:
        """Name of segment `number`."""
        return f"{self.folder}/{number}.m4s"


@dataclass(frozen=True, kw_only=True)
class Rung(Rendition):
    """A video rendition. `encoder` to `level` are None in a copy; `copy_*` are None in an encode."""

    width: int
    height: int
    timeline: Timeline
    scaled_through: tuple[tuple[int, int], ...] = ()  # sizes of the larger encoded rungs, largest first
    encoder: str | None = None  # as ffmpeg calls it: "libx264"
    crf: int | None = None
    maxrate_bps: int | None = None
    bufsize_bits: int | None = None
    preset: str | None = None  # of that encoder; hardware has one
    level: int | None = None  # as the codec counts them: level_idc, or AV1's seq_level_idx
    copy_chunk_packets: tuple[int, ...] | None = None  # first packet of each chunk, and one past the last
    copy_delay_ticks: int | None = None  # pts - dts of each keyframe

    @property
    def codec(self) -> Codec:
        """What it is encoded in; only H.264 is copied."""
        return codec_of(self.encoder) if self.encoder is not None else "h264"


@dataclass(frozen=True, kw_only=True)
class AudioTrack(Rendition):
    """An audio rendition: AAC-LC, its time line in samples."""

    number: int  # 1, 2, ... in the source's order
    language: str | None
    title: str | None
    default: bool
    sample_rate_hz: int
    channels: int
    source_channels: int
    bitrate_bps: int
    timeline: Timeline
    source_rate_hz: int
    copy_base_pts: int | None = None  # pts of the source's first packet, ticks of source_time_base
    copy_first_frame: int | None = None  # the source's AAC frame that is ours number 0
    source_time_base: Fraction
    source_frames: FrameTimes | None = None  # where the container rounds the times of the frames
    gain_centibels: int = 0  # tenths of a decibel, by which the track is made louder or softer

    @property
    def surround(self) -> bool:
        """Whether it has more than two channels: beside each such track is a stereo one of the same stream."""
        return self.channels > 2


@dataclass(frozen=True, kw_only=True)
class SubtitleTrack:
    """A subtitle track of the source; where `refusal` says why, its text is not converted."""

    number: int  # 1, 2, ... in the source's order
    name: str  # "subs-1-de": the folder
    stream_index: int
    codec: str  # ffmpeg's name
    in_picture: bool = False  # captions that ride in the video stream of that index
    language: str | None  # BCP 47
    title: str | None
    default: bool
    forced: bool
    hearing_impaired: bool
    refusal: str | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`rungs` are largest first within a codec, H.264 before the others; `audio` is in the source's order,
    surround last.

    `grid` is None for sound alone.
    """

    version: int
    key: str  # of the whole plan; hex
    source_key: str
    encoder_build: str
    origin_s: Fraction  # where the time line begins on the source's clock
    duration_s: Fraction
    first_picture_s: Fraction | None  # on the source's clock
    video_time_base: Fraction | None
    display_size: tuple[int, int] | None  # of the source as it is seen, in square pixels; not yet even
    entries: tuple[
        int, ...
    ]  # for each chunk of an encoded rung: the pts of the keyframe where decoding begins
    grid: Grid | None
    treatment: Treatment | None  # of every picture of the encoded rungs; None where there is no picture
    rungs: tuple[Rung, ...]
    audio: tuple[AudioTrack, ...]
    subtitles: tuple[SubtitleTrack, ...]
    caption_stream: int | None  # the video stream, where pictures of its codec may carry captions
    # Why the source's video is not a rung as it is; None where it is one, or where there is none.
    copy_refusal: str | None
    warnings: tuple[str, ...]

    @property
    def renditions(self) -> tuple[Rung | AudioTrack, ...]:
        """Rungs, then audio tracks."""
        return (*self.rungs, *self.audio)

    def rendition(self, name: str) -> Rung | AudioTrack:
        """The rendition of that folder name. Raises KeyError."""
        for rendition in self.renditions:
            if rendition.name == name:
                return rendition
        raise KeyError(name)

    @property
    def stereo(self) -> tuple[AudioTrack, ...]:
        """The audio tracks that everything plays: one a stream, mono or stereo."""
        return tuple(track for track in self.audio if not track.surround)

    @property
    def encoded_rungs(self) -> tuple[Rung, ...]:
        """Rungs that are not copied: they share one time line."""
        return tuple(rung for rung in self.rungs if rung.method == "encode")

    @property
    def copied_rung(self) -> Rung | None:
        """The rung that is the source as it is."""
        return next((rung for rung in self.rungs if rung.method == "copy"), None)

    @property
    def lead_rung(self) -> Rung | None:
        """The smallest encoded H.264 rung: the one that is encoded ahead of whoever watches."""
        rungs = (rung for rung in self.encoded_rungs if rung.codec == "h264")
        return min(rungs, key=lambda rung: rung.width * rung.height, default=None)

    @property
    def ladders(self) -> tuple[tuple[Rung, ...], ...]:
        """Encoded rungs that one process makes of a chunk: H.264 first, then all others, which cost several times that.

        What every player plays is there sooner so, for the price of a second decode.
        """
        first = tuple(rung for rung in self.encoded_rungs if rung.codec == "h264")
        others = tuple(rung for rung in self.encoded_rungs if rung.codec != "h264")
        return tuple(ladder for ladder in (first, others) if ladder)


def locate(plan: Plan, name: str) -> tuple[Rung | AudioTrack, int | None]:
    """The rendition and segment number of a file's name ("720p/<key>/3.m4s"); None for an init segment.

    Raises KeyError for every name that is not in the plan.
    """
    folder, _, file = name.rpartition("/")
    rendition_name, _, key = folder.rpartition("/")
    rendition = plan.rendition(rendition_name)
    stem, _, suffix = file.rpartition(".")
    if key == rendition.key:
        if file == "init.mp4":
            return rendition, None
        number = stem.isascii() and stem.isdecimal() and suffix == "m4s" and stem == str(int(stem[:9]))
        if number and int(stem) < rendition.timeline.segment_count:
            return rendition, int(stem)
    raise KeyError(name)


def to_json(plan: Plan) -> bytes:
    """The plan as JSON, the same bytes for the same plan; rates and times are strings like "30000/1001"."""
    return msgspec.json.encode(plan, enc_hook=encode_fraction, order="deterministic")


def from_json(text: bytes | str) -> Plan:
    """The plan that `to_json` wrote. Raises UnreadablePlan."""
    try:
        plan = msgspec.json.decode(text, type=Plan, dec_hook=_decode_fraction)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise UnreadablePlan(f"This plan cannot be read: {error}") from error
    if plan.version != PLAN_VERSION:
        raise UnreadablePlan(
            f"This plan has version {plan.version}; this build reads version {PLAN_VERSION}."
        )
    return plan


def language_tag(language: str | None) -> str:
    """A language as part of a folder's name: letters, digits and hyphens alone; `und` where there is none."""
    tag = "".join(c for c in (language or "").lower() if c.isascii() and (c.isalnum() or c == "-")).strip("-")
    return tag[:16] or "und"


def encode_fraction(value: Any) -> str:
    """msgspec's hook for what JSON lacks: "30000/1001"."""
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    raise TypeError(f"A plan holds no {type(value).__name__}.")


def _decode_fraction(kind: type, value: Any) -> Fraction:
    if kind is Fraction and isinstance(value, str):
        with suppress(ZeroDivisionError):
            return Fraction(value)
    raise ValueError(f"expected a fraction, got {value!r}")
