"""Subtitle files that people have: SubRip, WebVTT and ASS/SSA, in whatever encoding, to clean cues.

A file is known by what is in it, never by its name. Nothing here runs a program: these are text files of strangers.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Literal

from charset_normalizer import from_bytes

from . import EngineError
from .cues import MAX_CUES, Cue, in_order, make_cue

Kind = Literal["srt", "vtt", "ass"]
MAX_FILE_BYTES = 2_000_000

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(.*)", re.ASCII)
_ASS_TIME = re.compile(r"\s*(\d{1,4}):(\d{1,2}):(\d{1,2})(?:[.:](\d{1,3}))?\s*", re.ASCII)
_ASS_SECTION = re.compile(r"^\s*\[(?:script info|events)\]\s*$", re.I | re.M)
_ASS_FIELDS = ("layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text")
_ASS_BLOCK = re.compile(r"\{([^{}]{0,2000})\}")
_ASS_DRAWING = re.compile(r"\\p(\d+)")
_ASS_STYLE = re.compile(r"\\([biu])(\d+)")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: In which files were written before UTF-8, by language: a few lines are too few to tell Western from Baltic letters.
_USUAL_ENCODINGS: dict[str, frozenset[str]] = {
    "big5": frozenset({"zh-Hant", "zh-TW", "zh-HK"}),  # before what all Chinese is in
    "gb18030": frozenset({"zh"}),
    "cp932": frozenset({"ja"}),
    "cp949": frozenset({"ko"}),
    "cp874": frozenset({"th"}),
    "cp1250": frozenset({"bs", "cs", "hr", "hu", "pl", "ro", "sk", "sl", "sq"}),
    "cp1251": frozenset({"be", "bg", "mk", "ru", "sr", "uk"}),
    "cp1252": frozenset(
        {"ca", "da", "de", "en", "es", "eu", "fi", "fr", "gl", "is", "it", "nb", "nl", "nn", "no", "pt", "sv"}
    ),
    "cp1253": frozenset({"el"}),
    "cp1254": frozenset({"tr"}),
    "cp1255": frozenset({"he"}),
    "cp1256": frozenset({"ar", "fa", "ur"}),
    "cp1257": frozenset({"et", "lt", "lv"}),
}
_EXPECTED = "Upload SubRip (.srt), WebVTT (.vtt) or ASS (.ass)."


class NoSubtitles(EngineError):
    """The file holds no subtitles that can be shown; the message says why, in words of whoever uploaded it."""


def read_subtitles(data: bytes, language: str | None = None) -> tuple[Kind, tuple[Cue, ...]]:
    """What kind of file it is and its cues, in order, clean; `language` (BCP 47) is that of the text, where known.

    Raises NoSubtitles.
    """
    if len(data) > MAX_FILE_BYTES:
        raise NoSubtitles(f"A subtitle file may have at most {MAX_FILE_BYTES // 1_000_000} MB.")
    text = decoded(data, language)
    kind = kind_of(text)
    if kind is None:
        raise NoSubtitles(f"This is not a subtitle file that Rushes reads. {_EXPECTED}")
    found = list(parse(text, kind))
    if not found:
        raise NoSubtitles("There is no line with a time in this file: nothing would be shown.")
    if len(found) > MAX_CUES:
        raise NoSubtitles(f"There are more than {MAX_CUES} lines in this file.")
    return kind, in_order(found)


def decoded(data: bytes, language: str | None = None) -> str:
    """The text of a file in whatever encoding: by its mark, else UTF-8, else what its language was written in before
    that, else what its letters look like.

    Raises NoSubtitles.
    """
    if not data.strip():
        raise NoSubtitles("The file is empty.")
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data.decode(encoding).lstrip("\ufeff")
            except UnicodeDecodeError as error:
                raise NoSubtitles("The text of this file is damaged; save it as UTF-8.") from error
    if b"\0" in data:
        raise NoSubtitles(f"This is not a text file. {_EXPECTED}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if (usual := _usual_encoding(language)) is not None:
        with suppress(UnicodeDecodeError):
            return data.decode(usual)
    best = from_bytes(data).best()
    if best is None:
        raise NoSubtitles("The encoding of this file can't be recognised; save it as UTF-8.")
    return str(best)


def _usual_encoding(language: str | None) -> str | None:
    tag = language or ""
    return next(
        (encoding for encoding, tags in _USUAL_ENCODINGS.items() if {tag, tag.partition("-")[0]} & tags), None
    )


def kind_of(text: str) -> Kind | None:
    """What kind of subtitles a text is; None where it is none."""
    head = text.lstrip("\ufeff \t\r\n")
    if re.match(r"WEBVTT(?:\s|$)", head):
        return "vtt"
    if _ASS_SECTION.search(head[:20_000]):
        return "ass"
    return "srt" if any(_TIMING.match(line) for line in text.splitlines()) else None


def parse(text: str, kind: Kind) -> Iterator[Cue]:
    """Clean cues in the file's order."""
    lines = text.splitlines()
    return _ass(lines) if kind == "ass" else _timed_blocks(lines, blank_ends=kind == "vtt")


