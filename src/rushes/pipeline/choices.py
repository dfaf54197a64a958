"""What settings, and a wish for one video, may choose about an encode: words as settings and the engine's choices.

Read when the settings are made, so it imports nothing of Django's.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import get_args

from rushes.engine.encoders import Codec, Gpu, parse_codecs
from rushes.engine.presets import parse_changes
from rushes.engine.settings import Quality

QUALITIES: tuple[str, ...] = get_args(Quality)
GPUS: tuple[str, ...] = get_args(Gpu)


class UnknownChoice(ValueError):
    """A wish that no encode can grant; the message says what can be wished for."""


def asked_quality(quality: str) -> Quality:
    """A quality by its name. Raises UnknownChoice."""
    for known in get_args(Quality):
        if quality == known:
            return known  # type: ignore[no-any-return]
    raise UnknownChoice(f"{quality!r} is not a quality; write one of {', '.join(QUALITIES)}.")


def asked_codecs(codecs: Collection[str]) -> tuple[Codec, ...]:
    """Names of codecs as one for each, H.264 among them. Raises UnknownChoice."""
    try:
        return parse_codecs(",".join(codecs))
    except ValueError as error:
        raise UnknownChoice(f"{', '.join(codecs)}: {error}.") from error


def asked_gpu(gpu: str | None) -> Gpu | None:
    """A kind of hardware by its name, None for none. Raises UnknownChoice."""
    if not gpu:
        return None
    for known in get_args(Gpu):
        if gpu == known:
            return known  # type: ignore[no-any-return]
    raise UnknownChoice(f"{gpu!r} is no hardware encoder; write one of {', '.join(GPUS)}.")


__all__ = [
    "GPUS",
    "QUALITIES",
    "UnknownChoice",
    "asked_codecs",
    "asked_gpu",
    "asked_quality",
    "parse_changes",
    "parse_codecs",
]
