"""Finished encodes that several tests of pictures look at."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rushes.engine.settings import Settings
from tests.engine.finished import Finished, finish

Clip = Callable[..., Path]
MOSTLY_BLACK = "drawbox=t=fill:c=black:enable='lt(t,{0})'"


@pytest.fixture(scope="session")
def film(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Black for 26 of 40 s."""
    source = clip(size=(320, 180), rate=10, duration_s=40, options=["-vf", MOSTLY_BLACK.format(26)])
    return finish(source, tmp_path_factory.mktemp("film"), Settings(rungs=(180, 90), copy=False))


@pytest.fixture(scope="session")
def made(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Finished]:
    """`made((160, 90), 20, ["-vf", ...])`: a finished encode of one rung, without sound."""

    def make(
        size: tuple[int, int], duration_s: float, options: Sequence[str] = (), rate: int = 10
    ) -> Finished:
        source = clip(size=size, rate=rate, duration_s=duration_s, audio_tracks=0, options=options)
        folder = tmp_path_factory.mktemp("made")
        return finish(source, folder, Settings(rungs=(min(size) // 2 * 2,), copy=False))

    return make
