"""A source planned, its chunks made in shuffled order, put together again, and the same by one plain process."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rushes.engine.binaries import toolchain
from rushes.engine.chunk import Bench, Outcome, Watch, make_copy_chunk, make_video_chunk
from rushes.engine.plan import Plan, Rung
from rushes.engine.prepare import prepared
from rushes.engine.probe import probe
from rushes.engine.settings import Settings
from rushes.engine.source import Source
from rushes.engine.store import FolderStore
from rushes.engine.treatment import (
    field_filters,
    finish_filters,
    flatten_filters,
    scale_options,
    scaled_format,
)
from tests.proof.counter import Pictures
from tests.proof.kinds import run_ffmpeg

ENCODED = Settings(copy=False)
ONE_MS = 0.001
_CLOCK_HZ = 90_000  # in which decoded times are told


@dataclass(frozen=True)
class Work:
    """A planned source and a folder that its chunks go to."""

    plan: Plan
    source: Source
    folder: Path

    @property
    def bench(self) -> Bench:
        """Where chunks are made; the scratch folder is there."""
        scratch = self.folder / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        return Bench(
            ffmpeg=toolchain().ffmpeg.path,
            source=self.source.path,
            store=FolderStore(self.folder),
            scratch=scratch,
        )

    def make(self, rungs: Sequence[Rung], chunk: int, *, nice: int = 0) -> Outcome:
        """One chunk of `rungs`: a copied one by itself, encoded ones as a ladder."""
        watch = Watch(nice=nice)
        if rungs[0].method == "copy":
            return make_copy_chunk(self.plan, rungs[0], chunk, self.bench, watch)
        return make_video_chunk(self.plan, rungs, chunk, self.bench, watch)

    def make_shuffled(self, rungs: Sequence[Rung], seed: int = 1) -> list[Outcome]:
        """Every chunk once, in an order that `seed` decides."""
        order = list(range(rungs[0].timeline.chunk_count))
        random.Random(seed).shuffle(order)
        return [self.make(rungs, chunk) for chunk in order]

    def joined(self, rung: Rung) -> Path:
        """The init segment and all segments of a rung in one file, as a player appends them."""
        path = self.folder / f"{rung.name}-joined.mp4"
        names = [rung.init_name, *map(rung.segment_name, range(rung.timeline.segment_count))]
        path.write_bytes(b"".join((self.folder / name).read_bytes() for name in names))
        return path


@contextmanager
def planned(path: Path, folder: Path, settings: Settings = ENCODED) -> Iterator[Work]:
    """Probe (and remux) and plan the file at `path`."""
    with prepared(path, settings, toolchain(), folder / "remux") as ready:
        yield Work(ready.plan, probe(ready.path, toolchain()), folder)


@dataclass(frozen=True)
class Decoded:
    """Every picture of a file in order of presentation."""

    pictures: Pictures
    times_s: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.pictures)


def decode(path: Path, size: tuple[int, int], *options: str) -> Decoded:
    """Decode the first video stream at (width, height) `size`, nothing dropped or repeated; `options` go before it."""
    times, raw = path.with_name(f"{path.name}.framecrc"), path.with_name(f"{path.name}.gray")
    kept = ("-map", "0:v:0", "-fps_mode", "passthrough", "-pix_fmt", "gray")
    run_ffmpeg(
        [
            *("-copyts", *options, "-i", str(path)),
            *(*kept, "-f", "rawvideo", str(raw)),
            *(*kept, "-enc_time_base", f"1:{_CLOCK_HZ}", "-f", "framecrc", str(times)),
        ]
    )
    rows = [row for row in times.read_text().splitlines() if row and not row.startswith("#")]
    pictures = np.memmap(raw, np.uint8, "r").reshape(
        -1, size[1], size[0]
    )  # 10 minutes need not fit in memory
    assert len(rows) == len(pictures)
    return Decoded(pictures, np.array([int(row.split(",")[2]) for row in rows]) / _CLOCK_HZ)


def one_process(
    original: Path, plan: Plan, rung: Rung, path: Path, *, leading: int = 0, lossless: bool = False
) -> Path:
    """Encode `original` into `path` by one plain process with the plan's grid and the rung's size and settings.

    `lossless`: the same pictures as they go to the encoder.

    It decodes from the beginning, so it knows nothing of seeks, chunks or the container's clock: the only thing taken
    from the plan's clock is how long the first picture stands still at the beginning, where sound leads. The first
    `leading` pictures that it decodes are left out: a recording cut in mid-stream may begin with some that refer to
    what is not there.
    """
    grid, treatment = plan.grid, plan.treatment
    assert grid is not None
    assert treatment is not None
    assert plan.first_picture_s is not None
    lead_s = plan.first_picture_s - plan.origin_s
    graph = ",".join(
        (
            f"select=gte(n\\,{leading})",
            *field_filters(treatment),
            f"settb=1/{grid.timescale}",
            f"setpts=PTS-STARTPTS+{round(lead_s * grid.timescale)}",
            f"fps={grid.rate}:start_time=0",
            "tpad=stop=-1:stop_mode=clone",
            *flatten_filters(treatment),
            f"scale={rung.width}:{rung.height}:flags=bicubic+accurate_rnd+bitexact"
            + scale_options(treatment, first=True),
            "setsar=1",
            f"format={scaled_format(treatment)}",
            *finish_filters(treatment),
        )
    )
    starts_s = (f"{float(rung.timeline.start_s(n)):.6f}" for n in range(rung.timeline.segment_count))
    input_ = ["-reinit_filter", "0", "-i", str(original), "-map", "0:V:0", "-vf", graph]
    input_ += ["-frames:v", str(grid.frames)]
    if lossless:
        run_ffmpeg([*input_, "-c:v", "ffv1", str(path)])
        return path
    run_ffmpeg(
        [
            *input_,
            *("-c:v", "libx264", "-preset", str(rung.preset), "-crf", str(rung.crf)),
            *("-maxrate", str(rung.maxrate_bps), "-bufsize", str(rung.bufsize_bits)),
            # The keyframes of the plan, and no others.
            *("-force_key_frames", ",".join(starts_s), "-g", "100000", "-sc_threshold", "0"),
            *("-x264-params", "open-gop=0"),
            *("-threads", "1"),  # with several the rate control, and so the bytes, are others each time
            str(path),
        ]
    )
    return path


def grid_times_s(plan: Plan) -> NDArray[np.float64]:
    """When each frame of the plan is shown, in seconds from the beginning."""
    assert plan.grid is not None
    return np.array([float(number / plan.grid.rate) for number in range(plan.grid.frames)])
