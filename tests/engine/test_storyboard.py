"""A storyboard shows what is at each place of the time line; an empty one is none."""

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from rushes.engine.binaries import toolchain
from rushes.engine.limits import check_input_guards, ffmpeg_argv
from rushes.engine.plan import Plan
from rushes.engine.settings import Settings
from rushes.engine.storyboard import (
    MOST_TILES,
    Layout,
    NoStoryboard,
    check_pictures,
    layout_of,
    storyboard_command,
    storyboard_rung,
    webvtt,
    write_storyboard,
)
from tests.engine.conftest import MOSTLY_BLACK
from tests.engine.finished import Finished, finish
from tests.engine.pictures import desk, luma, size_of

Made = Callable[..., Finished]
CUE = re.compile(r"(\S+) --> (\S+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)\n")


def sheet_name(number: int) -> str:
    return f"sheet-{number}.jpg"


def storyboard(done: Finished, folder: Path) -> tuple[Layout, str, list[Path]]:
    rung = storyboard_rung(done.plan)
    assert rung is not None
    vtt, *sheets = write_storyboard(
        done.plan, rung, folder / "out", "storyboard.vtt", sheet_name, desk(done, folder)
    )
    assert list((folder / "scratch").iterdir()) == []
    return layout_of(done.plan, rung), vtt.read_text(), sheets


def with_duration(plan: Plan, duration_s: int) -> Plan:
    return replace(plan, duration_s=Fraction(duration_s))


def test_each_tile_shows_what_is_at_its_time(made: Made, tmp_path: Path) -> None:
    """White from 5 s on, black before."""
    done = made(
        (160, 90),
        9,
        ["-vf", "drawbox=t=fill:c=black:enable='lt(t,5)',drawbox=t=fill:c=white:enable='gte(t,5)'"],
    )
    layout, text, (sheet,) = storyboard(done, tmp_path)
    assert (layout.interval_s, layout.count) == (Fraction(1, 2), 18)
    cues = CUE.findall(text)
    assert len(cues) == 18
    assert (cues[0][0], cues[-1][1]) == ("00:00:00.000", "00:00:09.000")
    for number, (*_, name, x, y, width, height) in enumerate(cues):
        assert name == "sheet-0.jpg"
        seen = luma(sheet, (int(x), int(y), int(width), int(height)))
        assert seen > 200 if number >= 10 else seen < 40, number


def test_a_long_video_s_keyframes_are_enough_and_fill_several_sheets(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rushes.engine.storyboard.COLUMNS", 4)
    monkeypatch.setattr("rushes.engine.storyboard.ROWS", 4)
    done = made((96, 54), 130, ["-vf", MOSTLY_BLACK.format(66)], rate=2)
    layout, text, sheets = storyboard(done, tmp_path)
    assert (layout.interval_s, layout.count, layout.every_picture) == (4, 33, False)
    assert [size_of(sheet) for sheet in sheets] == [("mjpeg", 4 * 96, 4 * 54)] * 3
    for number, (*_, name, x, y, width, height) in enumerate(CUE.findall(text)):
        seen = luma(tmp_path / "out" / name, (int(x), int(y), int(width), int(height)))
        assert (seen > 60) == (number * 4 >= 66), number


def test_a_portrait_video_has_portrait_tiles(made: Made, tmp_path: Path) -> None:
    layout, _, (sheet,) = storyboard(made((180, 320), 2), tmp_path)
    assert (layout.width, layout.height) == (108, 192)
    assert size_of(sheet)[1:] == (4 * 108, 192)


def test_copied_segments_with_their_own_boundaries_do_as_well(
    clip: Callable[..., Path], tmp_path: Path
) -> None:
    source = clip(
        size=(256, 144),
        rate=5,
        duration_s=130,
        gop=33,
        audio_tracks=0,
        options=["-b:v", "90k", "-preset", "veryfast"],
    )
    done = finish(source, tmp_path / "finished", Settings(rungs=(144,)))
    assert done.plan.copied_rung is not None
    layout, _, sheets = storyboard(done, tmp_path)
    assert (layout.count, len(sheets)) == (33, 1)


def test_a_single_frame_has_a_storyboard_of_one(made: Made, tmp_path: Path) -> None:
    layout, text, (sheet,) = storyboard(made((160, 90), 0.1), tmp_path)
    assert layout.sheet_size == size_of(sheet)[1:] == (160, 90)
    assert "00:00:00.000 --> 00:00:00.100" in text


def test_blank_pictures_are_no_storyboard(made: Made, tmp_path: Path) -> None:
    with pytest.raises(NoStoryboard, match="blank"):
        storyboard(made((160, 90), 20, ["-vf", MOSTLY_BLACK.format(99)]), tmp_path)
    assert not (tmp_path / "out").exists()


def test_repeats_of_the_only_picture_that_could_be_decoded_are_no_storyboard() -> None:
    with pytest.raises(NoStoryboard, match="1 keyframes could be decoded of at least 5"):
        check_pictures([{"YMIN": 0, "YMAX": 255}] * 5, keyframes=1, at_least=5)


def test_a_short_video_that_begins_black_has_a_storyboard(made: Made, tmp_path: Path) -> None:
    done = made((160, 90), 1.5, ["-vf", MOSTLY_BLACK.format(0.4)])
    assert done.plan.rungs[0].timeline.segment_count == 1
    layout, _, (sheet,) = storyboard(done, tmp_path)
    assert (layout.count, layout.sheet_size) == (3, size_of(sheet)[1:])


@pytest.mark.parametrize(
    ("duration_s", "interval_s"),
    [
        (1, "1/2"),
        (15, "1/2"),
        (16, 1),
        (60, 1),
        (61, 2),
        (121, 4),
        (2880, 4),
        (2881, 8),
        (7200, 12),
        (43_200, 60),
    ],
)
def test_the_interval_follows_the_duration(film: Finished, duration_s: int, interval_s: int | str) -> None:
    layout = layout_of(with_duration(film.plan, duration_s), film.plan.rungs[0])
    assert layout.interval_s == Fraction(interval_s)
    assert layout.count <= MOST_TILES
    assert layout.sheets <= 12


@pytest.mark.parametrize("duration_s", [1, 33, 7201])
def test_cues_cover_the_time_line_without_gaps_and_lie_on_their_sheets(
    film: Finished, duration_s: int
) -> None:
    plan = with_duration(film.plan, duration_s)
    layout = layout_of(plan, film.plan.rungs[0])
    cues = CUE.findall(webvtt(layout, plan.duration_s, sheet_name))
    assert len(cues) == layout.count
    for cue, following in pairwise(cues):
        assert cue[1] == following[0]
    assert len({cue[2:] for cue in cues}) == len(cues)
    for *_, name, x, y, width, height in cues:
        assert name in {sheet_name(number) for number in range(layout.sheets)}
        assert int(x) + int(width) <= layout.sheet_size[0]
        assert int(y) + int(height) <= layout.sheet_size[1]


def test_only_keyframes_of_long_videos_are_decoded(film: Finished) -> None:
    layout = layout_of(with_duration(film.plan, 3600), film.plan.rungs[0])
    command = storyboard_command(layout, "/in.mp4")
    check_input_guards(ffmpeg_argv(toolchain().ffmpeg.path, command))
    assert command[command.index("-skip_frame") + 1] == "nokey"
