"""`rushes doctor` tells people and machines whether this machine has what Rushes needs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rushes import __version__
from rushes.cli import COMMANDS
from rushes.engine.binaries import toolchain
from rushes.engine.sandbox import abilities


def rushes(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rushes", *arguments],
        env={**os.environ, "COLUMNS": "300", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_healthy_machine_gets_status_0_and_the_versions() -> None:
    ended = rushes("doctor")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert toolchain().ffmpeg.version in ended.stdout
    assert toolchain().ffprobe.version in ended.stdout
    assert "15 frames of H.264 with AAC, encoded and counted" in ended.stdout


def test_machines_get_the_same_as_json() -> None:
    ended = rushes("doctor", "--json")
    answer = json.loads(ended.stdout)
    assert answer["healthy"] is True
    findings = {finding["name"]: finding for finding in answer["findings"]}
    assert {"Python", "cores", "ffmpeg", "ffprobe", "test encode", "kernel", "scratch"} <= findings.keys()
    assert toolchain().build_id in findings["capabilities"]["detail"]
    assert findings["sandbox"]["healthy"] is True  # with what the kernel offers, if that is nothing
    assert str(abilities()) in findings["sandbox"]["detail"]


@pytest.mark.parametrize("program", ["ffmpeg", "ffprobe"])
def test_a_program_that_does_not_run_gets_status_1_and_the_reason(program: str, tmp_path: Path) -> None:
    broken = tmp_path / program
    broken.write_text("#!/bin/sh\necho 'no such library' >&2\nexit 127\n")
    broken.chmod(0o755)
    ended = rushes("doctor", "--json", **{f"{program.upper()}_PATH": str(broken)})
    assert ended.returncode == 1
    answer = json.loads(ended.stdout)
    assert answer["healthy"] is False
    assert any(
        "no such library" in finding["detail"] for finding in answer["findings"] if not finding["healthy"]
    )


def test_a_scratch_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = rushes("doctor", TEMP_VIDEOS_DIR=str(tmp_path / "file" / "scratch"))
    assert ended.returncode == 1
    assert str(tmp_path / "file" / "scratch") in ended.stdout
    assert "set TEMP_VIDEOS_DIR" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_the_quick_check_is_one_line() -> None:
    ended = rushes("doctor", "--quick")
    assert (ended.returncode, ended.stdout.count("\n"), ended.stderr) == (0, 1, "")


def test_help_names_every_command_without_importing_it() -> None:
    script = (
        "import sys; from rushes.cli import main; main(['--help'], standalone_mode=False); "
        "print([name for name in sys.modules if name.startswith('rushes.cli.')])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert all(f"  {name} " in ended.stdout for name, lazy in COMMANDS.items() if lazy.summary)
    assert ended.stdout.splitlines()[-1] == "[]"


def test_the_version_is_the_package_s() -> None:
    assert rushes("--version").stdout.strip() == f"rushes, version {__version__}"


def test_an_unknown_command_is_a_usage_error() -> None:
    ended = rushes("encod")
    assert ended.returncode == 2
    assert "No such command 'encod'" in ended.stderr
