"""The finished folder, on the plainest web server there is, in players that are no browsers: from start to end."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rushes.engine.binaries import toolchain

DURATION_S = 20.0
FRAMES = 500
Program = Callable[..., str]


@pytest.fixture(scope="module")
def url(clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a finished folder behind `python -m http.server`."""
    folder = tmp_path_factory.mktemp("finished")
    source = clip(rate=25, duration_s=DURATION_S, audio_tracks=2)
    argv = [
        sys.executable,
        "-m",
        "rushes",
        "encode",
        source,
        "-o",
        folder,
        "--no-copy",
        "--rungs",
        "180p,144p",
    ]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        port = re.search(r"port (\d+)", server.stdout.readline())
        assert port
        yield f"http://127.0.0.1:{port[1]}"
    finally:
        server.terminate()
        server.wait()


def ran(*argv: str) -> str:
    """stdout and stderr of a command that ends well."""
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("playlist", ["master.m3u8", "180p/index.m3u8", "144p/index.m3u8"])
def test_ffmpeg_plays_every_frame_and_sample(url: str, playlist: str) -> None:
    said = ran(str(toolchain().ffmpeg.path), "-v", "warning", "-xerror", "-progress", "-", "-i", f"{url}/{playlist}",
               "-map", "0:v:0", "-map", "0:a:0", "-f", "null", "-")  # fmt: skip

    assert re.findall(r"frame=(\d+)", said)[-1] == str(FRAMES)
    assert "progress=end" in said
    assert "rror" not in said


@pytest.mark.parametrize("playlist", ["master.m3u8", "180p/index.m3u8"])
def test_mpv_plays_to_the_end(url: str, playlist: str, program: Program) -> None:
    said = ran(program("mpv"), "--no-config", "--vo=null", "--ao=null", "--untimed", "--ao-null-untimed=yes",
               "--msg-level=all=warn,statusline=status", "--term-status-msg=at ${=time-pos} of ${=duration}",
               "--no-audio-display", f"{url}/{playlist}")  # fmt: skip

    assert "rror" not in said
    places = re.findall(r"at (\d+\.\d+) of (\d+\.\d+)", said)
    assert places, said
    assert float(places[-1][1]) == pytest.approx(DURATION_S, abs=0.1)
    assert float(places[-1][0]) == pytest.approx(DURATION_S, abs=0.5)


def test_gstreamer_plays_to_the_end(url: str, program: Program) -> None:
    said = ran(program("gst-launch-1.0"), "-v", "playbin", f"uri={url}/master.m3u8",
               "video-sink=fakesink sync=false silent=false", "audio-sink=fakesink sync=false")  # fmt: skip

    assert "Got EOS" in said
    assert "ERROR" not in said
    ends = [
        int(h) * 3600 + int(m) * 60 + float(s)
        for h, m, s in re.findall(r"fakesink\d*: last-message = chain .*?pts: (\d+):(\d+):(\d+\.\d+)", said)
    ]
    assert max(ends) == pytest.approx(DURATION_S, abs=0.1)
