"""From a file to a plan that can be encoded: probe, copy into a seekable container where needed, plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .binaries import Toolchain
from .examine import examined
from .plan import Plan
from .planning import make_plan
from .probe import probe
from .remux import needs_remux, remux
from .scratch import scratch_folder
from .settings import Settings
from .source import Source


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A plan, and the file that its chunks are made from: the original, or its copy."""

    path: Path
    plan: Plan


@contextmanager
def prepared(path: Path, settings: Settings, toolchain: Toolchain, scratch: Path) -> Iterator[Prepared]:
    """Probe and plan the file at `path`; a copy that seeking needs lies below `scratch` until the block is left.

    The source's packets are not kept: over hours they are megabytes, and the plan has what is needed of them.
    Raises ProbeError and its kin, RemuxFailed, and what `FfmpegRun.wait` raises.
    """
    source = probe(path, toolchain)
    if not needs_remux(source):
        ready = _planned(source, settings, toolchain)
        del source
        yield ready
        return
    with scratch_folder(scratch) as folder:
        ready = _planned(remux(source, toolchain, folder), settings, toolchain)
        del source
        yield ready


def _planned(source: Source, settings: Settings, toolchain: Toolchain) -> Prepared:
    plan = make_plan(examined(source, toolchain), settings, toolchain.build_id)
    return Prepared(path=source.path, plan=plan)
