"""From a file to a session that a viewer can be served from."""

from __future__ import annotations

from pathlib import Path

from rushes.engine import EngineError
from rushes.engine.binaries import Toolchain
from rushes.engine.plan import make_plan
from rushes.engine.probe import probe
from rushes.engine.remux import needs_remux, remux
from rushes.engine.session import Session
from rushes.engine.settings import Settings


class FolderUnusable(EngineError):
    """Nothing can be written where the streams should go."""


def open_session(
    source_path: Path, folder: Path, scratch: Path, settings: Settings, tools: Toolchain
) -> Session:
    """Probe, plan and make ready; the caller starts the session.

    A source without exact places to seek to is copied into `scratch` first, which must outlive the session. Raises the
    errors of `probe` and `remux`, ValueError of `make_plan`, and FolderUnusable.
    """
    source = probe(source_path, tools)
    if needs_remux(source):
        source = remux(source, tools, scratch)
    plan = make_plan(source, settings, tools.build_id)
    try:
        return Session(plan, source.path, folder, ffmpeg=tools.ffmpeg.path, watched=True)
    except OSError as error:
        raise FolderUnusable(
            f"can't write to {folder}: {error.strerror or error}; choose another with -o"
        ) from error
