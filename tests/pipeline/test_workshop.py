"""What steps share."""

from __future__ import annotations

import pytest

from rushes.engine.binaries import BinaryUnusable
from rushes.engine.process import FfmpegInterrupted
from rushes.jobs.handlers import Interrupted
from rushes.pipeline import workshop


def test_a_killed_look_at_ffmpeg_is_an_interruption_and_a_broken_ffmpeg_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cause: Exception = FfmpegInterrupted("ffmpeg was ended by Killed")

    def look() -> None:
        raise BinaryUnusable("ffmpeg does not run here") from cause

    monkeypatch.setattr(workshop, "toolchain", look)
    with pytest.raises(Interrupted):
        workshop.tools()
    cause = OSError("Exec format error")
    with pytest.raises(BinaryUnusable):
        workshop.tools()
