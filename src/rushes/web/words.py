"""The state of a video in words: one home for them, whichever page they are on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rushes.photos.models import Photo, PhotoStatus
from rushes.videos.models import Video, VideoStatus, Visibility

#: Each visibility, in the order in which it is offered.
WHO_MAY_WATCH: dict[str, str] = {
    Visibility.PRIVATE: "Only you",
    Visibility.UNLISTED: "Everybody who has the link",
    Visibility.PUBLIC: "Everybody",
}
#: A screen reader hears of each quarter, not of each percent.
SPOKEN_STEP = 25


@dataclass(frozen=True, kw_only=True)
class State:
    """How far a video is. Times are in seconds; `queue_position` counts from 1."""

    status: str
    playable: bool = False
    progress_percentage: int = 0
    eta_s: float | None = None
    queue_position: int | None = None
    error: str = ""

    @property
    def in_work(self) -> bool:
        """Whether it will change by itself."""
        return self.status not in (VideoStatus.READY, VideoStatus.FAILED)

    @property
    def words(self) -> str:
        """ "Processing 42 %, about 2 min, 2nd in line"."""
        match self.status:
            case VideoStatus.READY:
                return "Ready"
            case VideoStatus.FAILED:
                return f"Failed: {self.error or 'no reason was given'}"
            case VideoStatus.UPLOADING:
                return "Uploading"
            case VideoStatus.PENDING:
                parts = ["Waiting"]
            case _:
                parts = [f"Processing {self.progress_percentage} %"]
        if self.eta_s is not None:
            parts.append(f"about {rough_duration(self.eta_s)}")
        # The first is the one that is worked on: a place in line is news for those that wait behind it.
        if self.queue_position is not None and (
            self.queue_position > 1 or self.status == VideoStatus.PENDING
        ):
            parts.append(f"{ordinal(self.queue_position)} in line")
        return ", ".join(parts)

    @property
    def playable_words(self) -> str:
        """What can be watched of it although it is not ready; empty where there is nothing to say."""
        if not self.playable or self.status == VideoStatus.READY:
            return ""
        if self.status == VideoStatus.FAILED:
            return "What is there can be played"
        return "Playable while it is being encoded"

    @property
    def spoken(self) -> str:
        """The same for a screen reader, which is told each time that it changes: so it rarely does."""
        if self.status != VideoStatus.PROCESSING:
            return self.words if self.status != VideoStatus.PENDING else "Waiting"
        step = self.progress_percentage // SPOKEN_STEP * SPOKEN_STEP
        return ", ".join(filter(None, [f"Processing, {step} percent", self.playable_words]))


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 22nd."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def rough_duration(seconds: float) -> str:
    """10 s, 2 min, 3 h: rounded up, for what nobody knows exactly."""
    if seconds <= 50:
        return f"{max(10, math.ceil(seconds / 10) * 10)} s"
    if seconds <= 90 * 60:
        return f"{math.ceil(seconds / 60)} min"
    return f"{math.ceil(seconds / 3600)} h"


def clock_duration(seconds: float | None) -> str:
    """1:05, or 2:00:09; empty where it is not known."""
    if seconds is None:
        return ""
    minutes, second = divmod(max(1, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def photo_words(photo: Photo) -> str:
    """How far a photo is: there is little between waiting and ready."""
    match photo.status:
        case PhotoStatus.READY:
            return "Ready"
        case PhotoStatus.FAILED:
            return f"Failed: {photo.error or 'no reason was given'}"
        case PhotoStatus.PENDING:
            return "Waiting"
        case _:
            return "Being prepared"


def title_of(video: Video | Photo) -> str:
    """What people call it: its title, or else the name of the file."""
    return video.title or video.original_name or "Untitled"
