"""Damaged files of every kind: a plan or a sentence, in time, and never another error. benchmarks/ has 10,000."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.hostile.meeting import meet
from tests.hostile.mutations import SEEDS, make_seeds, mutated, truncated

SEED = int(os.environ.get("HOSTILE_SEED", "1"))
MUTATED = int(os.environ.get("HOSTILE_FILES", "48"))
ENCODED = 10  # of so many one is encoded too
WALL_S = 60


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return make_seeds(tmp_path_factory.mktemp("seeds"))


@pytest.mark.parametrize("part", range(4))
def test_mutated_files_end_in_a_plan_or_a_sentence(
    part: int, seeds: dict[str, bytes], tmp_path: Path
) -> None:
    for number in range(part, MUTATED, 4):
        name, data = mutated(seeds, SEED * 1_000_000 + number)
        _meets(tmp_path / name, data, f"mutation {number} of seed {SEED}", encode=number % ENCODED == 0)


@pytest.mark.parametrize("name", ["fast.mp4", "h264.mkv", "mpeg4.avi", "h264.ts"])
def test_a_file_cut_off_anywhere_ends_in_a_plan_or_a_sentence(
    name: str, seeds: dict[str, bytes], tmp_path: Path
) -> None:
    assert name in SEEDS
    for percent in range(3, 100, 16):
        _meets(
            tmp_path / name,
            truncated(seeds[name], percent),
            f"{name} cut at {percent} %",
            encode=percent % 3 == 0,
        )


def _meets(path: Path, data: bytes, what: str, *, encode: bool) -> None:
    path.write_bytes(data)
    try:
        met = meet(path, path.parent / "work", encode=encode)
    except Exception as error:  # what a worker would die of; which file it was must not be lost
        raise AssertionError(f"{what}: {error!r}") from error
    assert met.wall_s < WALL_S, what
    assert met.plan is not None or len(met.sentence) > 20, what
