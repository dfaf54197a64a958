"""What every test can ask for: clips, real clips, and the programs of the machine."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rushes.engine import EngineError
from rushes.engine.binaries import toolchain
from tests.clips import make_clip


def pytest_report_header() -> list[str]:
    """The versions of ffmpeg and ffprobe: the first thing to know about a failure elsewhere."""
    try:
        tools = toolchain()
    except EngineError as error:
        return [f"rushes: {error}"]
    return [
        f"{binary.name}: {binary.version} ({binary.origin}: {binary.path})"
        for binary in (tools.ffmpeg, tools.ffprobe)
    ]


@pytest.fixture(scope="session")
def program() -> Callable[..., str]:
    """`program("mpv")` is the path of a program; the test is skipped by its name where the machine has none.

    Several names are alternatives. With REQUIRE_SERVICES=1 a missing program is a failure.
    """

    def find(*names: str) -> str:
        for name in names:
            found = shutil.which(name)
            if found:
                return found
        missing = f"not on PATH: {' or '.join(names)}"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(f"REQUIRE_SERVICES=1, but {missing}", pytrace=False)
        pytest.skip(missing)

    return find


@pytest.fixture(scope="session")
def chromium(program: Callable[..., str]) -> str:
    """Path of the machine's Chromium, for playwright's `executable_path`."""
    return program("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`clip(rate=25, suffix=".mkv", ...)` is a made clip; the same arguments (see make_clip) give the same file.

    It is shared by the whole run: never write to it.
    """
    folder = tmp_path_factory.mktemp("clips")

    def make(*, suffix: str = ".mp4", **arguments: Any) -> Path:
        name = hashlib.sha256(repr(sorted(arguments.items())).encode()).hexdigest()[:16]
        path = folder / f"{name}{suffix}"
        return path if path.exists() else make_clip(path, **arguments)

    return make


@pytest.fixture(scope="session")
def real_clip() -> Callable[[str], Path]:
    """`real_clip("media__sample.flv")` is a file of the folder RUSHES_CLIPS; skipped by name where it is not there."""

    def find(name: str) -> Path:
        folder = os.environ.get("RUSHES_CLIPS")
        if not folder:
            pytest.skip(f"RUSHES_CLIPS is not set: {name}")
        path = Path(folder).absolute() / name
        if not path.exists():
            pytest.skip(f"not in RUSHES_CLIPS: {name}")
        return path

    return find
