"""Programs' output as lines, in bounded memory whatever they write."""

import re
from collections import deque
from collections.abc import Iterable

TAIL_LINES = 40
LINE_CHARACTERS = 4096

# What `-loglevel level+...` puts behind the contexts: "[mov,mp4 @ 0x55d0] [error] moov atom not found".
_LEVEL = re.compile(r"(?:\[[^]]* @ 0x[0-9a-f]+\] )*\[(panic|fatal|error|warning|info|verbose|debug|trace)\]")


class LineSplitter:
    """Blocks of bytes to lines, each cut at `limit` bytes: a line without an end must not fill the memory."""

    def __init__(self, limit: int = LINE_CHARACTERS) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, block: bytes) -> list[str]:
        """The lines that `block` completes."""
        *lines, rest = (self._rest + block).split(b"\n")
        self._rest = rest[: self._limit]
        return [self._text(line) for line in lines]

    def end(self) -> list[str]:
        """The last line, where nothing ended it."""
        rest, self._rest = self._rest, b""
        return [self._text(rest)] if rest else []

    def _text(self, line: bytes) -> str:
        return line[: self._limit].rstrip(b"\r").decode(errors="replace")


class StderrTail:
    """The last lines of a log, and how many of each level there were."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self.error_lines = 0
        self.warning_lines = 0

    @property
    def lines(self) -> tuple[str, ...]:
        """At most 40, oldest first."""
        return tuple(self._lines)

    def add(self, line: str) -> str:
        """Keep a line; return it as kept: metadata of the source may hold a terminal's control sequences."""
        if not line.isprintable():
            line = "".join(
                character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line
            )
        self._lines.append(line)
        level = line_level(line)
        self.error_lines += level in ("error", "fatal", "panic")
        self.warning_lines += level == "warning"
        return line

    def extend(self, lines: Iterable[str]) -> None:
        """Keep several."""
        for line in lines:
            self.add(line)


def line_level(line: str) -> str | None:
    """The level in ffmpeg's own word ("error", "warning", ...), None for a continuation line."""
    match = _LEVEL.match(line)
    return match[1] if match else None
