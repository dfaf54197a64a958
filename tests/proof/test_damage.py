"""Damaged sources: what is promised is delivered, good parts untouched, with a warning, and without endless tries."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rushes.engine import sandbox
from rushes.engine.binaries import toolchain
from rushes.engine.chunk import Bench, UndecodableChunk, Watch, make_video_chunk
from tests.proof.assembled import Work, decode, planned
from tests.proof.counter import read_numbers
from tests.proof.kinds import KINDS, Kind, run_ffmpeg

GOP_1S = (
    "-c:v",
    "libx264",
    "-preset",
    "superfast",
    "-crf",
    "18",
    "-bf",
    "2",
    "-g",
    "30",
    "-sc_threshold",
    "0",
)
FRAMES = 960  # 32 s: four chunks


def spoil(work: Work, from_s: float, to_s: float, seed: int | None = None) -> None:
    """Overwrite the packets shown between the two times with zeros, or with noise from `seed`."""
    video = work.source.video
    assert video is not None
    index = work.source.packets[video.index]
    noise = random.Random(seed)
    with work.source.path.open("r+b") as file:
        for pts, position, size in zip(index.pts, index.position, index.size_bytes, strict=True):
            if from_s <= pts * video.time_base < to_s:
                file.seek(position)
                file.write(bytes(size) if seed is None else noise.randbytes(size))


class Counted:
    """Makes chunks by an ffmpeg that counts how often it is run."""

    def __init__(self, work: Work, folder: Path) -> None:
        self.work, self._log = work, folder / "runs"
        script = folder / "ffmpeg"
        script.write_text(f'#!/bin/sh\necho run >> "{self._log}"\nexec "{toolchain().ffmpeg.path}" "$@"\n')
        script.chmod(0o755)
        sandbox.loosen(str(script), "off")  # it writes down its runs
        self._bench: Bench = replace(work.bench, ffmpeg=script)

    def make(self, chunk: int) -> tuple[int, tuple[str, ...]]:
        """How many runs the chunk took, and its warnings."""
        self._log.write_text("")
        outcome = make_video_chunk(self.work.plan, self.work.plan.rungs[:1], chunk, self._bench, Watch())
        return len(self._log.read_text().splitlines()), outcome.warnings


def numbers(work: Work) -> np.ndarray:
    rung = work.plan.rungs[0]
    return read_numbers(decode(work.joined(rung), (rung.width, rung.height)).pictures)


@pytest.mark.parametrize("seed", [None, 1, 2], ids=["zeros", "noise-1", "noise-2"])
def test_a_hole_is_filled_warned_of_and_costs_two_runs(seed: int | None, tmp_path: Path) -> None:
    source = Kind("hole", frames=FRAMES, encoder=GOP_1S).make(tmp_path)
    with planned(source, tmp_path / "out") as work:
        spoil(work, 18.2, 19.1, seed)
        counted = Counted(work, tmp_path)
        found = [counted.make(chunk) for chunk in range(4)]
        shown = numbers(work)
    # Only the chunk of the hole is tried again; the next one begins a second after the hole's last group of pictures.
    assert [runs for runs, _ in found] == [1, 1, 2, 1]
    assert [bool(warnings) for _, warnings in found] == [False, False, True, False]
    assert "0:16" in found[2][1][0]
    assert len(shown) == FRAMES
    whole = np.r_[0 : 18 * 30, 20 * 30 : FRAMES]  # all but the groups of pictures that were hit
    np.testing.assert_array_equal(shown[whole], whole)


def test_pictures_that_end_early_stand_still_to_the_promised_end(tmp_path: Path) -> None:
    source = Kind("cut", frames=FRAMES, encoder=GOP_1S, options=("-movflags", "+faststart")).make(tmp_path)
    with planned(source, tmp_path / "out") as work:
        video = work.source.video
        assert video is not None
        at = work.source.packets[video.index].position[20 * 30]
        with source.open("r+b") as file:
            file.truncate(at)
        counted = Counted(work, tmp_path)
        runs = [counted.make(chunk)[0] for chunk in range(4)]
        shown = numbers(work)
    assert len(shown) == FRAMES
    np.testing.assert_array_equal(shown[:595], np.arange(595))
    assert len(set(shown[602:])) == 1
    assert max(runs) <= 2


def test_a_chunk_of_which_nothing_can_be_decoded_raises(tmp_path: Path) -> None:
    source = Kind("gone", frames=FRAMES, encoder=GOP_1S).make(tmp_path)
    with planned(source, tmp_path / "out") as work:
        spoil(work, 0, 99)
        with pytest.raises(UndecodableChunk, match=r"0:08 cannot be decoded"):
            work.make(work.plan.rungs[:1], 1)
        rung = work.plan.rungs[0]
        assert not (work.folder / rung.init_name).exists()  # an empty chunk's init would be a wrong one (P4)


def test_a_picture_that_changes_its_size_is_scaled_and_counted_on(tmp_path: Path) -> None:
    small = Kind("small", frames=300, suffix=".ts", encoder=GOP_1S).make(tmp_path)
    large = Kind("large", frames=300, size=(640, 360), suffix=".ts", encoder=GOP_1S).make(tmp_path)
    joined = tmp_path / "joined.ts"
    listed = tmp_path / "list.txt"
    listed.write_text(f"file '{small.name}'\nfile '{large.name}'\n")
    run_ffmpeg(["-f", "concat", "-i", str(listed), "-c", "copy", str(joined)])
    with planned(joined, tmp_path / "out") as work:
        outcomes = work.make_shuffled(work.plan.rungs[:1])
        shown = numbers(work)
    np.testing.assert_array_equal(shown, [*range(300), *range(300)])
    assert all(not outcome.warnings for outcome in outcomes)


@pytest.mark.parametrize("name", ["open-gop-h264", "open-gop-hevc"])
def test_open_groups_of_pictures_cost_at_most_two_runs(name: str, tmp_path: Path) -> None:
    kind = next(kind for kind in KINDS if kind.name == name)
    with planned(replace(kind, frames=int(26 * kind.rate)).make(tmp_path), tmp_path / "out") as work:
        counted = Counted(work, tmp_path)
        found = [counted.make(chunk) for chunk in range(work.plan.rungs[0].timeline.chunk_count)]
    assert max(runs for runs, _ in found) <= 2
    assert all(not warnings for _, warnings in found)
    assert len(found) == 3
