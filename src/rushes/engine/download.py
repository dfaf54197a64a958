"""Which picture and sound the MP4 to download has: finished renditions where they fit, else ones made for it alone.

It is for players of all ages: H.264 main or high of 8 bits, at most 2400 pixels long, stereo AAC of 128 kb/s. What is
made for it alone is planned like a rung, on the same grid, and made in the same chunks; it is in no playlist.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import msgspec

from . import h264
from .encoders import SOFTWARE
from .ladder import scaled
from .plan import AudioTrack, Plan, Rung, encode_fraction
from .settings import (
    AAC_FRAME_SAMPLES,
    AUDIO_CHUNK_SEGMENTS,
    AUDIO_RATE_HZ,
    CHUNK_SEGMENTS,
    COMMAND_VERSION,
    OPENING_SEGMENT_S,
    SEGMENT_S,
    cap_bps,
)
from .timeline import Timeline, audio_timeline, video_timeline

LONG_SIDE = 2400
CRF = 23
X264_PRESET = "medium"
AUDIO_BITRATE_BPS = 128_000
#: Copied sound is taken up to this: encoders of "128k" wander about their mark, and a second encode is heard.
_MOST_AUDIO_BPS = 160_000
#: RFC 6381 of main (77) and high (100); baseline (66) lacks what makes a file small, high 10 plays on few devices.
_FITTING_CODEC = re.compile(r"avc1\.(4d|64)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Download:
    """Picture and sound of the MP4; `own` are those that no playlist has and that are to be made first."""

    rung: Rung | None
    track: AudioTrack | None

    @property
    def own(self) -> tuple[Rung | AudioTrack, ...]:
        """What is made for the download alone."""
        return tuple(each for each in (self.rung, self.track) if each is not None and _is_own(each))

    @property
    def finished(self) -> tuple[Rung | AudioTrack, ...]:
        """What is there anyway."""
        return tuple(each for each in (self.rung, self.track) if each is not None and not _is_own(each))


#: The folders of what is made for it alone, beside those of rungs.
OWN_RUNG, OWN_TRACK = "mp4", "mp4-audio"


def download_of(plan: Plan) -> Download:
    """What the MP4 of a plan is made of."""
    track = _stereo(plan)
    if plan.grid is None or plan.display_size is None:
        return Download(rung=None, track=track)
    size = download_size(plan.display_size)
    rung = next((rung for rung in plan.rungs if _fits(rung, size)), None)
    if rung is None:
        rung = _own_rung(plan, size)
    if track is not None and track.method == "copy" and track.bitrate_bps > _MOST_AUDIO_BPS:
        track = _own_track(plan, track)
    return Download(rung=rung, track=track)


def download_size(display_size: tuple[int, int]) -> tuple[int, int]:
    """Width and height, even: those of the picture as it is seen, or so much smaller that its long side is 2400."""
    width, height = display_size
    short, long = sorted(display_size)
    if long <= LONG_SIDE:
        return scaled(display_size, short)
    small = max(2, 2 * round(Fraction(short * LONG_SIDE, 2 * long)))
    return (LONG_SIDE, small) if width >= height else (small, LONG_SIDE)


def _fits(rung: Rung, size: tuple[int, int]) -> bool:
    return (rung.width, rung.height) == size and _FITTING_CODEC.match(rung.codec_string) is not None


def _stereo(plan: Plan) -> AudioTrack | None:
    """The default track; of several with the same language the one that every player plays."""
    fitting = [
        track for track in plan.audio if track.channels <= 2 and track.codec_string.startswith("mp4a.40.2")
    ]
    return next((track for track in fitting if track.default), None) or next(iter(fitting), None)


def _own_rung(plan: Plan, size: tuple[int, int]) -> Rung:
    assert plan.grid is not None
    cap = cap_bps(*size, plan.grid.rate, "best")  # the CRF decides; this is for confetti and the like
    level = h264.level_idc(*size, plan.grid.rate, cap)
    rung = Rung(
        name=OWN_RUNG,
        key="",
        method="encode",
        codec_string=SOFTWARE["h264"].codec_string(level),
        bandwidth_bps=cap + cap // 2,
        average_bandwidth_bps=cap,
        stream_index=plan.rungs[0].stream_index,
        width=size[0],
        height=size[1],
        timeline=_along(plan),
        encoder=SOFTWARE["h264"].name,
        crf=CRF,
        maxrate_bps=cap,
        bufsize_bits=cap,
        preset=X264_PRESET,
        level=level,
    )
    return replace(rung, key=_key(plan, rung))


def _own_track(plan: Plan, track: AudioTrack) -> AudioTrack:
    own = replace(
        track,
        name=OWN_TRACK,
        key="",
        method="encode",
        sample_rate_hz=AUDIO_RATE_HZ,
        bitrate_bps=AUDIO_BITRATE_BPS,
        timeline=audio_timeline(
            _along(plan),
            rate_hz=AUDIO_RATE_HZ,
            frame_samples=AAC_FRAME_SAMPLES,
            chunk_segments=AUDIO_CHUNK_SEGMENTS,
        ),
        source_frames=None,  # what is copied comes from containers that keep the times of frames
        copy_base_pts=None,
        copy_first_frame=None,
    )
    return replace(own, key=_key(plan, own))


def _along(plan: Plan) -> Timeline:
    """The time line that all encoded rungs of a plan share, or would share: its entries belong to it."""
    if plan.encoded_rungs:
        return plan.encoded_rungs[0].timeline
    assert plan.grid is not None
    return video_timeline(
        plan.grid.frames,
        plan.grid.ticks_per_frame,
        plan.grid.timescale,
        plan.grid.rate,
        segment_s=SEGMENT_S,
        opening_s=OPENING_SEGMENT_S,
        chunk_segments=CHUNK_SEGMENTS,
    )


def _key(plan: Plan, rendition: Rung | AudioTrack) -> str:
    told: dict[str, Any] = msgspec.to_builtins(rendition, enc_hook=encode_fraction)
    facts = (plan.key, COMMAND_VERSION, told)  # the plan's key knows source and encoder build
    return hashlib.sha256(msgspec.json.encode(facts, order="deterministic")).hexdigest()[:16]


def _is_own(rendition: Rung | AudioTrack) -> bool:
    return rendition.name in (OWN_RUNG, OWN_TRACK)
