"""Worker processes of a test, on its database."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil
import pytest
from django.db import connection

from rushes.jobs.models import Worker

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 60.0

StartWorker = Callable[..., "subprocess.Popen[str]"]


def wait_until(true: Callable[[], bool], limit_s: float, what: str) -> None:
    """Wait for a condition. Raises AssertionError."""
    deadline_s = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline_s, f"not within {limit_s:g} s: {what}"
        time.sleep(0.02)


def send(number: int, processes: Iterable[psutil.Process]) -> None:
    """A signal to those of them that still live."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def freeze(processes: Callable[[], list[psutil.Process]]) -> list[psutil.Process]:
    """SIGSTOP for all of them, at a moment when none has SQLite's lock: nobody can take it from a stopped process."""
    while True:
        frozen = processes()
        send(signal.SIGSTOP, frozen)
        if connection.vendor != "sqlite" or _writable(connection.settings_dict["NAME"]):
            return frozen
        send(signal.SIGCONT, frozen)


def _writable(database: str) -> bool:
    with contextlib.closing(sqlite3.connect(database, timeout=0.2, isolation_level=None)) as trial:
        try:
            trial.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        trial.execute("ROLLBACK")
        return True


@pytest.fixture
def said_by(tmp_path: Path) -> Callable[[int], str]:
    """`said_by(0)` is what the first worker that was started has written to stderr."""
    return lambda number: (tmp_path / f"worker-{number}").read_text()


@pytest.fixture
def start_worker(product_environ: Callable[..., dict[str, str]], tmp_path: Path) -> Iterator[StartWorker]:
    """`start_worker("--burst")` is a worker process; without --burst it is at work when this returns.

    Not where it is not waited for (`wait=False`). Other keywords are variables of its environment.
    """
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, wait: bool = True, **variables: str) -> subprocess.Popen[str]:
        environ = product_environ(DJANGO_SETTINGS_MODULE="tests.jobs.worker_settings", **variables)
        before = Worker.objects.count()
        with (tmp_path / f"worker-{len(started)}").open("wb") as said:
            argv = [sys.executable, "-m", "django", "worker", *arguments]
            process = subprocess.Popen(argv, env=environ, cwd=ROOT, stderr=said, text=True)
        started.append(process)
        if wait and "--burst" not in arguments:
            wait_until(lambda: Worker.objects.count() > before, START_LIMIT_S, "the worker has signed on")
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
    if connection.vendor == "postgresql":  # the database is about to be emptied: nobody may be at it
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
