"""The database of a test run: SQLite, or Postgres with RUSHES_TEST_DATABASE=postgres.

SQLite databases are real files with WAL, so that threads and worker processes of a test see what the test sees.
Postgres is the server that runs on this machine; where none answers, a private one is started from its programs.
Each run has a database, and a folder for everything it writes, of its own.
"""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

import psycopg

VARIABLE = "RUSHES_TEST_DATABASE"
KINDS = ("sqlite", "postgres")
ADDRESS = "127.0.0.1:5432"
START_LIMIT_S = 60.0
STARTED = "TEST_POSTGRES"  # where the one is that this run has started: its processes share it

#: What the run may take over from outside; everything else that configures the product is set here or left out.
TAKEN_OVER = frozenset({"FFMPEG_PATH", "FFPROBE_PATH", "RUSHES_CLIPS", VARIABLE})


class NoPostgres(Exception):
    """Neither a running server nor the programs for one; the message says what was looked for."""


def kind() -> str:
    """`sqlite` or `postgres`: which database this run uses."""
    chosen = os.environ.get(VARIABLE) or "sqlite"
    if chosen not in KINDS:
        raise ValueError(f"{VARIABLE} is {chosen!r}; it may be {' or '.join(KINDS)}")
    return chosen


def configure(environ: MutableMapping[str, str], known: frozenset[str]) -> None:
    """Set the product's environment for this run; `known` are the names of all its variables."""
    for name in known - TAKEN_OVER:
        environ.pop(name, None)
    environ["RUSHES_VAR"] = str(folder())
    environ["SECRET_KEY"] = "of the tests: signs nothing that anybody relies on"
    environ["DATABASE_URL"] = f"sqlite:///{folder()}/rushes.sqlite3"
    if kind() == "postgres" and why_no_postgres() is None:
        environ["DATABASE_URL"] = f"postgres://postgres@{postgres_address()}/rushes"


def test_database_name() -> str:
    """What Django calls the test database: a file for SQLite, a name of this run alone for Postgres."""
    return f"{folder()}/test.sqlite3" if kind() == "sqlite" else f"rushes_test_{os.getpid()}"


test_database_name.__test__ = False  # type: ignore[attr-defined]  # its name begins like a test's


@cache
def folder() -> Path:
    """Where this run writes: database, media, scratch. Gone when the run ends."""
    _remove_left_behind()
    made = Path(tempfile.mkdtemp(prefix=f"rushes-test-{os.getpid()}-"))
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # not when a forked child ends
            shutil.rmtree(made, ignore_errors=True)

    atexit.register(remove)
    return made


def _remove_left_behind() -> None:
    """Of runs that were killed; mypy, which loads the settings too, always ends without a last word."""
    for left in Path(tempfile.gettempdir()).glob("rushes-test-*-*"):
        pid = left.name.split("-")[2]
        if pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(left, ignore_errors=True)


@cache
def why_no_postgres() -> str | None:
    """Why tests cannot have Postgres here; None when they can."""
    try:
        postgres_address()
    except NoPostgres as error:
        return str(error)
    return None


@cache
def postgres_address() -> str:
    """`host:port` of a server that lets the user postgres in without a password. Raises NoPostgres."""
    for address in filter(None, (os.environ.get(STARTED), ADDRESS)):
        if _answers(f"postgres://postgres@{address}/postgres"):
            return address
    try:
        os.environ[STARTED] = f"127.0.0.1:{start_server().port}"
    except NoPostgres as error:
        raise NoPostgres(f"no Postgres answers at {ADDRESS}, and {error}") from error
    return os.environ[STARTED]


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


@dataclass(frozen=True)
class Server:
    """A Postgres of this run alone, stopped and removed when the run ends; its user postgres needs no password."""

    port: int
    folder: Path  # its socket is here, too

    def url(self, database: str, host: str | None = None) -> str:
        """Of a database of it, at that address; None: by its socket, which asks for no network."""
        if host is not None:
            return f"postgres://postgres@{host}:{self.port}/{database}"
        return f"postgres://postgres@{quote(str(self.folder), safe='')}:{self.port}/{database}"


def start_server(*, listen: str = "127.0.0.1", port: int | None = None, within: Sequence[str] = ()) -> Server:
    """Start one; `within` is a command that runs it in another network, where `listen` is an address.

    Raises NoPostgres.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if programs:
        bin_folder = programs[-1].parent
    elif found := shutil.which("postgres"):
        bin_folder = Path(found).parent
    else:
        raise NoPostgres("the programs of Postgres are not on this machine")
    data = Path(tempfile.mkdtemp(prefix="rushes-postgres-"))
    as_postgres: list[str] = []
    if os.geteuid() == 0:  # Postgres refuses to run as root
        shutil.chown(data, "postgres", "postgres")
        as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    initdb: list[str | Path] = [
        bin_folder / "initdb",
        "-D",
        data / "db",
        "-U",
        "postgres",
        "-A",
        "trust",
        "--no-sync",
    ]
    subprocess.run([*as_postgres, *initdb], check=True, stdout=subprocess.DEVNULL, cwd=data)
    if within:
        with (data / "db" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")
    if port is None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    options = ["-c", f"listen_addresses={listen}", "-c", f"unix_socket_directories={data}", "-c", "fsync=off"]
    process = subprocess.Popen(
        [*within, *as_postgres, bin_folder / "postgres", "-D", data / "db", "-p", str(port), *options],
        stdout=subprocess.DEVNULL,
        stderr=(data / "log").open("wb"),
        cwd=data,
    )
    server = Server(port, data)

    def stop() -> None:
        process.send_signal(signal.SIGINT)  # not SIGTERM, which waits until all clients have gone
        process.wait(START_LIMIT_S)
        shutil.rmtree(data, ignore_errors=True)

    atexit.register(stop)
    deadline_s = time.monotonic() + START_LIMIT_S
    while not _answers(server.url("postgres")):
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise NoPostgres(f"a private Postgres did not start: {(data / 'log').read_text()[-300:]}")
        time.sleep(0.05)
    return server
