"""A photo from a file: WebP and JPEG in several sizes, upright, in sRGB and without metadata.

The recipe is plain data and the command a pure function of it. Decoding is done by `photo_child` in a process of its
own, started and limited like ffmpeg; what goes wrong in there is a sentence here.
"""

import stat
import sys
import threading
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import msgspec
import PIL

from rushes.engine import EngineError
from rushes.engine.process import FfmpegFailed, FfmpegRun, LimitExceeded, Limits, start

#: 8192 x 6144: the fifty megapixels of today's phones, which is more than a video may have.
MAX_PIXELS = 50_331_648
#: Of address space: twice what fifty megapixels of WebP, the costliest that was measured, need (bench_photos).
MEMORY_BYTES = 2 << 30
#: By the longer side. 2400 as in 001; 320 is the thumbnail, as of a video; between them what phones and desks show.
LONG_SIDES_PX = (320, 640, 1280, 2400)
EXTENSIONS = ("webp", "jpg")

#: Not imported: the decoders stay out of every process but its own.
_CHILD = Path(__file__).with_name("photo_child.py")
_REFUSED_STATUS = 65  # EX_DATAERR of sysexits.h: the file is to blame
_RESULT = "result.json"
_GAVE_UP = "This photo is damaged: its decoder gave up on it."

_CANCEL_LOOK_S = 0.2
_RESULT_LIMIT_BYTES = 64 << 10
#: Fifty megapixels take a few seconds.
_LIMITS = Limits(wall_s=120.0, cpu_s=60.0, output_bytes=256 << 20)


class PhotoRefused(EngineError):
    """Nothing can be made of the file; the message is a sentence for whoever sent it."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is made of a photo. Sides in pixels, qualities as the encoders have them."""

    long_sides_px: tuple[int, ...] = LONG_SIDES_PX
    webp_quality: int = 80
    jpeg_quality: int = 82
    max_pixels: int = MAX_PIXELS
    memory_bytes: int = MEMORY_BYTES

    def key(self, source: str) -> str:
        """The folder of what this recipe makes of that source with this build: the same key, the same bytes."""
        made_by = f"{source}|{self.long_sides_px}|{self.webp_quality}|{self.jpeg_quality}|{PIL.__version__}"
        return sha256(made_by.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One size of a photo: `<long_px>.webp` and `<long_px>.jpg`."""

    long_px: int
    width: int
    height: int
    webp_bytes: int
    jpeg_bytes: int

    @property
    def names(self) -> tuple[str, ...]:
        """Its files."""
        return tuple(f"{self.long_px}.{extension}" for extension in EXTENSIONS)


@dataclass(frozen=True, kw_only=True)
class Optimised:
    """What was made of a photo, the largest picture first; `width` and `height` are the photo's own, upright."""

    format: str  # as Pillow calls it
    width: int
    height: int
    pictures: tuple[Picture, ...]
    warnings: tuple[str, ...]


def command(source: Path, folder: Path, recipe: Recipe) -> tuple[str, ...]:
    """The command that makes a photo's pictures in `folder`."""
    return (
        sys.executable,
        "-I",  # neither the environment nor the working folder decides what is imported
        str(_CHILD),
        str(source),
        str(folder),
        msgspec.json.encode(asdict(recipe) | {"result": _RESULT, "refused_status": _REFUSED_STATUS}).decode(),
    )


def optimise(
    source: Path, folder: Path, recipe: Recipe | None = None, *, cancel: threading.Event | None = None
) -> Optimised:
    """Make the pictures of a photo in `folder`. Raises PhotoRefused; Cancelled and FfmpegInterrupted as ffmpeg does."""
    with start(command(source, folder, recipe or Recipe()), scratch=folder, limits=_LIMITS) as run:
        try:
            _wait(run, cancel)
        except LimitExceeded as error:
            raise PhotoRefused(
                "This photo takes longer to decode, or becomes larger, than a photo may."
            ) from error
        except FfmpegFailed as error:
            if error.returncode == _REFUSED_STATUS and error.stderr_tail:
                raise PhotoRefused(error.stderr_tail[-1]) from error
            if error.returncode < 0:  # it would crash again
                raise PhotoRefused(_GAVE_UP) from error
            raise
    return read_result(folder)


def read_result(folder: Path) -> Optimised:
    """What the child has told, held against what it left: hostile input was parsed in there. Raises PhotoRefused."""
    try:
        with (folder / _RESULT).open("rb") as file:
            told = msgspec.json.decode(file.read(_RESULT_LIMIT_BYTES), type=Optimised)
    except (OSError, msgspec.DecodeError) as error:
        raise PhotoRefused(_GAVE_UP) from error
    for picture in told.pictures:
        for name in picture.names:
            if not stat.S_ISREG((folder / name).lstat().st_mode):  # a link would be served
                raise PhotoRefused(_GAVE_UP)
    return told


def _wait(run: FfmpegRun, cancel: threading.Event | None) -> None:
    while cancel is not None and not run.wait_for(_CANCEL_LOOK_S):
        if cancel.is_set():
            run.cancel()
            break
    run.wait()


__all__ = [
    "LONG_SIDES_PX",
    "MAX_PIXELS",
    "Optimised",
    "PhotoRefused",
    "Picture",
    "Recipe",
    "command",
    "optimise",
    "read_result",
]
