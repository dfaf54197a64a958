"""`rushes up`, which `make run` calls: everything that the product needs, in one command."""

from __future__ import annotations

import os
import sys
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rushes.cli.product import MAX_JOBS, is_healthy, set_up_django

if TYPE_CHECKING:
    import socket

    from rushes.ops.firststart import Credentials

#: For the web process to say that it is there.
LOOK_LIMIT_S = 0.2
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: a free one.")
@click.option(
    "--parent-pid", type=int, hidden=True, help="Stop when this is not the parent process any more."
)
def up(host: str, port: int, parent_pid: int | None) -> None:
    """Migrate, make an admin once, run web and workers, and start again what dies. Ctrl-C ends all of it."""
    from rushes.play.server import AddressUnusable, listen, url_of

    workers = _prepare_environment(host)
    try:
        listener = listen(host, port)
    except AddressUnusable as error:
        reason = error.__cause__.strerror if isinstance(error.__cause__, OSError) else error
        raise click.ClickException(
            f"can't listen on {host} port {port}: {reason}; choose another, as in make run PORT={port + 1}"
        ) from error
    with listener:
        set_up_django()
        credentials = _first_start(url_of(listener))
        _supervise(listener, credentials, workers, parent_pid)


def _prepare_environment(host: str) -> int:
    """Set what `make run` decides for its children; how many workers to start."""
    from rushes.config.environment import EnvironmentRefused, read
    from rushes.config.keptkey import keep_key
    from rushes.ops.folders import CannotStart, check_writable

    try:
        # First what the user said; only then is anything made.
        key = os.environ.get("SECRET_KEY", "").strip()
        environment = read({**os.environ, "SECRET_KEY": key or "made below"})
        check_writable(environment.rushes_var, "RUSHES_VAR")
        if environment.media_root is not None:
            check_writable(environment.media_root, "MEDIA_ROOT")
        os.environ["SECRET_KEY"] = key or keep_key(environment.rushes_var)
    except (EnvironmentRefused, CannotStart) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"RUSHES_VAR can't be used: {error}") from error
    if host not in LOOPBACK and not environment.allowed_hosts:
        # Asked for by whatever name this machine has in its network; ALLOWED_HOSTS narrows it.
        os.environ["ALLOWED_HOSTS"] = "*"
    return environment.encoding_workers or _workers_for_all_cores()


def _workers_for_all_cores() -> int:
    """Each encodes as many chunks at once as its table says, on a core each; so no core of a larger machine is idle."""
    from rushes.engine.slots import usable_cores
    from rushes.jobs.queues import TRANSCODE

    return ceil(usable_cores() / TRANSCODE.concurrency)


def _first_start(url: str) -> Credentials:
    from rushes.ops.firststart import make_credentials, migrate
    from rushes.ops.folders import CannotStart

    try:
        migrate()
        return make_credentials(url)
    except CannotStart as error:
        raise click.ClickException(str(error)) from error


def _supervise(
    listener: socket.socket, credentials: Credentials, workers: int, parent_pid: int | None
) -> None:
    from rushes.ops.supervise import Child, Supervisor

    rushes = [sys.executable, "-m", "rushes"]
    listener.set_inheritable(True)
    web = Child(
        name="web", command=[*rushes, "serve", "--fd", str(listener.fileno())], keeps=(listener.fileno(),)
    )
    children = [web, *(Child(name=name, command=[*rushes, *rest]) for name, rest in _workers(workers))]
    welcome = Welcome(credentials)
    Supervisor(children, say=say, parent_pid=parent_pid).run(each_look=welcome.look)


def _workers(count: int) -> list[tuple[str, list[str]]]:
    """The worker processes of the chosen delivery: a name for people, and what comes after `rushes`."""
    from rushes.cli.engine_worker import QUICK_PROCESSES
    from rushes.jobs.delivery.engine import EngineAway, chosen

    engine = chosen()
    if engine is None:
        return [_own_worker(number, count) for number in range(1, count + 1)]
    if engine.inline:
        say("RQ_QUEUE_TRANSCODE is empty: the web process does the work itself.")
        return []
    from django.conf import settings

    if settings.RUSHES_DELIVERY != "q2":  # its server is the database, which has answered
        try:
            engine.waiting()
        except EngineAway:
            say(
                f"{engine.title} needs {engine.server}, which does not answer: work is done in process until it does."
            )
    if settings.RUSHES_DELIVERY != "rq":  # one process that has others
        return [_engine_worker(engine.title, part) for part in ("quick", "bulk")]
    processes = {"quick": QUICK_PROCESSES, "bulk": settings.ENGINE_BULK_PROCESSES}
    return [
        _engine_worker(engine.title, part, number)
        for part, count in processes.items()
        for number in range(1, count + 1)
    ]


def _engine_worker(title: str, part: str, number: int | None = None) -> tuple[str, list[str]]:
    from django.conf import settings

    which = [part] if number is None else [part, str(number)]
    command = ["engine-worker", part]
    if settings.JOBS_WORKER_NAME:
        command += ["--name", "-".join([settings.JOBS_WORKER_NAME, *which])]
    return " ".join([title, *which]), command


def _own_worker(number: int, count: int) -> tuple[str, list[str]]:
    from django.conf import settings

    command = ["worker"]
    if settings.JOBS_WORKER_MAX_JOBS is None:
        command += ["--max-jobs", str(MAX_JOBS)]
    if settings.JOBS_WORKER_NAME and count > 1:
        command += ["--name", f"{settings.JOBS_WORKER_NAME}-{number}"]
    return ("worker" if count == 1 else f"worker {number}"), command


class Welcome:
    """Prints how to get in, once, as soon as the web process answers."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._said = False

    def look(self) -> None:
        """Ask once, without waiting long: the supervisor has other things to look at."""
        if self._said or not is_healthy(self._credentials.url, LOOK_LIMIT_S):
            return
        self._said = True
        from django.conf import settings

        for line in (
            f"Rushes runs at {self._credentials.url}",
            f"  user      {self._credentials.username}",
            f"  password  {self._credentials.password}",
            f"  token     {self._credentials.token}",
            f"  kept in   {Path(settings.RUSHES_VAR) / 'credentials.json'}",
            "Ctrl-C ends it.",
        ):
            say(line)


def say(line: str) -> None:
    """Print a line now; a closed terminal must not keep the supervisor from ending its children."""
    try:
        click.echo(line)
        sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # until the process ends
