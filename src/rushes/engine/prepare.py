"""From a file to a plan that can be encoded: probe, copy into a seekable container where needed, plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .binaries import Toolchain
from .plan import Plan
from .planning import make_plan
from .probe import probe
from .remux import needs_remux, remux
from .scratch import scratch_folder
from .settings import Settings
from .source import Source


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A plan, and the source that its chunks are made from (the original, or its copy)."""

    source: Source
    plan: Plan


@contextmanager
def prepared(path: Path, settings: Settings, toolchain: Toolchain, scratch: Path) -> Iterator[Prepared]:
    """Probe and plan the file at `path`; a copy that seeking needs lies below `scratch` until the block is left.

    Raises ProbeError and its kin, RemuxFailed, and what `FfmpegRun.wait` raises.
    """
    source = probe(path, toolchain)
    if not needs_remux(source):
        yield Prepared(source=source, plan=make_plan(source, settings, toolchain.build_id))
        return
    with scratch_folder(scratch) as folder:
        copy = remux(source, toolchain, folder)
        yield Prepared(source=copy, plan=make_plan(copy, settings, toolchain.build_id))
