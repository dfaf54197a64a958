"""Whether folders can be used, looked at before anything is begun in them. Needs no Django."""

import tempfile
from pathlib import Path


class CannotStart(Exception):
    """Something has to be mended first; the message is one line."""


def check_writable(folder: Path, variable: str) -> None:
    """Make a folder and see that files can be made in it. Raises CannotStart; `variable` says which to change."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CannotStart(
            f"{folder} can't be written: {error.strerror}; mend that, or set {variable} to another folder"
        ) from error
