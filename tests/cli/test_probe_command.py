"""`rushes probe` tells people and machines what is in a file."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def rushes_probe(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rushes", "probe", *map(str, arguments)],
        env={**os.environ, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_people_get_a_table(clip: Callable[..., Path]) -> None:
    ended = rushes_probe(clip(duration_s=2, gop=30))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "0:02.00" in ended.stdout
    assert "320x180, 30 fps" in ended.stdout
    assert "60, 2 key, GOP up to 1.0 s" in ended.stdout
    assert "48000 Hz, mono" in ended.stdout


def test_machines_get_all_of_it_as_json(clip: Callable[..., Path]) -> None:
    path = clip(duration_s=2, gop=30)
    answer = json.loads(rushes_probe(path, "--json").stdout)
    assert answer["path"] == str(path)
    assert answer["duration_s"] == 2.0
    assert answer["needs_remux"] is False
    assert answer["index_wall_s"] > 0
    picture, sound = answer["streams"]
    assert (picture["kind"], picture["codec"], picture["nominal_rate"]) == ("video", "h264", "30/1")
    assert picture["time_base"] == "1/15360"
    assert picture["display_size"] == [320, 180]
    assert picture["packets"] == {
        **{"count": 60, "first_pts": 0, "last_pts": 59 * 512, "last_duration": 512, "usual_gap": 512},
        **{"keyframes": 2, "longest_gop_s": 1.0, "size_bytes": picture["packets"]["size_bytes"]},
        **{"discarded": 0, "corrupt": 0, "empty": 0, "untimed": 0},
    }
    assert (sound["kind"], sound["packets"]["discarded"]) == ("audio", 1)


def test_a_format_that_is_copied_first_says_so(clip: Callable[..., Path]) -> None:
    assert "copied into another container first" in rushes_probe(clip(suffix=".ts", duration_s=1)).stdout


def test_what_is_no_video_ends_with_one_sentence_and_status_1(tmp_path: Path) -> None:
    path = tmp_path / "letter.mp4"
    path.write_text("Dear Sir or Madam\n")
    for options in ([], ["--json"]):
        ended = rushes_probe(path, *options)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr == "Error: letter.mp4 is not a video or sound file that Rushes can read\n"


def test_a_title_is_shown_as_it_is_not_as_markup(clip: Callable[..., Path]) -> None:
    path = clip(suffix=".mkv", duration_s=1, options=["-metadata:s:v:0", "title=[bold]Rushes[/bold]"])
    assert "[bold]Rushes[/bold]" in rushes_probe(path).stdout
