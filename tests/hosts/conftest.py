"""Two hosts and a database between them, each with an address of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dj_database_url
import psutil
import pytest
from django.core.management import call_command
from django.db import connections

from rushes.jobs.models import Worker
from tests import databases
from tests.crash.instance import ROOT, product_environment, wait_until
from tests.hosts.network import DATABASE, Network, NoNetworks, network

START_LIMIT_S = 60.0
STOP_LIMIT_S = 30.0
CLOCK = Path(__file__).parent / "clock"
PORT = 5432


@dataclass
class Hosts:
    """Workers on hosts `a` and `b` of a network. b's clock is ten minutes ahead."""

    network: Network
    environ: dict[str, str]
    folder: Path
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start_worker(self, host: str) -> None:
        """Start a worker there, and wait until it has signed on."""
        wrong_s = {"a": 0, "b": 600}[host]
        environ = self.environ | {
            "TEST_CLOCK_S": str(wrong_s),
            "PYTHONPATH": os.pathsep.join([str(CLOCK), str(ROOT)]),
        }
        with self.log(host).open("ab") as said:
            self.workers[host] = subprocess.Popen(
                [*self.network.on(host, self.folder / "scratch"), sys.executable, "-m", "rushes", "worker"],
                env=environ,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        signed_on = Worker.objects.filter(name__startswith=f"{host}-", stopped_at__isnull=True)
        gone = self.workers[host].poll
        wait_until(lambda: gone() is not None or signed_on.exists(), START_LIMIT_S, f"{host} has signed on")
        assert gone() is None, self.log(host).read_text()[-3000:]

    def log(self, host: str) -> Path:
        """What its worker says."""
        return self.folder / f"{host}.log"

    def ffmpegs(self, host: str) -> list[psutil.Process]:
        """The encoders that run there."""
        return [process for process in self.network.processes(host) if "ffmpeg" in process.name()]

    def stop(self) -> None:
        """End all workers; raises AssertionError where one does not end in order."""
        for host, worker in self.workers.items():
            self.network.mend(host)
            for process in self.network.processes(host):
                if "worker" in process.cmdline() and "rushes" in process.cmdline()[:4]:
                    process.terminate()
            assert worker.wait(STOP_LIMIT_S) == 0, self.log(host).read_text()[-3000:]


@pytest.fixture(scope="module")
def wires() -> Iterator[Network]:
    """The network; skipped by name where this machine can have none."""
    try:
        with network(["a", "b"]) as made:
            yield made
    except NoNetworks as error:
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(f"REQUIRE_SERVICES=1, but {error}", pytrace=False)
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def server(wires: Network) -> databases.Server:
    """A Postgres on the network, which this process reaches by its socket alone."""
    try:
        return databases.start_server(
            listen=wires.address(DATABASE), port=PORT, within=wires.within(DATABASE)
        )
    except databases.NoPostgres as error:
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(f"REQUIRE_SERVICES=1, but {error}", pytrace=False)
        pytest.skip(str(error))


@pytest.fixture
def ledger(
    server: databases.Server, request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any
) -> Iterator[str]:
    """The name of an empty database there, which is this process's, too, as long as the test runs."""
    name = f"rushes_{os.getpid()}_{abs(hash(request.node.name)) % 10_000}"
    before = connections.databases["default"]
    with django_db_blocker.unblock():
        _use(server, "postgres", before)
        with connections["default"].cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        _use(server, name, before)
        call_command("migrate", verbosity=0)
        try:
            yield name
        finally:
            connections["default"].close()
            del connections["default"]
            connections.databases["default"] = before


def _use(server: databases.Server, name: str, like: dict[str, Any]) -> None:
    connections["default"].close()
    del connections["default"]
    mine = dj_database_url.parse(server.url(name))
    connections.databases["default"] = {**like, "OPTIONS": {}, **mine}


@pytest.fixture
def hosts(
    wires: Network, server: databases.Server, ledger: str, settings: Any, tmp_path: Path
) -> Iterator[Hosts]:
    """Two hosts whose workers are not started yet; media is a folder that both have."""
    settings.MEDIA_ROOT = tmp_path / "media"
    environ = product_environment(
        tmp_path / "var",
        DATABASE_URL=server.url(ledger, wires.address(DATABASE)),
        MEDIA_ROOT=str(settings.MEDIA_ROOT),
        TEMP_VIDEOS_DIR=str(tmp_path / "scratch"),
        SECRET_KEY="of the tests: signs nothing",
        DJANGO_SETTINGS_MODULE="tests.hosts.settings",
        VIDEO_QUALITY_PRESETS="360p,144p",
    )
    for folder in ("var", "scratch"):
        (tmp_path / folder).mkdir()
    made = Hosts(wires, environ, tmp_path)
    try:
        yield made
        made.stop()
    finally:
        for host in ("a", "b"):
            wires.mend(host)
            for process in wires.processes(host):
                process.kill()
