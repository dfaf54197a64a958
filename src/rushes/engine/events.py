"""What a session tells whoever subscribes to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["encoding", "finished", "failed"]


@dataclass(frozen=True, kw_only=True)
class Status:
    """How far a session is, for people."""

    state: State
    progress: float  # 0 to 1, by pixels
    eta_s: float | None
    speed: float | None  # seconds of video finished per second
    warnings: tuple[str, ...]
    error: str | None


@dataclass(frozen=True)
class Published:
    """A file is there."""

    name: str


@dataclass(frozen=True)
class RungFed:
    """A rung may be listed from now on."""

    rung: str


@dataclass(frozen=True)
class Failed:
    """A chunk will never come."""

    rendition: str
    chunk: int
    reason: str


@dataclass(frozen=True)
class Changed:
    """Progress, a warning or the end."""

    status: Status


Event = Published | RungFed | Failed | Changed
