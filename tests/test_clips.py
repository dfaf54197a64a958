"""The clips that other tests are made of."""

import json
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from rushes.engine.binaries import toolchain
from tests.clips import make_clip


def streams(path: Path) -> list[dict[str, str]]:
    argv = [
        str(toolchain().ffprobe.path),
        "-v",
        "error",
        "-show_streams",
        "-count_packets",
        "-of",
        "json",
        str(path),
    ]
    answer: list[dict[str, str]] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)[
        "streams"
    ]
    return answer


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    first = make_clip(tmp_path / "first.mp4", duration_s=1)
    assert first.read_bytes() == make_clip(tmp_path / "second.mp4", duration_s=1).read_bytes()


def test_a_clip_has_the_rate_size_and_length_that_were_asked_for(clip) -> None:
    video, audio = streams(clip(size=(322, 182), rate=Fraction(30000, 1001), duration_s=1))
    assert (video["width"], video["height"], video["r_frame_rate"]) == (322, 182, "30000/1001")
    assert (video["nb_read_packets"], audio["codec_name"]) == ("30", "aac")


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        ({"audio_tracks": 0}, ["video"]),
        ({"audio_tracks": 2}, ["video", "audio", "audio"]),
        ({"codec": ""}, ["audio"]),
        ({"codec": "libvpx", "audio_codec": "libopus", "suffix": ".webm"}, ["video", "audio"]),
        ({"codec": "mjpeg", "audio_codec": "pcm_s16le", "suffix": ".avi"}, ["video", "audio"]),
    ],
)
def test_a_clip_has_the_tracks_that_were_asked_for(arguments, kinds: list[str], clip) -> None:
    assert [stream["codec_type"] for stream in streams(clip(duration_s=0.5, **arguments))] == kinds


def test_a_clip_is_made_once(clip) -> None:
    assert clip(duration_s=0.5) == clip(duration_s=0.5)
