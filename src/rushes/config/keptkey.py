"""The SECRET_KEY that `make run` makes once and keeps in RUSHES_VAR, so that nobody has to think of one."""

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

NAME = "secret_key"


def kept_key(folder: Path) -> str | None:
    """The key that is kept there, if there is one that this user may read."""
    try:
        return (folder / NAME).read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None


def keep_key(folder: Path) -> str:
    """The key that is kept there; made now if there is none. Raises OSError."""
    if kept := kept_key(folder):
        return kept
    key = secrets.token_urlsafe(48)
    new = folder / f".{NAME}.{os.getpid()}"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(key)
        # Of two that start at once, one wins: a link never replaces.
        with contextlib.suppress(FileExistsError):
            os.link(new, folder / NAME)
    finally:
        new.unlink()
    return kept_key(folder) or key


def with_kept_key(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment, with the kept key where SECRET_KEY is not set: commands beside `make run` need none then."""
    if environ.get("SECRET_KEY", "").strip():
        return environ
    kept = kept_key(Path(environ.get("RUSHES_VAR", "").strip() or "var"))
    return environ if kept is None else {**environ, "SECRET_KEY": kept}
