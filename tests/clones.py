"""A clone as good as set up, in a folder with a space in its name, in which a test may run `make`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINKED = (
    "Makefile",
    "pyproject.toml",
    "requirements",
    "scripts",
    "src",
    "frontend/src",
    "frontend/build.mjs",
    "frontend/package.json",
    "frontend/package-lock.json",
    "frontend/.npmrc",
)
#: In the order in which they are made; to the last they are newer than what they are made of.
MADE = (
    ".venv/.stamps/venv",
    ".venv/.stamps/runtime",
    ".venv/.stamps/dev",
    "frontend/node_modules/.installed",
    "dist/versions.json",
)


def executable(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def make_clone(folder: Path, *made: str) -> Path:
    """Links to this project; its virtual environment runs our `rushes` and installs nothing. `made` is there."""
    clone = folder / "a clone"
    for name in LINKED:
        link = clone / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(ROOT / name)
    executable(clone / ".venv/bin/python", "exit 0")
    executable(clone / ".venv/bin/rushes", f'exec {shlex.quote(sys.executable)} -m rushes "$@"')
    for name in made:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).touch()
    return clone


def make(*arguments: str) -> list[str]:
    """The command, as it is typed in such a clone."""
    return ["make", *arguments, "WEB_DIST=dist"]
