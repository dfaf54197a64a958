"""Videos that go through the pipeline with real ffmpeg: media of the test alone, uploads, and hands that work."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rushes.engine.slots import Slots
from rushes.pipeline import handlers, intake, workshop  # noqa: F401  # handlers: registers the kinds
from rushes.videos.models import Video

Clip = Callable[..., Path]


@pytest.fixture
def media(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MEDIA_ROOT; and CPU slots of this test alone: whatever else runs on the machine is not waited for."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.SCRATCH_ROOT = tmp_path / "media" / "scratch"
    settings.VIDEO_QUALITY_PRESETS = (240, 144)
    (tmp_path / "media").mkdir()
    slots = Slots(tmp_path / "slots", reserved=3)
    monkeypatch.setattr(workshop, "slots", lambda: slots)
    return tmp_path / "media"


@pytest.fixture
def upload(tmp_path: Path, clip: Clip, media: Path) -> Callable[..., Video]:
    """`upload(path)`, or a clip of two seconds made as `make_clip` says, as a new video."""

    def make(path: Path | None = None, **made: Any) -> Video:
        source = path or clip(**{"size": (426, 240), "duration_s": 2, **made})
        copy = tmp_path / f"incoming-{len(list(tmp_path.iterdir()))}"
        shutil.copyfile(source, copy)
        return intake.create_video(owner=None, path=copy, original_name="a clip.mp4")

    return make
