"""A delivery at work: its server, its workers as a tree of processes, and this process as the one that enqueues."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import libfaketime
import psutil
import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from django_q.models import OrmQ

from rushes.jobs.delivery import engine as engines
from rushes.jobs.delivery import wakeups
from rushes.jobs.delivery.names import celery_name
from rushes.jobs.delivery.standby import InThread
from rushes.jobs.models import Worker
from rushes.jobs.queues import QUEUES
from tests import databases
from tests.contract import injections
from tests.contract.servers import RabbitMQ, RedisServer
from tests.jobs.conftest import send, wait_until

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 60.0
HURRY = {
    "JOBS_LEASE_S": 3.0,
    "JOBS_HEARTBEAT_S": 0.5,
    "JOBS_SWEEP_S": 0.5,
    "RUSHES_HANDLER_MODULES": ["tests.jobs.kinds"],
}


@dataclass
class Head:
    """The process at the head of a tree of workers, and how it was started."""

    command: Sequence[str]
    environ: dict[str, str]
    process: subprocess.Popen[bytes]

    @property
    def lives(self) -> bool:
        """A killed one is dead already while its last threads end, and only then to be waited for."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return (
                self.process.poll() is None
                and psutil.Process(self.process.pid).status() != psutil.STATUS_ZOMBIE
            )
        return False

    def family(self) -> list[psutil.Process]:
        """It and what it has started, as far as it lives."""
        with contextlib.suppress(psutil.NoSuchProcess):
            head = psutil.Process(self.process.pid)
            return [head, *head.children(recursive=True)]
        return []

    def end(self) -> None:
        """kill -9, also for what has lost its head."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class World(ABC):
    """One delivery, from entering to leaving `open`."""

    delivery: ClassVar[str]
    #: Its server can be taken away while the ledger's database stays.
    has_server: ClassVar[bool] = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults = folder / "faults"  # see injections
        self.faults.mkdir()
        self._heads: list[Head] = []
        self._started = 0

    @contextlib.contextmanager
    def open(self) -> Iterator[World]:
        self.start_server()
        engines.engine.cache_clear()
        with override_settings(RUSHES_DELIVERY=self.delivery, **HURRY, **self.settings()):
            try:
                yield self
            finally:
                self.kill()
                self.stop_server()
                self.close()
                engines.engine.cache_clear()

    # The server

    def settings(self) -> dict[str, object]:
        return {}

    def variables(self) -> dict[str, str]:
        return {}

    def start_server(self) -> None:
        wakeups._not_before_s = 0.0

    def stop_server(self) -> None:
        """Where there is one."""
        assert not self.has_server

    def take_away(self) -> None:
        """The engine is gone; the ledger stays."""
        self.stop_server()

    def bring_back(self) -> None:
        """It is there again, with nothing in it."""
        self.start_server()

    @contextlib.contextmanager
    def standby(self) -> Iterator[None]:
        """As in the web process."""
        engine = engines.chosen()
        assert engine is not None
        standing = InThread(engine)
        try:
            yield
        finally:
            standing.stop()
            standing.join()

    @staticmethod
    def shifted_clock(shift: str) -> dict[str, str]:
        """The environment of processes whose clock is wrong by `shift`; their host's SQLite would be as wrong."""
        if connection.vendor == "sqlite":
            pytest.skip("of several hosts, and SQLite is of one")
        library = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"
        return {"LD_PRELOAD": str(library), "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def close(self) -> None:  # noqa: B027  # most leave nothing
        """Remove what the server would keep."""

    @abstractmethod
    def wipe(self) -> None:
        """Empty whatever the engine remembers."""

    # Workers

    @abstractmethod
    def commands(self) -> list[list[str]]:
        """What starts the workers of one host, without the interpreter."""

    def environ(self, **variables: str) -> dict[str, str]:
        name = settings.DATABASES["default"]["NAME"]
        url = (
            f"sqlite:///{name}"
            if databases.kind() == "sqlite"
            else f"postgres://postgres@{databases.postgres_address()}/{name}"
        )
        own = {"DJANGO_SETTINGS_MODULE": "tests.contract.settings", "DATABASE_URL": url}
        own |= {"RUSHES_DELIVERY": self.delivery, injections.FOLDER: str(self.faults)}
        return os.environ | own | self.variables() | variables

    def start(self, **variables: str) -> list[subprocess.Popen[bytes]]:
        """One more tree of workers; ready when this returns."""
        environ = self.environ(**variables)
        started = [Head(command, environ, self._spawn(command, environ)) for command in self.commands()]
        self._heads += started
        for head in started:
            name = head.environ.get("WORKER_ID") or f"-{head.process.pid}"
            signed_on = Worker.objects.filter(name__contains=name, stopped_at=None)
            wait_until(signed_on.exists, START_LIMIT_S, "the workers have signed on")
        return [head.process for head in started]

    def _spawn(self, command: Sequence[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
        self._started += 1
        with (self.folder / f"worker-{self._started}.log").open("wb") as said:
            return subprocess.Popen(
                [sys.executable, "-m", *command],
                env=environ,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                process_group=0,
            )

    def ensure(self) -> None:
        """A tree of workers is there."""
        if not any(head.lives for head in self._heads):
            self._heads = []
            self.start()

    def revive(self) -> None:
        """As a supervisor: where the head has died, what is left of its tree is killed, and it is started again."""
        for head in self._heads:
            if not head.lives:
                head.end()
                head.process = self._spawn(head.command, head.environ)

    def processes(self) -> list[psutil.Process]:
        """All living processes of the workers."""
        return [process for head in self._heads for process in head.family()]

    def kill(self) -> None:
        """kill -9 for all of it, at once."""
        processes = self.processes()
        for number in (signal.SIGSTOP, signal.SIGKILL):  # none may do a last thing while others die
            send(number, processes)
        for head in self._heads:
            head.end()
        psutil.wait_procs(processes, 10)
        self._heads = []

    def kill_one(self, rng: random.Random) -> str:
        """kill -9 for a process or a tree of the workers, or for the server, which comes back; which of these."""
        what = rng.choice(["process", "process", "tree", *(["server"] if self.has_server else [])])
        if what == "server":
            self.take_away()
            time.sleep(rng.uniform(0, 1))
            self.bring_back()
            return what
        families = [family for head in self._heads if (family := head.family())]
        if families:
            family = rng.choice(families)
            send(signal.SIGKILL, family if what == "tree" else [rng.choice(family)])
        return what

    def stop(self) -> None:
        """SIGTERM to each worker; what they do is given back."""
        for head in self._heads:
            head.process.terminate()

    def wait(self, limit_s: float) -> None:
        for head in self._heads:
            head.process.wait(limit_s)
        self._heads = []


class Database(World):
    delivery = "database"
    has_server = False

    def wipe(self) -> None: ...

    def commands(self) -> list[list[str]]:
        return [["django", "worker"]]


class RQ(World):
    delivery = "rq"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = RedisServer(folder)

    def settings(self) -> dict[str, object]:
        return {"RQ_URL": self.server.url, "RQ_QUEUE_TRANSCODE": "transcode"}

    def variables(self) -> dict[str, str]:
        return {"RQ_URL": self.server.url}

    def start_server(self) -> None:
        super().start_server()
        self.server.start()

    def stop_server(self) -> None:
        self.server.stop()

    def wipe(self) -> None:
        self.server.wipe()

    def commands(self) -> list[list[str]]:
        return [["django", "rqworker_transcode"]] * 2


def celery_worker(number: int) -> list[str]:
    # Of two workers of one name on one host, RabbitMQ would refuse the second.
    name = f"--hostname=worker-{number}@%h"
    return ["celery", "-A", "rushes.config", "worker", "--concurrency", "2", "--loglevel", "WARNING", name]


class CeleryOnRedis(RQ):
    delivery = "celery"

    def settings(self) -> dict[str, object]:
        return {"CELERY_BROKER_URL": self.server.url}

    def variables(self) -> dict[str, str]:
        return {"CELERY_BROKER_URL": self.server.url}

    def commands(self) -> list[list[str]]:
        return [celery_worker(self._started)]


class CeleryOnRabbitMQ(World):
    delivery = "celery"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = RabbitMQ()

    def settings(self) -> dict[str, object]:
        return {"CELERY_BROKER_URL": self.server.url}

    def variables(self) -> dict[str, str]:
        return {"CELERY_BROKER_URL": self.server.url}

    def commands(self) -> list[list[str]]:
        return [celery_worker(self._started)]

    def start_server(self) -> None:
        super().start_server()
        self.server.start()

    def stop_server(self) -> None:
        self.server.stop()

    def wipe(self) -> None:
        self.server.wipe(celery_name(queue) for queue in QUEUES)

    def close(self) -> None:
        self.server.remove()


class Q2(World):
    delivery = "q2"
    has_server = False

    def wipe(self) -> None:
        OrmQ.objects.all().delete()

    def take_away(self) -> None:
        self.kill()

    def bring_back(self) -> None:
        self.start()

    def variables(self) -> dict[str, str]:
        return {"ENCODING_WORKERS": "2"}

    def commands(self) -> list[list[str]]:
        return [["django", "qcluster"]]


WORLDS: dict[str, type[World]] = {
    "database": Database,
    "rq": RQ,
    "celery-redis": CeleryOnRedis,
    "celery-rabbitmq": CeleryOnRabbitMQ,
    "q2": Q2,
}


def close_other_connections() -> None:
    """The database is about to be removed: nobody may be at it."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
