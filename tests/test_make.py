"""`make`, as it is typed: what it does first, and what it says and ends with when something is missing."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from rushes.config.environment import VARIABLES
from tests.clones import MADE, executable, make, make_clone

GOALS = ("venv", "run", "test", "e2e", "bench", "lint", "format", "lock")


def type_in(
    clone: Path, *arguments: str, status: int = 0, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run make as from a terminal where nothing is configured; it ends with `status`."""
    outside = {
        name: value
        for name, value in os.environ.items()
        if name not in (*VARIABLES, "MAKEFLAGS", "MAKELEVEL")
    }
    ended = subprocess.run(
        make(*arguments),
        cwd=clone,
        env={**outside, "RUSHES_VAR": str(clone / "var"), **variables},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended


def the_line(ended: subprocess.CompletedProcess[str]) -> str:
    """All that it said went wrong: one line."""
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr


@pytest.mark.parametrize("goal", GOALS)
def test_a_python_without_venv_is_one_line_and_no_half_made_environment(goal: str, tmp_path: Path) -> None:
    clone = make_clone(tmp_path)
    executable(clone / ".venv/bin/python", "exit 1")
    bare = executable(tmp_path / "bin/python3", "echo bare 3.11.2")
    ended = type_in(clone, goal, f"PYTHON={bare}", status=1)
    assert "lacks the venv module; on Debian: apt-get install python3-venv" in the_line(ended)
    assert not (clone / ".venv/.stamps").exists()


@pytest.mark.parametrize("goal", ["venv", "run", "test"])
def test_a_bundled_ffmpeg_that_does_not_run_is_one_line(goal: str, tmp_path: Path) -> None:
    package = tmp_path / "imageio_ffmpeg"  # stands for the wheel of another machine
    executable(package / "binaries" / "ffmpeg-linux-other").write_text("\x7fELF\x02")
    (package / "__init__.py").touch()
    clone = make_clone(tmp_path)
    ended = type_in(clone, goal, status=1, PYTHONPATH=str(tmp_path))
    assert "the bundled ffmpeg does not run here" in the_line(ended)
    assert (clone / ".venv/.stamps/venv").exists()  # what was done is not done again
    assert not (clone / ".venv/.stamps/runtime").exists()


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = type_in(make_clone(tmp_path, *MADE), "run", status=1, PORT=str(port))
    assert f"127.0.0.1 port {port}" in the_line(ended)


def test_a_folder_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = str(tmp_path / "file" / "var")
    ended = type_in(make_clone(tmp_path, *MADE), "run", "PORT=0", status=1, RUSHES_VAR=folder)
    assert folder in the_line(ended)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    ended = type_in(make_clone(tmp_path, *MADE), "run", "PORT=0", "FILE=none.mov", status=1)
    assert "none.mov" in the_line(ended)


def test_what_is_set_up_is_not_set_up_again_and_nothing_is_said(tmp_path: Path) -> None:
    clone = make_clone(tmp_path, "frontend/node_modules/.installed", "dist/versions.json")
    first = type_in(clone, "venv")
    assert first.stdout.startswith("Installing the packages of requirements/base.txt\n")
    second = type_in(clone, "venv")
    assert (second.stdout, second.stderr) == ("", "")


def test_a_goal_is_done_once_after_its_set_up(tmp_path: Path) -> None:
    clone = make_clone(tmp_path, *MADE)
    executable(clone / ".venv/bin/python", 'echo "$@"')
    assert type_in(clone, "format").stdout == "-m ruff check --fix\n-m ruff format\n"
    executable(clone / ".venv/bin/rushes", 'echo "$@"')
    assert re.fullmatch(
        r"up --host 127\.0\.0\.1 --port 8000 --parent-pid \d+\n", type_in(clone, "run").stdout
    )


def test_a_goal_that_fails_says_so(tmp_path: Path) -> None:
    clone = make_clone(tmp_path, *MADE)
    executable(clone / ".venv/bin/python", "exit 1")
    ended = type_in(clone, "bench", "lint", status=2)
    assert "bench] Error 1" in ended.stderr


@pytest.mark.parametrize("arguments", [("help",), (), ("-n", "run"), ("-n", "test")])
def test_help_and_a_dry_run_touch_nothing(arguments: tuple[str, ...], tmp_path: Path) -> None:
    clone = make_clone(tmp_path)
    type_in(clone, *arguments)
    assert not (clone / ".venv/.stamps").exists()
