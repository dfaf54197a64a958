"""What ffmpeg says while it decodes a chunk, and whether it concerns the chunk.

The filter graph prints the time of the first decoded frame and of every keyframe (see `command`), so that errors on
stderr have a place: entering an open group of pictures gives errors that end with the next keyframe, and are none.
"""

from __future__ import annotations

import re
from fractions import Fraction

from .lines import line_level

_PRINTED = re.compile(r"^\[Eval @ [^\]]*\] \[warning\] (-?\d+\.\d+)$")
_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")
_ERRORS = frozenset({"error", "fatal", "panic"})
_KEPT = 1_000  # lines; a flood says nothing new
#: Keyframes that must pass after the last error: a printed one may have been decoded before the error was logged,
#: because pictures are printed some frames after they are decoded.
_HEALING_KEYFRAMES = 2
_ROUNDING_S = Fraction(1, 1000)  # six printed decimals, and millisecond containers


class DecodeLog:
    """stderr of one run in its order: printed times and errors. Fed by the run's thread, read by another."""

    def __init__(self) -> None:
        self._printed: list[Fraction] = []
        self._errors: list[tuple[int, str]] = []  # (how many times had been printed before, line)
        self._printed_before_last_error = 0  # also of those in a flood that are not kept

    def add(self, line: str) -> None:
        """Take in a line of stderr."""
        if match := _PRINTED.match(line):
            self._printed.append(Fraction(match[1]))
        elif line_level(line) in _ERRORS:
            self._printed_before_last_error = len(self._printed)
            if len(self._errors) < _KEPT:
                self._errors.append((len(self._printed), _ADDRESS.sub("", line)))

    @property
    def error_lines(self) -> tuple[str, ...]:
        """Errors without the addresses that differ in each run."""
        return tuple(line for _, line in self._errors)

    def began_by(self, time_s: Fraction) -> bool:
        """Whether the first decoded frame is at or before `time_s` (source clock): a later one is padding (P2)."""
        return bool(self._printed) and self._printed[0] <= time_s + _ROUNDING_S

    def clean(self, time_s: Fraction) -> bool:
        """Whether what has come so far may be published: begun in time, and no error yet."""
        return not self._errors and self.began_by(time_s)

    def healed_before(self, time_s: Fraction) -> bool:
        """Whether enough keyframes came between the last error and `time_s` that no picture from there on suffers."""
        if not self._errors:
            return True
        after = self._printed[self._printed_before_last_error :]
        return sum(printed <= time_s for printed in after) >= _HEALING_KEYFRAMES

    def errors_from(self, time_s: Fraction) -> tuple[str, ...]:
        """Errors logged once a keyframe at or after `time_s` had been seen, or the last one before it had passed."""
        seen = sum(printed <= time_s for printed in self._printed)
        return tuple(line for count, line in self._errors if count >= seen)


def same_damage(one: DecodeLog, other: DecodeLog, from_s: Fraction) -> bool:
    """Whether two decodes from different entries complain alike from `from_s` on: then the source itself is damaged.

    Without complaints from there on nothing is known: what came before may be what the seek did.
    """
    complaints = one.errors_from(from_s)
    return bool(complaints) and complaints == other.errors_from(from_s)
