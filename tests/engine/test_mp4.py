"""The MP4 to download is the rung and the track as they are: every frame, every time, index in front."""

import json
import subprocess
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from rushes.engine.assembly import BrokenPromise
from rushes.engine.binaries import toolchain
from rushes.engine.limits import check_input_guards, ffmpeg_argv
from rushes.engine.mp4 import remux_command, write_mp4
from rushes.engine.plan import AudioTrack, Plan, Rung
from rushes.engine.process import Cancelled, CannotRun
from rushes.engine.settings import Settings
from rushes.engine.store import FolderStore
from tests.engine.finished import Finished, finish

Clip = Callable[..., Path]
NTSC = Fraction(30000, 1001)


@pytest.fixture(scope="module")
def encoded(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    source = clip(size=(256, 144), rate=NTSC, duration_s=21)
    return finish(source, tmp_path_factory.mktemp("encoded"), Settings(rungs=(144,), copy=False))


@pytest.fixture(scope="module")
def copied(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """With B-frames, so that pts and dts differ, and a clock of its own."""
    source = clip(
        size=(640, 360),
        rate=25,
        duration_s=9,
        gop=50,
        options=["-preset", "veryfast", "-bf", "2", "-b:v", "600k", "-video_track_timescale", "90000"],
    )
    done = finish(source, tmp_path_factory.mktemp("copied"), Settings(rungs=(360,)))
    assert done.plan.copied_rung is not None
    return done


def write(done: Finished, rung: Rung | None, track: AudioTrack | None, target: Path, **options: Any) -> None:
    scratch = target.parent / "scratch"
    write_mp4(
        done.plan, rung, track, done.store, target, ffmpeg=toolchain().ffmpeg.path, scratch=scratch, **options
    )
    assert list(scratch.iterdir()) == []


def probed(path: Path) -> dict[str, Any]:
    argv = [
        toolchain().ffprobe.path,
        "-v",
        "error",
        "-show_streams",
        "-show_format",
        "-show_packets",
        "-of",
        "json",
    ]
    return dict(json.loads(subprocess.run([*argv, path], check=True, capture_output=True).stdout))


def packets(told: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [packet for packet in told["packets"] if packet["codec_type"] == kind]


def boxes_of(path: Path) -> list[str]:
    kinds, at, data = [], 0, path.read_bytes()
    while at < len(data):
        kinds.append(data[at + 4 : at + 8].decode())
        at += int.from_bytes(data[at : at + 4], "big")
    return kinds


def decoded(path: Path, *options: str) -> bytes:
    argv = [toolchain().ffmpeg.path, "-v", "error", "-i", path, *options, "-f", "md5", "-"]
    return subprocess.run(argv, check=True, capture_output=True).stdout


@pytest.mark.parametrize("which", ["encoded", "copied"])
def test_every_frame_and_sample_is_there_at_its_time(
    which: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    done: Finished = request.getfixturevalue(which)
    plan, target = done.plan, tmp_path / "out" / "video.mp4"
    (rung,), (track,) = plan.rungs, plan.audio
    write(done, rung, track, target)

    told = probed(target)
    video, audio = told["streams"]
    assert video["time_base"] == f"1/{rung.timeline.timescale}"
    assert video["duration_ts"] == rung.timeline.bounds[-1]
    assert audio["duration_ts"] == track.timeline.bounds[-1]
    assert plan.grid is not None
    shown = sorted(int(packet["pts"]) for packet in packets(told, "video"))
    ticks = rung.timeline.bounds[-1] // plan.grid.frames
    assert shown == [number * ticks for number in range(plan.grid.frames)]
    heard = [int(packet["pts"]) for packet in packets(told, "audio")]
    assert heard == list(range(0, track.timeline.bounds[-1], 1024))
    assert float(video["start_time"]) == float(audio["start_time"]) == 0


@pytest.mark.parametrize("which", ["encoded", "copied"])
def test_pictures_and_sound_are_those_of_the_segments(
    which: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    done: Finished = request.getfixturevalue(which)
    (rung,), (track,) = done.plan.rungs, done.plan.audio
    write(done, rung, track, tmp_path / "video.mp4")
    for rendition, options in ((rung, ("-map", "0:v")), (track, ("-map", "0:a"))):
        joined = tmp_path / f"{rendition.name}.mp4"
        names = [rendition.init_name, *map(rendition.segment_name, range(rendition.timeline.segment_count))]
        joined.write_bytes(b"".join(map(done.store.read, names)))
        assert decoded(tmp_path / "video.mp4", *options) == decoded(joined)


def test_the_index_stands_in_front_and_nothing_is_told_about_the_uploader(
    encoded: Finished, tmp_path: Path
) -> None:
    write(encoded, encoded.plan.rungs[0], encoded.plan.audio[0], tmp_path / "video.mp4")
    kinds = boxes_of(tmp_path / "video.mp4")
    assert kinds.index("moov") < kinds.index("mdat")
    tags = probed(tmp_path / "video.mp4")["format"]["tags"]
    assert set(tags) == {"major_brand", "minor_version", "compatible_brands"}


def test_twice_the_same_is_the_same_file(encoded: Finished, tmp_path: Path) -> None:
    for name in ("one.mp4", "two.mp4"):
        write(encoded, encoded.plan.rungs[0], encoded.plan.audio[0], tmp_path / name)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_sound_alone_and_picture_alone_work_too(encoded: Finished, tmp_path: Path) -> None:
    write(encoded, None, encoded.plan.audio[0], tmp_path / "sound.mp4")
    write(encoded, encoded.plan.rungs[0], None, tmp_path / "picture.mp4")
    assert [s["codec_name"] for s in probed(tmp_path / "sound.mp4")["streams"]] == ["aac"]
    assert [s["codec_name"] for s in probed(tmp_path / "picture.mp4")["streams"]] == ["h264"]
    with pytest.raises(ValueError, match="needs a picture or sound"):
        write(encoded, None, None, tmp_path / "nothing.mp4")


def test_a_missing_segment_is_an_error_and_no_file(encoded: Finished, tmp_path: Path) -> None:
    rung = encoded.plan.rungs[0]
    holes = FolderStore(tmp_path / "holes")
    for path in (encoded.store.root / rung.folder).iterdir():
        copy = tmp_path / "copy"
        copy.write_bytes(path.read_bytes())
        holes.put(f"{rung.folder}/{path.name}", copy)
    holes.delete(rung.segment_name(2))
    with pytest.raises(FileNotFoundError, match=r"2\.m4s"):
        write(Finished(encoded.plan, holes), rung, None, tmp_path / "video.mp4")
    assert not (tmp_path / "video.mp4").exists()


class _Vanishing(FolderStore):
    """Somebody removes a segment between the look at its size and its reading, or empties it."""

    def __init__(self, root: Path, gone: str, *, empty: bool = False) -> None:
        super().__init__(root)
        self._gone, self._empty = gone, empty

    def read(self, name: str) -> bytes:
        if name == self._gone:
            if self._empty:
                return b""
            raise FileNotFoundError(name)
        return super().read(name)


def test_a_segment_that_vanishes_meanwhile_is_the_error_that_is_told(
    encoded: Finished, tmp_path: Path
) -> None:
    rung = encoded.plan.rungs[0]
    store = _Vanishing(encoded.store.root, rung.segment_name(3))
    with pytest.raises(FileNotFoundError, match=r"3\.m4s"):
        write(Finished(encoded.plan, store), rung, encoded.plan.audio[0], tmp_path / "video.mp4")
    assert not (tmp_path / "video.mp4").exists()


def test_a_result_that_lacks_frames_is_not_published(encoded: Finished, tmp_path: Path) -> None:
    rung = encoded.plan.rungs[0]
    last = rung.timeline.segment_count - 1
    store = _Vanishing(encoded.store.root, rung.segment_name(last), empty=True)
    with pytest.raises(BrokenPromise, match="are promised"):
        write(Finished(encoded.plan, store), rung, None, tmp_path / "video.mp4")
    assert not (tmp_path / "video.mp4").exists()


class _Stalling(FolderStore):
    """Reading a segment sets the event, and then takes a second."""

    def __init__(self, root: Path, reached: threading.Event) -> None:
        super().__init__(root)
        self._reached, self._go_on = reached, threading.Event()

    def read(self, name: str) -> bytes:
        if name.endswith("/2.m4s"):
            self._reached.set()
            self._go_on.wait(1)
        return super().read(name)


def test_a_cancelled_one_ends_and_leaves_nothing(encoded: Finished, tmp_path: Path) -> None:
    cancel = threading.Event()
    store = _Stalling(encoded.store.root, cancel)
    with pytest.raises(Cancelled):
        write(
            Finished(encoded.plan, store), encoded.plan.rungs[0], None, tmp_path / "video.mp4", cancel=cancel
        )
    assert not (tmp_path / "video.mp4").exists()


def test_a_program_that_never_opens_its_input_is_an_error_not_a_hang(
    encoded: Finished, tmp_path: Path
) -> None:
    target, scratch = tmp_path / "video.mp4", tmp_path / "scratch"
    with pytest.raises(CannotRun):
        write_mp4(
            *(encoded.plan, encoded.plan.rungs[0], None, encoded.store, target),
            ffmpeg=tmp_path / "no-such-program",
            scratch=scratch,
        )


def test_the_command_guards_each_input_and_keeps_the_rungs_clock(encoded: Finished) -> None:
    plan: Plan = encoded.plan
    command = remux_command(plan.rungs[0], plan.audio[0], ["/v.mp4", "/a.mp4"], "out.mp4")
    check_input_guards(ffmpeg_argv("ffmpeg", command))
    timescale = str(plan.rungs[0].timeline.timescale)
    assert command[command.index("-video_track_timescale") + 1] == timescale
    assert command[command.index("-c") + 1] == "copy"
