"""Cues of subtitles: when which text is shown, as WebVTT has it and nothing that a player could stumble over.

What people upload and containers hold is markup of many kinds. Of it only bold, italic and underlined text is kept, and
whether a line stands at the top; whatever else looks like a tag is dropped, and the text itself is escaped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

#: A film of three hours has 3,000 cues. What is beyond is no subtitle.
MAX_CUES = 50_000
MAX_CUE_CHARACTERS = 2_000
MAX_CUE_LINES = 20
#: A cue is in every segment that it is shown in: without a limit a file of a megabyte would become gigabytes.
MAX_CUE_MS = 10 * 60_000
MAX_TIME_MS = 13 * 3_600_000  # no video is longer

_TOP = "line:0"
_TAG = re.compile(
    r"<(/?)([biu])(?:\.[^<>\s]{0,100})?(?:\s[^<>]{0,100})?>|</?[A-Za-z][^<>]{0,200}>|<\d[\d:.]{0,20}>", re.I
)
_OVERRIDE = re.compile(r"\{(\\[^{}]{0,500})\}")
_AT_TOP = re.compile(r"\\an[789]")
_SETTINGS = re.compile(
    r"(?:line:-?\d{1,3}(?:\.\d{1,6})?%?(?:,(?:start|center|end))?"
    r"|position:\d{1,3}(?:\.\d{1,6})?%(?:,(?:line-left|center|line-right))?"
    r"|size:\d{1,3}(?:\.\d{1,6})?%|align:(?:start|center|end|left|right)|vertical:(?:rl|lr))"
)


@dataclass(frozen=True, kw_only=True, order=True)
class Cue:
    """`text` is WebVTT's cue text, escaped; `settings` its cue settings. Times are milliseconds of the time line."""

    start_ms: int
    end_ms: int
    text: str
    settings: str = ""


def make_cue(start_ms: int, end_ms: int, text: str, settings: str = "") -> Cue | None:
    """A clean cue of raw `text` with SubRip's, WebVTT's or HTML's tags; None where nothing would be shown."""
    raw = text[:MAX_CUE_CHARACTERS]
    at_top = any(_AT_TOP.search(override) for override in _OVERRIDE.findall(raw))
    shown = clean_text(_OVERRIDE.sub("", raw))
    start_ms = max(0, start_ms)
    end_ms = min(end_ms, start_ms + MAX_CUE_MS, MAX_TIME_MS)
    if not shown or end_ms <= start_ms:
        return None
    kept = " ".join(word for word in settings.split() if _SETTINGS.fullmatch(word))
    return Cue(start_ms=start_ms, end_ms=end_ms, text=shown, settings=kept or (_TOP if at_top else ""))


def clean_text(text: str) -> str:
    """Cue text with `<b>`, `<i>` and `<u>` in pairs, everything else escaped; lines without text are left out."""
    lines = (" ".join(_printable(line).split()) for line in re.split(r"\r\n|[\n\r\u2028\u2029]", text))
    text = "\n".join([line for line in lines if line][:MAX_CUE_LINES])
    made: list[str] = []
    opened: list[str] = []
    at = 0
    for match in _TAG.finditer(text):
        made.append(_escaped(text[at : match.start()]))
        at = match.end()
        if match[2] is None:
            continue
        name = match[2].lower()
        if not match[1]:
            opened.append(name)
            made.append(f"<{name}>")
        elif name in opened:
            # Tags that cross are closed and opened again: a player's tree has no crossing.
            inner = opened[opened.index(name) + 1 :] if opened.count(name) == 1 else []
            while opened[-1] != name:
                made.append(f"</{opened.pop()}>")
            made.append(f"</{opened.pop()}>")
            for again in inner:
                opened.append(again)
                made.append(f"<{again}>")
    made.append(_escaped(text[at:]))
    made += [f"</{name}>" for name in reversed(opened)]
    # A line that held nothing but tags would be blank now, and end the cue.
    cleaned = "\n".join(line.strip() for line in "".join(made).split("\n") if line.strip())
    return cleaned if re.sub(r"</?[biu]>|\s|&nbsp;", "", cleaned) else ""


def in_order(cues: Iterable[Cue], offset_ms: int = 0, end_ms: int | None = None) -> tuple[Cue, ...]:
    """`cues` moved by `offset_ms`, cut to the time line (which ends at `end_ms`), sorted, each once."""
    return tuple(sorted(set(_moved(cues, offset_ms, end_ms))))[:MAX_CUES]


def _moved(cues: Iterable[Cue], offset_ms: int, last_ms: int | None) -> Iterator[Cue]:
    for cue in cues:
        start_ms = max(0, cue.start_ms + offset_ms)
        end_ms = cue.end_ms + offset_ms
        if last_ms is not None:
            end_ms = min(end_ms, last_ms)
        if start_ms < end_ms:
            yield Cue(start_ms=start_ms, end_ms=end_ms, text=cue.text, settings=cue.settings)


def _printable(line: str) -> str:
    return "".join(c if c >= " " and not "\x7f" <= c <= "\x9f" else " " for c in line)


def _escaped(text: str) -> str:
    # Files of both kinds write &amp; and &: first what is meant, then what WebVTT wants written for it.
    meant = "\n".join(_printable(line) for line in html.unescape(text).split("\n"))
    return meant.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
