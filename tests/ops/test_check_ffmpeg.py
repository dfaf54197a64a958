"""`manage.py check_ffmpeg` tells people and machines which programs are used and what they lack."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rushes.config.environment import VARIABLES
from rushes.engine.binaries import toolchain
from rushes.engine.sandbox import abilities

ROOT = Path(__file__).parent.parent.parent


def check_ffmpeg(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """On a machine where nothing is configured: the command must not need a key."""
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    kept.pop("DJANGO_SETTINGS_MODULE", None)
    return subprocess.run(
        [sys.executable, ROOT / "manage.py", "check_ffmpeg", *arguments],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_healthy_machine_gets_status_0_versions_and_paths() -> None:
    ended = check_ffmpeg()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for binary in (toolchain().ffmpeg, toolchain().ffprobe):
        assert f"{binary.name} {binary.version}" in ended.stdout
        assert str(binary.path) in ended.stdout
    assert "\x1b" not in ended.stdout  # colours are for terminals


def test_machines_get_the_same_as_json() -> None:
    report = json.loads(check_ffmpeg("--json").stdout)
    assert report["healthy"] is True
    assert report["encoder_build"] == toolchain().build_id
    assert report["ffmpeg"]["version"] == toolchain().ffmpeg.version
    assert report["ffprobe"]["path"] == str(toolchain().ffprobe.path)
    assert report["missing"] == []
    can = abilities()
    assert report["sandbox"]["complete"] is (can.landlock_abi > 0 and can.seccomp)
    assert str(can) in report["sandbox"]["detail"]


@pytest.mark.parametrize("program", ["ffmpeg", "ffprobe"])
def test_a_program_that_is_not_there_gets_status_1_and_the_other_is_still_looked_at(program: str) -> None:
    environment = {f"{program.upper()}_PATH": "/nowhere/at/all"}
    ended = check_ffmpeg("--json", **environment)
    assert ended.returncode == 1
    report = json.loads(ended.stdout)
    other = "ffprobe" if program == "ffmpeg" else "ffmpeg"
    assert report["healthy"] is False
    assert "/nowhere/at/all" in report[program]["error"]
    assert report[other]["version"]
    for_people = check_ffmpeg(**environment)
    assert for_people.returncode == 1
    assert "/nowhere/at/all" in for_people.stdout
    assert "Traceback" not in for_people.stderr


def test_a_poor_build_is_told_what_it_lacks_and_what_to_do(tmp_path: Path) -> None:
    """A program that says it is an ffmpeg, and has nothing in it."""
    poor = script(
        tmp_path / "ffmpeg", 'case "$*" in *-version*) echo "ffmpeg version 0.1 Copyright"; esac; exit 0'
    )
    ended = check_ffmpeg(FFMPEG_PATH=str(poor))
    assert ended.returncode == 1
    assert "encoder libx264 (every H.264 rung)" in ended.stdout
    assert "set FFMPEG_PATH to a fuller build" in ended.stdout
