"""Which files are photos, by what is in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from rushes.photos.sniffing import is_photo
from tests.photos.making import SUFFIXES, encoded, quarters


@pytest.mark.parametrize("kind", SUFFIXES)
def test_photos_are_known_by_their_bytes(kind: str, tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(encoded(kind))
    assert is_photo(tmp_path / "upload")


def test_a_gif_that_moves_is_a_video(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (40, 30), (0, 0, n * 40)) for n in range(4)]
    quarters((40, 30)).save(
        tmp_path / "upload", "GIF", save_all=True, append_images=frames, comment=b"x" * 600
    )
    assert not is_photo(tmp_path / "upload")
    whole = (tmp_path / "upload").read_bytes()
    for part in range(0, len(whole), 7):  # wherever it is cut off, it ends
        (tmp_path / "upload").write_bytes(whole[:part])
        is_photo(tmp_path / "upload")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_videos_are_none(suffix: str, clip: Callable[..., Path]) -> None:
    assert not is_photo(clip(suffix=suffix, duration_s=1, size=(64, 36)))


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"RIFF....AVI ", b"<svg/>", b"#EXTM3U\nfile:///etc/passwd\n"]
)
def test_nothing_else_is(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(data)
    assert is_photo(tmp_path / "upload") == (data == b"GIF89a")  # which is for the decoder to refuse
