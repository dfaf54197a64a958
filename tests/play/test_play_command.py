import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.engine.test_subtitles import SRT, with_subtitles
from tests.play.serving import PATIENCE_S, wait_until

STOP_LIMIT_S = 5


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `rushes play` with these arguments, on a free port."""
    started: list[subprocess.Popen[str]] = []
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def run(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "rushes", "play", *map(str, arguments), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TEMP_VIDEOS_DIR": str(scratch)},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def url_printed(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\n", line), line
    return line.strip()


def first_segment(url: str) -> str:
    playlist = next(
        re.finditer(r"^\w+/video\.m3u8$", httpx.get(f"{url}master.m3u8").text, re.MULTILINE)
    ).group()
    segment = next(re.finditer(r"^[^#\n]+\.m4s$", httpx.get(f"{url}{playlist}").text, re.MULTILINE)).group()
    return f"{url}{playlist.split('/')[0]}/{segment}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_and_a_signal_stops_all_of_it(
    play: Callable[..., subprocess.Popen[str]],
    clip: Callable[..., Path],
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    process = play(clip(duration_s=30, size=(1280, 720)), "--no-copy")
    url = url_printed(process)
    assert httpx.get(first_segment(url), timeout=PATIENCE_S).status_code == 200
    wait_until(lambda: psutil.Process(process.pid).children(recursive=True))
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    assert process.wait(STOP_LIMIT_S) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert not [child for child in children if child.is_running()]
    # Nothing is left of what was encoded for this one viewing.
    assert not [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()]


def test_a_taken_port_is_one_clear_line(clip: Callable[..., Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = subprocess.run(
            [sys.executable, "-m", "rushes", "play", str(clip()), "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert f"127.0.0.1 port {port}" in result.stderr
    assert "--port" in result.stderr


def test_a_host_that_is_not_here_is_one_clear_line(clip: Callable[..., Path]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "rushes", "play", str(clip()), "--host", "192.0.2.1", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "192.0.2.1" in result.stderr


def test_a_file_that_is_no_video_ends_it_with_the_reason(
    play: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    source = tmp_path / "list.mp4"
    source.write_text("eggs, milk\n" * 100)
    for path in (source, tmp_path / "missing.mp4"):
        process = play(path)
        _, stderr = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
        assert stderr.startswith("Error: ")
        assert path.name in stderr
        assert stderr.count("\n") == 1


def test_an_unknown_rung_is_refused_by_name(
    play: Callable[..., subprocess.Popen[str]], clip: Callable[..., Path]
) -> None:
    process = play(clip(), "--rungs", "tall")
    _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "--rungs" in stderr


def test_a_folder_that_is_kept_can_be_served_by_any_web_server_and_is_used_again(
    play: Callable[..., subprocess.Popen[str]], clip: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = (clip(duration_s=6), "-o", out, "--rungs", "180p,144p", "--no-copy")
    process = play(*arguments)
    url_printed(process)
    wait_until((out / "master.m3u8").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait(STOP_LIMIT_S) == 0
    assert (out / "180p" / "index.m3u8").exists()
    assert (out / "manifest.mpd").exists()

    url = url_printed(play(*arguments))
    wait_until(lambda: httpx.get(f"{url}status").json()["state"] != "reading")
    assert httpx.get(f"{url}status").json()["state"] == "finished"


def test_subtitles_are_in_what_is_kept(play: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    source, out = tmp_path / "a.mkv", tmp_path / "out"
    with_subtitles(source, [SRT], ["-c:s", "srt", "-metadata:s:s:0", "language=ger"])
    process = play(source, "-o", out, "--rungs", "90p")
    url_printed(process)
    master = out / "master.m3u8"
    wait_until(lambda: master.exists() and "SUBTITLES" in master.read_text())
    (whole,) = out.glob("subs-1-de/*/all.vtt")
    assert "auf Wiedersehen" in whole.read_text()


def test_a_recording_without_places_to_seek_to_plays_too(
    play: Callable[..., subprocess.Popen[str]], clip: Callable[..., Path]
) -> None:
    url = url_printed(play(clip(duration_s=6, suffix=".ts", gop=250), "--no-copy"))
    assert httpx.get(first_segment(url), timeout=PATIENCE_S).status_code == 200
