"""What a rung is encoded with, beyond its size: the table of qualities, and what settings change in it rung by rung."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from .encoders import X264_PRESETS, Codec

#: A rung's name, or all rungs of a codec: `720p`, `720p-hevc`, `*`, `*-av1`.
_NAME = re.compile(r"(?P<size>\*|[1-9][0-9]{1,3}p)(?:-(?P<codec>hevc|av1))?")
_BITRATE = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,3})?)(?P<unit>[kKmM]?)")
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_LOWEST_BPS, _HIGHEST_BPS = 16_000, 500_000_000
_HIGHEST_CRF: dict[Codec, int] = {"h264": 51, "hevc": 51, "av1": 63}
_SVT_PRESETS = tuple(str(number) for number in range(14))
_FORM = "720p bitrate=2500k crf=22 preset=slow"


@dataclass(frozen=True, kw_only=True)
class RungChange:
    """What is to be different in a rung; None: as the quality has it."""

    crf: int | None = None  # of the codec's own scale
    preset: str | None = None  # x264's and x265's names, or SVT-AV1's numbers
    bitrate_bps: int | None = None  # the cap: CRF stays beneath it

    def over(self, other: RungChange) -> RungChange:
        """This change, and where it says nothing the other."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(other, **{name: value for name, value in told.items() if value is not None})


NO_CHANGE = RungChange()


def change_of(changes: Mapping[str, RungChange], name: str) -> RungChange:
    """What is said of the rung of that name: of itself, and beneath it of all rungs of its codec."""
    _, hyphen, codec = name.partition("-")
    return changes.get(name, NO_CHANGE).over(changes.get(f"*{hyphen}{codec}", NO_CHANGE))


def parse_changes(text: str) -> dict[str, RungChange]:
    """`720p bitrate=2500k crf=22 preset=slow; * preset=faster; *-av1 preset=8` by rung.

    `*` is every H.264 rung, `*-hevc` and `*-av1` those of that codec; what is said of one rung goes before it.
    Raises ValueError.
    """
    told: dict[str, RungChange] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, *words = part.split()
        match = _NAME.fullmatch(name)
        if match is None or (match["size"] != "*" and not _is_size(int(match["size"][:-1]))):
            raise ValueError(f"{name!r} is no rung; write for example {_FORM}")
        if not words:
            raise ValueError(f"nothing is said of {name}; write for example {_FORM}")
        codec: Codec = "hevc" if match["codec"] == "hevc" else "av1" if match["codec"] else "h264"
        for word in words:
            change, before = _change(word, codec), told.get(name, NO_CHANGE)
            if any(None not in (getattr(change, f.name), getattr(before, f.name)) for f in fields(change)):
                raise ValueError(f"{word.partition('=')[0]} of {name} is given twice")
            told[name] = change.over(before)
    return told


def _is_size(lines: int) -> bool:
    return 16 <= lines <= 4320 and lines % 2 == 0


def _change(word: str, codec: Codec) -> RungChange:
    field, _, value = word.partition("=")
    if field == "crf":
        highest = _HIGHEST_CRF[codec]
        # 0 is lossless, which is another profile.
        if re.fullmatch(r"[0-9]{1,2}", value) and 1 <= int(value) <= highest:
            return RungChange(crf=int(value))
        raise ValueError(f"{word!r}: write a whole number from 1 to {highest}")
    if field == "preset":
        presets = _SVT_PRESETS if codec == "av1" else X264_PRESETS
        if value in presets:
            return RungChange(preset=value)
        raise ValueError(f"{word!r}: write one of {', '.join(presets)}")
    if field == "bitrate":
        match = _BITRATE.fullmatch(value)
        bps = round(float(match["number"]) * _UNITS[match["unit"].lower()]) if match else 0
        if _LOWEST_BPS <= bps <= _HIGHEST_BPS:
            return RungChange(bitrate_bps=bps)
        raise ValueError(f"{word!r}: write bits per second, for example 2500k or 2.5M")
    raise ValueError(f"{word!r}: write crf, preset or bitrate, each with = and its value")
