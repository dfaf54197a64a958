"""What `ffmpeg -progress` reports."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One report of `-progress`. Counts are those of the first video output; None where ffmpeg says N/A."""

    frame: int
    fps: float
    out_time_us: int | None
    speed: float | None  # of real time
    total_size: int | None  # bytes
    dup_frames: int
    drop_frames: int
    is_last: bool


class ProgressParser:
    """Collects `key=value` lines until `progress=`, which ends a report."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def feed(self, line: str) -> Progress | None:
        """The report, when `line` ends one."""
        key, _, value = line.partition("=")
        if key != "progress":
            self._values[key] = value.strip()
            return None
        report = Progress(
            frame=int(self._number("frame") or 0),
            fps=self._number("fps") or 0.0,
            out_time_us=self._whole("out_time_us"),
            speed=self._number("speed"),
            total_size=self._whole("total_size"),
            dup_frames=self._whole("dup_frames") or 0,
            drop_frames=self._whole("drop_frames") or 0,
            is_last=value.strip() == "end",
        )
        self._values.clear()
        return report

    def _number(self, key: str) -> float | None:
        try:
            return float(self._values[key].removesuffix("x"))
        except (KeyError, ValueError):  # "N/A" before the first frame
            return None

    def _whole(self, key: str) -> int | None:
        number = self._number(key)
        return None if number is None else int(number)
