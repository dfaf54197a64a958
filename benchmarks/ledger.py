"""What the benchmarks of the ledger share: empty databases, workers with a benchmark's handlers, answers by socket."""

from __future__ import annotations

import os
import secrets
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

HERE = Path(__file__).resolve().parent
POSTGRES = "postgres://postgres@127.0.0.1:5432"
START_LIMIT_S = 60.0

Kind = Literal["sqlite", "postgres"]


@contextmanager
def database(kind: Kind, folder: Path) -> Iterator[str]:
    """The URL of an empty database, gone in the end."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/rushes.sqlite3"
        return
    import psycopg

    name = f"rushes_bench_{secrets.token_hex(4)}"
    with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{POSTGRES}/{name}"
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def ledger(kind: Kind, folder: Path, handlers: str) -> Iterator[dict[str, str]]:
    """The environment of processes on an empty, migrated database; `handlers` is the only module of handlers."""
    with database(kind, folder) as url:
        settings = f"from rushes.config.settings import *\nRUSHES_HANDLER_MODULES = [{handlers!r}]\n"
        (folder / "bench_settings.py").write_text(settings)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("RUSHES_")} | {
            "DATABASE_URL": url,
            "RUSHES_VAR": str(folder),
            "SECRET_KEY": "of a benchmark",
            "DJANGO_SETTINGS_MODULE": "bench_settings",
            "PYTHONPATH": os.pathsep.join([str(folder), str(HERE)]),
        }
        subprocess.run(
            [sys.executable, "-m", "django", "migrate", "-v", "0", "--skip-checks"], env=environ, check=True
        )
        yield environ


@contextmanager
def worker(
    environ: dict[str, str], command: tuple[str, ...] = ("django", "worker")
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process, from its start until it has been ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def listening(address: str) -> Iterator[Callable[[], int]]:
    """A datagram socket at `address`; the value waits for the next answer: when (monotonic, ns) a first line ran."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as answers:
        answers.bind(address)
        answers.settimeout(START_LIMIT_S)
        yield lambda: int(answers.recv(64))


def answer(address: str) -> None:
    """Say when this was called; the clock is the one that all processes of a machine share."""
    began_ns = time.monotonic_ns()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as said:
        said.sendto(str(began_ns).encode(), address)


def committed_ns(write: Callable[[], object]) -> int:
    """Write to the ledger; when that was committed, which is before any engine was told."""
    from django.db import transaction

    at_ns: list[int] = []
    with transaction.atomic():
        transaction.on_commit(lambda: at_ns.append(time.monotonic_ns()))
        write()
    return at_ns[0]


def pickups_ms(enqueue: Callable[[], int], next_answer: Callable[[], int], count: int) -> list[float]:
    """`count` times: enqueue, which says when (monotonic, ns), and wait for the first line of the job; the time
    between."""

    def pickup_ms() -> float:
        began_ns = enqueue()
        return (next_answer() - began_ns) / 1e6

    for _ in range(5):
        pickup_ms()  # the worker has started
    taken_ms = []
    for number in range(count):
        time.sleep(0.02 + number % 7 * 0.003)  # idle again, and at no beat of the worker's own
        taken_ms.append(pickup_ms())
    return taken_ms


def median_and_p99(taken: list[float]) -> tuple[float, float]:
    """What is said of many."""
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]
