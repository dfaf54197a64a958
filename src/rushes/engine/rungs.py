"""The encoded rungs of a plan: every size in every codec that the settings ask for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from .encoders import SMALLEST_SIDE, Codec, level_of
from .ladder import rung_name, rung_sizes
from .plan import Rung
from .presets import RungChange, change_of
from .settings import NEWER_CODECS, QUALITIES, Settings, cap_bps
from .source import VideoStream
from .timeline import Timeline


def encoded_rungs(
    video: VideoStream, rate: Fraction, along: Timeline, settings: Settings, *, copied: bool
) -> Iterator[Rung]:
    """Rungs without keys, codec by codec, largest first; with `copied` the source itself is the top one of H.264.

    The newer codecs are an offer beside H.264, in the same sizes, also in that of a copy.
    """
    offered = rung_sizes(video.display_size, settings.rungs)
    beneath = rung_sizes(video.display_size, settings.rungs, copied=True) if copied else offered
    sizes: dict[Codec, tuple[tuple[int, int], ...]] = {
        codec: tuple(
            size for size in (beneath if codec == "h264" else offered) if min(size) >= SMALLEST_SIDE[codec]
        )
        for codec in settings.codecs
    }
    # One chain of scalers for all codecs: a rung's pixels do not depend on what is made beside it.
    chain = sorted(
        {size for ladder in sizes.values() for size in ladder}, key=lambda size: -size[0] * size[1]
    )
    for codec, ladder in sizes.items():
        for size in ladder:
            yield _rung(video, size, rate, along, settings, codec, tuple(chain[: chain.index(size)]))


def _rung(
    video: VideoStream,
    size: tuple[int, int],
    rate: Fraction,
    along: Timeline,
    settings: Settings,
    codec: Codec,
    larger: tuple[tuple[int, int], ...],
) -> Rung:
    name, encoder = rung_name(size, codec), settings.encoder_of(codec)
    change = change_of(settings.changes, name).over(_by_quality(settings, codec))
    cap = change.bitrate_bps or _cap_bps(size, rate, settings, codec)
    level = level_of(codec, size, rate, cap)
    return Rung(
        name=name,
        key="",
        method="encode",
        codec_string=encoder.codec_string(level),
        # Any stretch of at least 2 s holds at most what flows in meanwhile and a full buffer (1 s of cap).
        bandwidth_bps=cap + cap // 2,
        average_bandwidth_bps=cap,
        stream_index=video.index,
        width=size[0],
        height=size[1],
        timeline=along,
        scaled_through=larger,
        encoder=encoder.name,
        crf=change.crf,
        maxrate_bps=cap,
        bufsize_bits=cap,
        preset=None if encoder.gpu else change.preset,
        level=level,
    )


def _by_quality(settings: Settings, codec: Codec) -> RungChange:
    if codec == "h264":
        quality = QUALITIES[settings.quality]
        return RungChange(crf=quality.crf, preset=quality.x264_preset)
    newer = NEWER_CODECS[codec]
    return RungChange(crf=newer.crf[settings.quality], preset=newer.preset[settings.quality])


def _cap_bps(size: tuple[int, int], rate: Fraction, settings: Settings, codec: Codec) -> int:
    cap = cap_bps(*size, rate, settings.quality)
    return cap if codec == "h264" else round(cap * NEWER_CODECS[codec].cap_factor)
