"""A preview is a few seconds from all over the video, small and silent."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rushes.engine.binaries import toolchain
from rushes.engine.limits import check_input_guards, ffmpeg_argv
from rushes.engine.preview import pieces_of, preview_command, preview_rung, write_preview
from tests.engine.finished import Finished
from tests.engine.pictures import desk

Made = Callable[..., Finished]


def preview(done: Finished, folder: Path) -> tuple[list[dict[str, Any]], Path]:
    rung = preview_rung(done.plan)
    assert rung is not None
    target = folder / "out" / "preview.mp4"
    write_preview(rung, target, desk(done, folder))
    assert list((folder / "scratch").iterdir()) == []
    argv = [toolchain().ffprobe.path, "-v", "error", "-show_streams", "-of", "json", target]
    streams: list[dict[str, Any]] = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)[
        "streams"
    ]
    return streams, target


def brightness(path: Path) -> list[float]:
    """Of each picture."""
    argv = [
        toolchain().ffmpeg.path,
        "-v",
        "error",
        "-i",
        path,
        "-vf",
        "scale=8:8",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "gray",
        "-",
    ]
    grey = subprocess.run(argv, check=True, capture_output=True).stdout
    return [sum(grey[at : at + 64]) / 64 for at in range(0, len(grey), 64)]


def test_six_seconds_from_all_over_the_video_without_sound(film: Finished, tmp_path: Path) -> None:
    """It is black for 26 of its 40 s."""
    (stream,), path = preview(film, tmp_path)
    assert (stream["codec_name"], stream["profile"], stream["pix_fmt"]) == ("h264", "Main", "yuv420p")
    assert (stream["width"], stream["height"], stream["avg_frame_rate"]) == (320, 180, "15/1")
    lit = [seen > 60 for seen in brightness(path)]
    assert len(lit) == 96
    assert 24 <= sum(lit) <= 72
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat")


def test_a_short_portrait_video_is_its_own_preview(made: Made, tmp_path: Path) -> None:
    (stream,), _ = preview(made((180, 320), 2), tmp_path)
    assert (stream["width"], stream["height"], stream["nb_frames"]) == (180, 320, "30")


def test_a_single_frame_has_a_preview_that_stands_still(made: Made, tmp_path: Path) -> None:
    (stream,), _ = preview(made((160, 90), 0.1), tmp_path)
    assert int(stream["nb_frames"]) == 2


def test_it_is_never_larger_than_a_card_needs(film: Finished) -> None:
    rung = replace(film.plan.rungs[0], width=1080, height=1920)
    pieces = pieces_of(rung)
    assert len(pieces) == 4
    inputs = [f"/{number}.mp4" for number in range(4)]
    command = preview_command(rung, pieces, inputs, "out.mp4")
    check_input_guards(ffmpeg_argv("ffmpeg", command))
    assert "scale=270:480" in command[command.index("-filter_complex") + 1]
