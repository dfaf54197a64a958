"""The set-up: what `make venv` says on a machine that lacks something, and what the locks may hold."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BASE_PYTHON = sys._base_executable  # the one that this virtual environment was made with


def find_python(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the first step of the set-up on a machine whose PATH holds only what is in the folder `path`."""
    return subprocess.run(
        [ROOT / "scripts" / "find-python.sh"],
        env={"PATH": str(path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def install_python(folder: Path, name: str, pretend: str = "pass") -> Path:
    """Put this Python under `name` into `folder`; it runs the statements `pretend` before what it is asked to run."""
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / name
    run = f"import sys; {pretend}; exec(sys.argv.pop(1))"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(run)} "$2"\n')
    python.chmod(0o755)
    return python


OLD = "sys.version_info = (3, 9, 2)"
WITHOUT_VENV = "sys.modules['ensurepip'] = None"


def test_a_machine_without_python_is_told_so_in_one_line(tmp_path: Path) -> None:
    ended = find_python(tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(r"rushes: no working python3 found; .*Python 3\.11 or newer.*\n", ended.stderr)


@pytest.mark.parametrize(
    ("pretend", "message"),
    [
        (OLD, "python3 is Python 3.9.2; Rushes needs 3.11 or newer"),
        (WITHOUT_VENV, "lacks the venv module; on Debian: apt-get install python3-venv"),
    ],
)
def test_a_python_that_will_not_do_is_named_with_the_mend_in_one_line(
    pretend: str, message: str, tmp_path: Path
) -> None:
    install_python(tmp_path, "python3", pretend)
    ended = find_python(tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_newer_python_beside_an_old_one_is_found(tmp_path: Path) -> None:
    install_python(tmp_path, "python3", OLD)
    install_python(tmp_path, "python3.12")
    ended = find_python(tmp_path)
    assert (ended.returncode, ended.stdout.strip()) == (0, BASE_PYTHON)


def test_python_may_be_named_by_a_path_with_a_space(tmp_path: Path) -> None:
    python = install_python(tmp_path / "with a space", "mine")
    assert find_python(tmp_path, PYTHON=str(python)).returncode == 0


@pytest.mark.parametrize("name", ["base", "build", "dev", "node"])
def test_every_locked_package_has_hashes_and_no_registry_is_named(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    entries = re.findall(r"^([a-z0-9._-]+==\S+)((?:.*\\\n)+.*)$", text, re.MULTILINE)
    assert len(entries) == len(re.findall(r"^[a-z0-9._-]+==", text, re.MULTILINE)) > 0
    assert all("--hash=sha256:" in rest for _, rest in entries)
    assert "://" not in text
    assert "--index-url" not in text


def test_every_package_that_we_chose_has_its_reason() -> None:
    for file in (ROOT / "requirements").glob("*.in"):
        for line in file.read_text().splitlines():
            assert line.startswith(("#", "-c ")) or re.fullmatch(r"\S+\s+# .+", line), f"{file.name}: {line}"


def test_the_front_end_s_lock_is_exact_and_names_no_registry() -> None:
    lock = json.loads((ROOT / "frontend" / "package-lock.json").read_text())
    installed = {name: package for name, package in lock["packages"].items() if name}
    assert all("integrity" in package and "resolved" not in package for package in installed.values())
    chosen = json.loads((ROOT / "frontend" / "package.json").read_text())
    for name, version in {**chosen["dependencies"], **chosen["devDependencies"]}.items():
        assert installed[f"node_modules/{name}"]["version"] == version
