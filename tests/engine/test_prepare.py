"""From a file to a plan and a source in which chunks can be found."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.engine.admission import ProbeError
from rushes.engine.binaries import toolchain
from rushes.engine.prepare import prepared
from rushes.engine.settings import Settings


def test_a_file_with_exact_seeks_is_used_as_it_is(clip: Callable[..., Path], tmp_path: Path) -> None:
    path = clip(duration_s=1)
    with prepared(path, Settings(), toolchain(), tmp_path / "scratch") as ready:
        assert ready.path.samefile(path)
        assert not (tmp_path / "scratch").exists()


def test_a_transport_stream_is_copied_and_the_copy_goes_with_the_block(
    clip: Callable[..., Path], tmp_path: Path
) -> None:
    path, scratch = clip(suffix=".ts", duration_s=1), tmp_path / "scratch"
    with prepared(path, Settings(), toolchain(), scratch) as ready:
        assert scratch in ready.path.parents
        assert ready.path.is_file()
        first = ready.plan
    assert list(scratch.iterdir()) == []
    with prepared(path, Settings(), toolchain(), scratch) as again:
        assert again.plan == first  # so that an interrupted encode goes on


def test_what_is_no_media_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("no video")
    with pytest.raises(ProbeError), prepared(path, Settings(), toolchain(), tmp_path / "scratch"):
        pass
    assert not (tmp_path / "scratch").exists()
