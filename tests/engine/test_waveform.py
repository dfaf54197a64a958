"""Sound alone has a poster, too: what can be seen of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.engine.settings import Settings
from rushes.engine.waveform import waveform_track, write_waveform
from tests.engine.finished import finish
from tests.engine.pictures import desk, luma, size_of


@pytest.mark.parametrize("silent", [False, True])
def test_the_waveform_is_drawn_and_silence_is_a_line(
    clip: Callable[..., Path], tmp_path: Path, silent: bool
) -> None:
    options = ["-af", "volume=0"] if silent else ["-af", "volume=12dB"]
    source = clip(codec="", suffix=".m4a", duration_s=3, options=options)
    done = finish(source, tmp_path / "finished", Settings(copy=False))
    track = waveform_track(done.plan)
    assert track is not None
    large, thumb = tmp_path / "out" / "poster.jpg", tmp_path / "out" / "thumbnail.jpg"
    write_waveform(track, large, thumb, desk(done, tmp_path))
    assert (size_of(large)[1:], size_of(thumb)[1:]) == ((1280, 720), (320, 180))
    assert luma(large, (0, 0, 1280, 100)) < 40  # the ground
    assert luma(large, (100, 359, 1080, 2)) > 80  # the line
    middle = luma(large, (100, 300, 1080, 40))
    assert middle < 40 if silent else middle > 80
