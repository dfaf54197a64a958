"""What every test can ask for: clips, real clips, and the programs of the machine."""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rushes.engine import EngineError
from rushes.engine.binaries import toolchain
from tests import databases
from tests.clips import make_clip


def pytest_report_header() -> list[str]:
    """The database, ffmpeg and ffprobe: the first things to know about a failure elsewhere."""
    try:
        tools = toolchain()
    except EngineError as error:
        return [f"rushes: {error}"]
    return [
        f"database: {databases.kind()}",
        *(
            f"{binary.name}: {binary.version} ({binary.origin}: {binary.path})"
            for binary in (tools.ffmpeg, tools.ffprobe)
        ),
    ]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where Postgres was asked for and is not to be had, skip by name what would need it."""
    if databases.kind() != "postgres" or (missing := databases.why_no_postgres()) is None:
        return
    if os.environ.get("REQUIRE_SERVICES") == "1":
        raise pytest.UsageError(f"REQUIRE_SERVICES=1, but {missing}")
    for item in items:
        if item.get_closest_marker("django_db"):
            item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture(autouse=True)
def _no_plan_of_another_test() -> None:
    """Decoded plans are kept by their encode's number, which a test that is rolled back leaves to the next one."""
    if plans := sys.modules.get("rushes.pipeline.plans"):
        plans._plan.cache_clear()


@pytest.fixture
def product_environ(settings: Any) -> Callable[..., dict[str, str]]:
    """`product_environ(POLL_INTERVAL="1")`: the environment of a `rushes` process on this test's database and media.

    The test needs `django_db(transaction=True)`: another process sees only what was committed.
    """

    def environ(**variables: str) -> dict[str, str]:
        # Not the variable of this run: Django has exchanged the name for that of the test database.
        database = settings.DATABASES["default"]
        name = database["NAME"]
        url = (
            f"sqlite:///{name}"
            if databases.kind() == "sqlite"
            else f"postgres://postgres@{databases.postgres_address()}/{name}"
        )
        own = {"DJANGO_SETTINGS_MODULE": "rushes.config.settings", "DATABASE_URL": url}
        return os.environ | own | {"MEDIA_ROOT": str(settings.MEDIA_ROOT)} | variables

    return environ


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
