"""The level that CODECS promises before the first frame is encoded."""

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rushes.engine.binaries import toolchain
from rushes.engine.codecstrings import codec_string
from rushes.engine.command import ladder_command
from rushes.engine.encoders import SOFTWARE
from rushes.engine.growing import FragmentReader
from rushes.engine.h264 import level_idc
from rushes.engine.planning import make_plan
from rushes.engine.settings import Quality, Settings
from tests.engine.sources import film

HIGHEST = 62


@pytest.mark.parametrize(
    ("size", "rate", "cap", "level"),
    [
        ((640, 360), Fraction(30), 800_000, 30),
        ((640, 360), Fraction(25), 800_000, 30),
        ((854, 480), Fraction(30), 1_400_000, 31),
        ((1280, 720), Fraction(30), 2_800_000, 31),
        ((1280, 720), Fraction(60), 4_000_000, 32),
        ((1920, 1080), Fraction(30), 5_000_000, 40),
        ((1080, 1920), Fraction(30), 5_000_000, 40),
        ((1920, 1080), Fraction(60), 7_000_000, 42),
        ((1920, 1080), Fraction(30), 26_000_000, 41),  # 1.25 * 20 Mbit/s is the most of 4.0
        ((3840, 2160), Fraction(30), 16_000_000, 51),
        ((3840, 2160), Fraction(60), 23_000_000, 52),
        ((176, 144), Fraction(15), 64_000, 10),
        ((352, 288), Fraction(30), 384_000, 13),
        ((352, 288), Fraction(7), 100_000, 12),  # level 1.1 keeps two pictures of that size, x264 uses four
    ],
)
def test_levels_are_those_of_table_a1(size: tuple[int, int], rate: Fraction, cap: int, level: int) -> None:
    assert level_idc(*size, rate, cap) == level


def test_a_very_long_picture_needs_a_level_for_its_side() -> None:
    assert level_idc(1920, 64, Fraction(30), 100_000) > level_idc(384, 320, Fraction(30), 100_000)


def test_more_than_any_level_gets_the_highest() -> None:
    assert level_idc(8192, 8192, Fraction(60), 900_000_000) == HIGHEST


def test_the_codec_string_is_high_profile_with_the_level_in_hex() -> None:
    assert SOFTWARE["h264"].codec_string(31) == "avc1.64001f"
    assert SOFTWARE["h264"].codec_string(40) == "avc1.640028"


@settings(deadline=None)
@given(
    st.integers(16, 4096),
    st.integers(16, 4096),
    st.fractions(min_value=1, max_value=60, max_denominator=1001),
    st.integers(10_000, 50_000_000),
)
def test_a_larger_faster_or_heavier_stream_never_has_a_lower_level(
    width: int, height: int, rate: Fraction, cap: int
) -> None:
    level = level_idc(width, height, rate, cap)
    assert level_idc(height, width, rate, cap) == level
    for more in (
        level_idc(width + 16, height, rate, cap),
        level_idc(width, height, rate * 2, cap),
        level_idc(width, height, rate, cap * 2),
    ):
        assert more >= level


@pytest.mark.parametrize(
    ("size", "rate", "quality"),
    [
        ((1920, 1080), Fraction(30), "standard"),
        ((1920, 1080), Fraction(60), "economy"),
        ((1080, 1920), Fraction(30000, 1001), "best"),
        ((2560, 1080), Fraction(24), "standard"),
        ((720, 576), Fraction(50), "best"),
        ((161, 121), Fraction(25), "standard"),
        ((426, 240), Fraction(12), "economy"),
        ((16, 16), Fraction(1), "standard"),
        ((1920, 32), Fraction(60), "standard"),
    ],
)
def test_the_encoder_writes_the_codec_that_the_playlist_names_and_keeps_its_limits(
    clip: Callable[..., Path], tmp_path: Path, size: tuple[int, int], rate: Fraction, quality: Quality
) -> None:
    plan = make_plan(
        film(size, rate=rate, duration_s=5 / rate), Settings(copy=False, quality=quality), "a build"
    )
    outputs = [str(tmp_path / f"{rung.name}.mp4") for rung in plan.rungs]
    # The graph scales whatever comes, so a small clip stands for a large one.
    small = clip(size=(64, 48), rate=rate, duration_s=5 / rate, audio_tracks=0)
    command = ladder_command(plan, plan.rungs, 0, str(small), outputs, None)
    ffmpeg = [str(toolchain().ffmpeg.path), "-hide_banner", "-nostdin", "-loglevel", "level+warning"]
    run = subprocess.run([*ffmpeg, *command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert run.returncode == 0, run.stderr
    for rung, output in zip(plan.rungs, outputs, strict=True):
        reader = FragmentReader(Path(output))
        assert sum(fragment.sample_count for fragment in reader.read_new()) == 5
        assert reader.init is not None
        assert codec_string(reader.init) == rung.codec_string
    # x264 says so where a picture, its references, its speed or its rate are over the level's limit.
    assert "limit" not in run.stderr