def _timed_blocks(lines: Sequence[str], *, blank_ends: bool) -> Iterator[Cue]:
    """SubRip and WebVTT: a line of times, then text. In SubRip blank lines may be in the text, too."""
    timings = [(at, match) for at, line in enumerate(lines) if (match := _TIMING.match(line))]
    ends = [at for at, _ in timings] + [len(lines)]
    for (at, match), end in zip(timings, ends[1:], strict=True):
        block = [line.strip() for line in lines[at + 1 : end]]
        if blank_ends:
            block = block[: block.index("")] if "" in block else block
        elif end < len(lines) and block and (block[-1].isdigit() or not block[-1]):
            while block and not block[-1]:
                block.pop()
            if block and block[-1].isdigit():  # the number of the next cue
                block.pop()
        numbers = match.groups()
        cue = make_cue(_ms(numbers[:4]), _ms(numbers[4:8]), "\n".join(block), numbers[8])
        if cue is not None:
            yield cue


def parse_muxed_ass(text: str) -> Iterator[Cue]:
    """What ffmpeg's muxer writes: its events have the ten fields of every container, whatever the header says."""
    return _ass(text.splitlines(), header_counts=False)


def _ass(lines: Sequence[str], *, header_counts: bool = True) -> Iterator[Cue]:
    fields: Sequence[str] = _ASS_FIELDS
    inside = False
    for line in lines:
        name, _, value = line.strip().partition(":")
        if line.lstrip().startswith("["):
            inside = line.strip().lower() == "[events]"
        elif inside and header_counts and name.lower() == "format":
            told = [field.strip().lower() for field in value.split(",")]
            fields = told if {"start", "end", "text"} <= set(told) else _ASS_FIELDS
        elif inside and name.lower() == "dialogue":
            values = dict(zip(fields, value.split(",", len(fields) - 1), strict=False))
            start, end = (_ASS_TIME.fullmatch(values.get(name, "")) for name in ("start", "end"))
            if start is None or end is None:
                continue
            cue = make_cue(_ms(start.groups()), _ms(end.groups()), _ass_text(values.get("text", "")))
            if cue is not None:
                yield cue


def _ass_text(text: str) -> str:
    """ASS's text with tags in place of its overrides, and without its drawings."""
    made: list[str] = []
    drawing = False
    at = 0
    for block in _ASS_BLOCK.finditer(text):
        if not drawing:
            made.append(text[at : block.start()])
        at = block.end()
        if "\\an" in block[1]:
            made.append(f"{{{block[1]}}}")  # where it stands is what `make_cue` looks for
        for on in _ASS_DRAWING.findall(block[1]):
            drawing = int(on[:9]) > 0
        made += [f"<{'' if value != '0' else '/'}{name}>" for name, value in _ASS_STYLE.findall(block[1])]
    if not drawing:
        made.append(text[at:])
    return "".join(made).replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")


def _ms(parts: Sequence[str | None]) -> int:
    hours, minutes, seconds, fraction = parts
    return (int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)) * 1000 + int(
        (fraction or "0").ljust(3, "0")
    )
