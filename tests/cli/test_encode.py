"""`rushes encode`: a folder of streams, whatever interrupts it on the way, and plain words where it can't be made."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

ARGUMENTS = ("--no-copy", "--rungs", "360p,180p")
DEATH_S = 6.0  # three times the 2 s in which ffmpeg follows its parent

Clip = Callable[..., Path]


def rushes(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rushes", *arguments], capture_output=True, text=True, check=False
    )


def started(source: Path, out: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "rushes", "encode", source, "-o", out, *ARGUMENTS]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def result_of(ended: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, object] = json.loads(ended.stdout.splitlines()[-1])
    return answer


def published(out: Path) -> dict[str, bytes]:
    """Every file of the folder but the records, by name."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and ".rushes" not in path.parts
    }


def records(out: Path) -> int:
    return len([path for path in (out / ".rushes").glob("*/*/*.json") if path.name[0] != "."])


def wait_until(condition: Callable[[], bool], within_s: float) -> None:
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "it did not come"
        time.sleep(0.01)


def at_work_in(folder: Path) -> list[psutil.Process]:
    """Living processes that were started in a folder below `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and folder in Path(process.cwd()).parents:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.fixture(scope="module")
def source(clip: Clip) -> Path:
    """Five chunks of picture, two of sound."""
    return clip(size=(640, 360), rate=25, duration_s=40)


@pytest.fixture(scope="module")
def undisturbed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], int]:
    """What a run that nothing disturbs publishes, and how many chunks it encodes."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    result = result_of(rushes("encode", source, "-o", out, *ARGUMENTS, "--json"))
    chunks = result["encoded_chunks"]
    assert isinstance(chunks, int)
    return published(out), chunks


def test_the_folder_holds_playlists_and_every_segment(undisturbed: tuple[dict[str, bytes], int]) -> None:
    files, chunks = undisturbed

    assert {"master.m3u8", "manifest.mpd", "360p/index.m3u8", "180p/video.m3u8"} <= files.keys()
    assert chunks == 5 + 2
    for name, text in files.items():
        if name.endswith(".m3u8"):
            folder = Path(name).parent
            for line in text.decode().splitlines():
                if line and not line.startswith("#"):
                    assert os.path.normpath(folder / line) in files, f"{name} names {line}"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_what_was_interrupted_politely_goes_on_where_it_was(
    how: signal.Signals, source: Path, undisturbed: tuple[dict[str, bytes], int], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = started(source, out)
    wait_until(lambda: records(out) >= 3, 60)
    process.send_signal(how)

    assert process.wait(20) == 1
    assert at_work_in(tmp_path) == []
    assert list((out / ".rushes" / "scratch").iterdir()) == []
    assert_only_the_rest_is_encoded(source, out, undisturbed)


def test_kill_9_at_any_moment_costs_only_the_chunks_in_work(
    source: Path, undisturbed: tuple[dict[str, bytes], int], tmp_path: Path
) -> None:
    out, moments = tmp_path / "out", random.Random(20)
    for done in sorted(moments.sample(range(1, 9), 3)):  # of 12 records; killed while others are made
        process = started(source, out)
        wait_until(lambda done=done: records(out) >= done and bool(at_work_in(out)), 60)
        process.kill()
        process.wait()
        wait_until(lambda: at_work_in(out) == [], DEATH_S)

    assert_only_the_rest_is_encoded(source, out, undisturbed)


def assert_only_the_rest_is_encoded(
    source: Path, out: Path, undisturbed: tuple[dict[str, bytes], int]
) -> None:
    files, chunks = undisturbed
    assert not (out / "master.m3u8").exists()  # an unfinished folder does not look finished
    kept = {path: path.stat().st_mtime_ns for path in (out / ".rushes").glob("*/*/*.json")}
    assert kept

    result = result_of(rushes("encode", source, "-o", out, *ARGUMENTS, "--json"))

    encoded = result["encoded_chunks"]
    assert isinstance(encoded, int)
    assert 0 < encoded < chunks
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())
    assert published(out) == files
    assert list((out / ".rushes" / "scratch").iterdir()) == []
    again = result_of(rushes("encode", source, "-o", out, *ARGUMENTS, "--json"))
    assert again["encoded_chunks"] == 0
    assert published(out) == files


def test_another_plan_in_the_same_folder_takes_the_place_of_the_old_one(clip: Clip, tmp_path: Path) -> None:
    source, out, fresh = clip(duration_s=2), tmp_path / "out", tmp_path / "fresh"
    result_of(rushes("encode", source, "-o", out, "--no-copy", "--rungs", "180p,144p", "--json"))
    arguments = ("--no-copy", "--rungs", "144p", "--quality", "economy", "--json")

    result_of(rushes("encode", source, "-o", out, *arguments))
    result_of(rushes("encode", source, "-o", fresh, *arguments))

    assert published(out) == published(fresh)


def test_the_json_says_what_was_made_line_by_line(clip: Clip, tmp_path: Path) -> None:
    ended = rushes(
        "encode", clip(duration_s=2), "-o", tmp_path / "out", "--no-copy", "--rungs", "144", "--json"
    )

    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert lines[0]["state"] == "encoding"
    assert lines[-1]["state"] == "finished"
    assert lines[-1]["rungs"] == [
        {"name": "144p", "width": 256, "height": 144, "method": "encode"},
    ]
    assert lines[-1]["copy_refusal"] == "copying is switched off"
    assert [track["name"] for track in lines[-1]["audio"]] == ["audio-1-und"]
    assert lines[-1]["error"] is None
    assert Path(lines[-1]["master"]).is_file()


def test_without_a_terminal_there_are_plain_lines(clip: Clip, tmp_path: Path) -> None:
    ended = rushes("encode", clip(duration_s=2), "-o", tmp_path / "out", "--no-copy", "--rungs", "144p")

    assert ended.returncode == 0
    assert "\x1b" not in ended.stdout
    first, *_, last = ended.stdout.splitlines()
    assert first == "2.00 s: 144p, audio-1-und"
    assert last.startswith("Done in ")
    assert last.endswith(f"{tmp_path / 'out' / 'master.m3u8'}")


@pytest.mark.parametrize("rungs", ["nonsense", "720p,,360p", "721p", "0", ""])
def test_rungs_that_make_no_sense_are_refused_with_an_example(rungs: str, clip: Clip, tmp_path: Path) -> None:
    ended = rushes("encode", clip(duration_s=2), "-o", tmp_path / "out", "--rungs", rungs)

    assert ended.returncode == 2
    assert "1080p,720p" in ended.stderr
    assert not (tmp_path / "out").exists()


def assert_one_line(ended: subprocess.CompletedProcess[str]) -> None:
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert ended.stderr.startswith("Error: ")


@pytest.mark.parametrize("content", [b"", b"this is no video\n" * 200, None])
def test_what_is_no_video_is_refused_in_one_line(content: bytes | None, tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    if content is not None:
        source.write_bytes(content)

    ended = rushes("encode", source, "-o", tmp_path / "out")

    assert_one_line(ended)
    assert "source.mp4" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_can_not_be_written_is_named_in_one_line(clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    ended = rushes("encode", clip(duration_s=2), "-o", tmp_path / "file" / "out")

    assert_one_line(ended)
    assert str(tmp_path / "file" / "out") in ended.stderr
