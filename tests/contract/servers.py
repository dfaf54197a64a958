"""Servers of a test run: real ones, which tests may empty, stop and start again."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import kombu
import pytest
import redis

START_LIMIT_S = 30.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def missing(program: str) -> str:
    """The path of a program, or the test is skipped by its name; with REQUIRE_SERVICES=1 it fails."""
    if found := shutil.which(program):
        return found
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"REQUIRE_SERVICES=1, but not on PATH: {program}", pytrace=False)
    pytest.skip(f"not on PATH: {program}")


class RedisServer:
    """A redis-server of its own, which keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self._program = missing("redis-server")
        self._folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_connect_timeout=1)

    def start(self) -> None:
        argv = [
            self._program,
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(self._folder),
        ]
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        deadline_s = time.monotonic() + START_LIMIT_S
        while True:
            with contextlib.suppress(redis.RedisError):
                self.client().ping()
                return
            assert time.monotonic() < deadline_s, "redis-server did not start"
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wipe(self) -> None:
        self.client().flushall()


class RabbitMQ:
    """A vhost of its own on the RabbitMQ that runs here, behind a door that a test may close."""

    ADDRESS = ("127.0.0.1", 5672)

    def __init__(self) -> None:
        self._control = missing("rabbitmqctl")
        self._vhost = f"rushes-test-{os.getpid()}"
        self._ctl("add_vhost", self._vhost)
        self._ctl("set_permissions", "-p", self._vhost, "guest", ".*", ".*", ".*")
        self._door = Door(self.ADDRESS)
        self.url = f"amqp://guest:guest@127.0.0.1:{self._door.port}/{self._vhost}"

    def _ctl(self, *arguments: str) -> None:
        done = subprocess.run([self._control, "-q", *arguments], capture_output=True, text=True, timeout=60)
        if done.returncode:
            reason = f"rabbitmqctl {arguments[0]}: {(done.stderr or done.stdout).strip().splitlines()[:1]}"
            if os.environ.get("REQUIRE_SERVICES") == "1":
                pytest.fail(f"REQUIRE_SERVICES=1, but {reason}", pytrace=False)
            pytest.skip(reason)

    def start(self) -> None:
        self._door.open()

    def stop(self) -> None:
        self._door.close()

    def wipe(self, queues: Iterable[str]) -> None:
        with kombu.Connection(self.url) as connection:
            for name in queues:
                with contextlib.suppress(*connection.channel_errors):
                    connection.channel().queue_purge(name)

    def remove(self) -> None:
        self._ctl("delete_vhost", self._vhost)


class Door:
    """Passes connections on to an address while it is open; closed, it refuses them and cuts those that there are."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self.port = free_port()
        self._listener: socket.socket | None = None
        self._ends: list[socket.socket] = []

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._admit, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        listener, self._listener = self._listener, None
        for end in [*([listener] if listener else []), *self._ends]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends = []

    def _admit(self, listener: socket.socket) -> None:
        while True:
            try:
                outside, _ = listener.accept()
                inside = socket.create_connection(self._address)
            except OSError:
                return
            self._ends += [outside, inside]
            for source, target in ((outside, inside), (inside, outside)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
