"""What the commands of the product share: Django set up, or one line that says why not; and the leash."""

from __future__ import annotations

import http.client
import os
import resource
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

SETTINGS = "rushes.config.settings"

#: A waiting viewer holds a socket or two; the usual soft limit of 1,024 files would be the end of the queue.
OPEN_FILES_WANTED = 65_536

#: After so many jobs `make run` starts a worker anew, so that what its libraries may leak is given back. ffmpeg's
#: memory is no question here: it goes with each of its processes.
MAX_JOBS = 1_000

Command = TypeVar("Command", bound=Callable[..., Any])


def set_up_django() -> None:
    """Load the settings and the applications. Raises click.ClickException where the environment is refused."""
    from django.core.exceptions import ImproperlyConfigured

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
    try:
        import django

        django.setup()
    except ImproperlyConfigured as error:
        raise click.ClickException(str(error)) from error


def leash_option(command: Command) -> Command:
    """`--leash FD`, from the supervisor to its children only: end when that pipe closes."""

    def hold(_context: click.Context, _parameter: click.Parameter, descriptor: int | None) -> None:
        if descriptor is not None:
            from rushes.ops.leash import end_with

            end_with(descriptor)

    return click.option("--leash", type=int, hidden=True, expose_value=False, is_eager=True, callback=hold)(
        command
    )


def raise_open_files() -> None:
    """Lift the soft limit on open files as far as it is wanted and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def connection_to(address: str, timeout_s: float) -> http.client.HTTPConnection:
    """A connection, not open yet, to the host that an http or https address names."""
    parts = urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=timeout_s)


def is_healthy(address: str, timeout_s: float) -> bool:
    """Whether an instance answers there."""
    connection = connection_to(address, timeout_s)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
