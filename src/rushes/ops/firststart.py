"""What `make run` sees to before it starts anything: tables, an admin, and a file that says how to get in."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from rushes.ops.folders import CannotStart
from rushes.videos.keys import SCOPES, find_user, make_key

FILE = "credentials.json"
ADMIN = "admin"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """How to get into this instance. None: what it was is not known any more."""

    url: str
    username: str
    password: str
    token: str


def migrate() -> bool:
    """Bring the tables up to date; whether there was anything to do. Raises CannotStart."""
    try:
        executor = MigrationExecutor(connection)
        if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return False
    except DatabaseError as error:
        reason = " ".join(str(error).split())
        raise CannotStart(f"the database can't be used: {reason}; see DATABASE_URL") from error
    call_command("migrate", verbosity=0, interactive=False)
    return True


def make_credentials(url: str) -> Credentials:
    """See that an admin with a working token exists and write RUSHES_VAR/credentials.json for them.

    What the file says is kept where it still holds. A lost file means a new password and a new token.
    """
    path = Path(settings.RUSHES_VAR) / FILE
    kept = _read(path)
    user_model = get_user_model()
    name = kept.username if kept else ADMIN
    password = kept.password if kept else secrets.token_urlsafe(12)
    user = user_model.objects.filter(**{user_model.USERNAME_FIELD: name}).first()
    if user is None:
        user = user_model.objects.create_superuser(name, password=password)
    elif kept is None:
        user.set_password(password)
        user.save(update_fields=["password"])
    token = kept.token if kept else ""
    if not token or find_user(token) is None:
        _, token = make_key(user, "make run", SCOPES)
    credentials = Credentials(url=url, username=name, password=password, token=token)
    if credentials != kept:
        _write(path, credentials)
    return credentials


def _read(path: Path) -> Credentials | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        credentials = Credentials(**json.loads(path.read_text(encoding="utf-8")))
        if all(isinstance(value, str) and value for value in asdict(credentials).values()):
            return credentials
    return None


def _write(path: Path, credentials: Credentials) -> None:
    """By rename, and never readable by others, not for a moment."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(credentials), file, indent=2)
        file.write("\n")
    new.replace(path)
