"""Bombs: small files that claim far more than they are cost little, and the uploader is told why."""

from __future__ import annotations

from pathlib import Path

import pytest

from rushes.engine.process import Limits
from tests.hostile.bombs import BOMBS, SUFFIXES, tracks
from tests.hostile.meeting import meet

WALL_S = 30
PEAK_BYTES = 1 << 30  # of any program; far below Limits.memory_bytes

TOLD = {  # what the sentence says; the others may be played as far as they go
    "pixels": "megapixels",
    "hours between": "hours in which neither picture nor sound goes on",
    "years long": "hours",
    "a month late": "hours in which neither picture nor sound goes on",
    "tracks": "900 sound tracks; at most 32",
    "words": "more tracks, or more text about them",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_and_is_told(name: str, tmp_path: Path) -> None:
    bomb = BOMBS[name](tmp_path / f"upload{SUFFIXES.get(name, '.mkv')}")
    met = meet(bomb, tmp_path / "work")
    assert met.wall_s < WALL_S
    assert met.peak_bytes < min(PEAK_BYTES, Limits().memory_bytes)
    assert met.plan is None or float(met.plan.duration_s) < 60
    assert met.plan is not None or len(met.sentence) > 20
    assert TOLD.get(name, "") in met.sentence


def test_a_dozen_languages_are_no_bomb(tmp_path: Path) -> None:
    met = meet(tracks(tmp_path / "upload.mp4", count=12), tmp_path / "work", encode=False)
    assert met.plan is not None
    assert len(met.plan.audio) == 12
