"""scripts/test_video_processing.py sends a test video through a real queue, and says which stage does not come."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rushes.jobs.models import Job, Worker
from rushes.videos.models import Video
from tests.crash.instance import Instance, product_environment, wait_until

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "scripts" / "test_video_processing.py"
LIMIT_S = 120.0
STAGES = ["made", "sent", "begun", "playable", "ready", "played", "removed"]

Environ = Callable[..., dict[str, str]]


def script(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        timeout=LIMIT_S,
    )


def stages(told: dict[str, Any]) -> list[str]:
    return [stage["stage"] for stage in told["stages"]]


def test_through_the_api_of_a_running_instance(tmp_path: Path) -> None:
    environ = product_environment(tmp_path / "var")
    with Instance(environ, tmp_path) as instance:
        ended = script(environ)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert f"Through {instance.url}" in ended.stdout
        for stage in STAGES:
            assert stage in ended.stdout
        assert "Video processing works" in ended.stdout
        assert instance.client().videos() == []
        wrong = script(environ, "--url", instance.url, "--token", "wrong", "--json")
        assert wrong.returncode == 1
        told = json.loads(wrong.stdout)
        assert told["healthy"] is False
        assert told["error"]
        check = subprocess.run(
            [sys.executable, "-m", "rushes", "manage", "check_worker"],
            env=environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert check.returncode == 0, check.stdout
        assert "videos ready: 0" in check.stdout
        assert "✓ Queue is empty" in check.stdout


def test_what_does_not_answer_is_a_sentence(tmp_path: Path) -> None:
    ended = script(product_environment(tmp_path), "--url", "http://127.0.0.1:9", "--token", "x")
    assert ended.returncode == 1
    assert "http://127.0.0.1:9 does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.fixture
def worker(product_environ: Environ, tmp_path: Path) -> Iterator[None]:
    with (tmp_path / "worker.log").open("wb") as log:
        argv = [sys.executable, "-m", "rushes", "worker"]
        process = subprocess.Popen(argv, env=product_environ(), cwd=ROOT, stdout=log, stderr=log)
    wait_until(Worker.objects.exists, LIMIT_S, "the worker has signed on")
    yield
    process.terminate()
    process.wait(LIMIT_S)


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("worker")
def test_through_the_database_with_its_workers(product_environ: Environ) -> None:
    ended = script(product_environ(), "--in-process", "--json")
    told = json.loads(ended.stdout)
    assert ended.returncode == 0, told
    assert stages(told) == STAGES
    assert told["stages"][2]["detail"].startswith("by ")
    times = [stage["at_s"] for stage in told["stages"]]
    assert times == sorted(times)
    assert not Video.objects.exists()


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
def test_without_a_worker_it_says_what_is_missing_and_leaves_nothing(product_environ: Environ) -> None:
    ended = script(product_environ(), "--in-process", "--timeout", "1")
    assert ended.returncode == 1
    assert "it is not begun in time (status pending): is a worker alive?" in ended.stderr
    assert not Video.objects.exists()
    assert not Job.objects.filter(kind="ingest", status="pending").exists()
