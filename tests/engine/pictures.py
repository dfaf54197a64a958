"""What tests see of pictures: their size and how light they are."""

import json
import subprocess
from pathlib import Path

from rushes.engine.binaries import toolchain
from rushes.engine.derived import Desk
from tests.engine.finished import Finished


def desk(done: Finished, folder: Path) -> Desk:
    """Where pictures of it are made."""
    return Desk(ffmpeg=toolchain().ffmpeg.path, store=done.store, scratch=folder / "scratch")


def size_of(path: Path) -> tuple[str, int, int]:
    """Codec, width and height."""
    argv = [toolchain().ffprobe.path, "-v", "error", "-show_streams", "-of", "json", path]
    (stream,) = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)["streams"]
    return stream["codec_name"], stream["width"], stream["height"]


def grey(path: Path, crop: tuple[int, int, int, int] | None = None) -> bytes:
    """Luma of every pixel, or of a part (x, y, width, height)."""
    cut = [] if crop is None else ["-vf", "crop={2}:{3}:{0}:{1}:exact=1".format(*crop)]
    argv = [
        toolchain().ffmpeg.path,
        "-v",
        "error",
        "-i",
        path,
        *cut,
        "-f",
        "rawvideo",
        "-pix_fmt",
        "gray",
        "-",
    ]
    return subprocess.run(argv, check=True, capture_output=True).stdout


def luma(path: Path, crop: tuple[int, int, int, int] | None = None) -> float:
    """The mean of `grey`."""
    seen = grey(path, crop)
    return sum(seen) / len(seen)
