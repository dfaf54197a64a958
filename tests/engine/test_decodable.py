"""Headers may be right above samples that are none: the decoder finds it, and says which chunk it is."""

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.engine.binaries import toolchain
from rushes.engine.cmaf import find
from rushes.engine.decodable import JOINT_EVERY, RUN_S, complaint, runs, sample_of, undecodable_chunks
from rushes.engine.plan import AudioTrack, Rung
from rushes.engine.planning import make_plan
from rushes.engine.process import Cancelled
from rushes.engine.settings import Settings
from rushes.engine.store import FolderStore
from rushes.engine.timeline import Timeline
from rushes.engine.verify import broken_chunks
from tests.engine.finished import Changed, Finished, finish
from tests.engine.sources import film, sound

Clip = Callable[..., Path]


@pytest.fixture(scope="module")
def encoded(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    source = clip(size=(256, 144), rate=25, duration_s=36)
    return finish(source, tmp_path_factory.mktemp("encoded"), Settings(rungs=(144, 72), copy=False))


@pytest.fixture(scope="module")
def copied(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    source = clip(
        size=(320, 180), rate=25, duration_s=37, gop=50, options=["-preset", "veryfast", "-bf", "2"]
    )
    return finish(source, tmp_path_factory.mktemp("copied"), Settings(rungs=(180,)))


def undecodable(
    done: Finished, rendition: Rung | AudioTrack, store: FolderStore, scratch: Path
) -> dict[int, str]:
    assert broken_chunks(done.plan, rendition, store) == {}, "the headers say it already"
    found = {}
    for chunks in runs(rendition.timeline):
        tools = toolchain()
        found |= undecodable_chunks(done.plan, rendition, store, chunks, tools=tools, scratch=scratch)
    return found


@pytest.mark.parametrize("which", ["encoded", "copied"])
def test_what_is_whole_decodes(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    done: Finished = request.getfixturevalue(which)
    for rendition in done.plan.renditions:
        assert undecodable(done, rendition, done.store, tmp_path) == {}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [0, 6, -1])
def test_a_keyframe_of_garbage_is_found_and_its_chunk_named(
    encoded: Finished, tmp_path: Path, number: int
) -> None:
    """Behind a joint; 0 and -1 are decoded as a whole."""
    rung, chance = encoded.plan.rungs[0], random.Random(number)
    number %= rung.timeline.segment_count
    store = Changed(encoded, tmp_path / "changed")
    data = bytearray(store.read(rung.segment_name(number)))
    at = find(data, b"mdat").start + 1_000  # behind the encoder's note to itself
    data[at : at + 500] = chance.randbytes(500)
    store.change(rung.segment_name(number), bytes(data))
    found = undecodable(encoded, rung, store, tmp_path / "scratch")
    assert list(found) == [rung.timeline.chunk_of(number)]
    assert found[rung.timeline.chunk_of(number)].startswith(f"{rung.name}: chunk ")


def test_garbage_behind_a_sound_keyframe_is_found_where_a_segment_is_decoded_as_a_whole(
    encoded: Finished, tmp_path: Path
) -> None:
    rung = encoded.plan.rungs[0]
    store = Changed(encoded, tmp_path / "changed")
    data = bytearray(store.read(rung.segment_name(0)))
    mdat = find(data, b"mdat")
    middle = (mdat.start + mdat.end) // 2
    data[middle : mdat.end] = random.Random(7).randbytes(mdat.end - middle)
    store.change(rung.segment_name(0), bytes(data))
    assert list(undecodable(encoded, rung, store, tmp_path / "scratch")) == [0]


def test_what_a_decoder_mends_is_found_though_it_calls_it_no_error(encoded: Finished, tmp_path: Path) -> None:
    """One flip of a bit in so small a picture is found every other time or so, by ffmpeg as by ffprobe."""
    rung = encoded.plan.rungs[0]
    store = Changed(encoded, tmp_path / "changed")
    name = rung.segment_name(0)
    whole = store.read(name)
    mdat = find(whole, b"mdat")
    said = []
    for seed in range(20):
        data, chance = bytearray(whole), random.Random(seed)
        data[chance.randrange(mdat.start + 1_000, mdat.end)] ^= 1 << chance.randrange(8)
        store.change(name, bytes(data))
        said += undecodable(encoded, rung, store, tmp_path / "scratch").values()
    assert len(said) >= 4
    assert any("concealing" in reason for reason in said)


@pytest.mark.parametrize(
    ("stderr", "line"),
    [
        ("", None),
        (
            "[info]   Duration: 00:00:08.00, start: 0.000000\n[info]       handler_name    : concealing 3 DC",
            None,
        ),
        ("[aac @ 0x55d0] [warning] no matter\n[aac @ 0x55d0] [error] channel element 1.1", -1),
        (
            "[h264 @ 0x7f51] [info] concealing 12 DC, 12 AC, 12 MV errors in P frame\n[h264 @ 0x7f51] [error] x",
            0,
        ),
    ],
)
def test_the_first_complaint_is_told(stderr: str, line: int | None) -> None:
    assert complaint(stderr) == (None if line is None else stderr.splitlines()[line])


def test_boxes_that_are_none_any_more_are_found_with_their_chunk(encoded: Finished, tmp_path: Path) -> None:
    """They were whole when the headers were read."""
    rung = encoded.plan.rungs[0]
    store = Changed(encoded, tmp_path / "changed")
    number = next(iter(sorted(sample_of(encoded.plan, rung).keyframes)))
    store.change(rung.segment_name(number), b"\0" * 100)
    found = undecodable_chunks(
        encoded.plan,
        rung,
        store,
        range(rung.timeline.chunk_count),
        tools=toolchain(),
        scratch=tmp_path,
    )
    assert list(found) == [rung.timeline.chunk_of(number)]


def test_sound_of_garbage_is_found(encoded: Finished, tmp_path: Path) -> None:
    track, chance = encoded.plan.audio[0], random.Random(3)
    store = Changed(encoded, tmp_path / "changed")
    data = bytearray(store.read(track.segment_name(0)))
    mdat = find(data, b"mdat")
    data[mdat.start : mdat.end] = chance.randbytes(mdat.end - mdat.start)
    store.change(track.segment_name(0), bytes(data))
    assert list(undecodable(encoded, track, store, tmp_path / "scratch")) == [0]


def test_parameters_that_are_wrong_spoil_every_chunk(encoded: Finished, tmp_path: Path) -> None:
    rung = encoded.plan.rungs[0]
    store = Changed(encoded, tmp_path / "changed")
    init = bytearray(store.read(rung.init_name))
    at = init.index(b"avcC") + 4 + 8 + 4  # behind the profile, in the body of the first parameter set
    init[at : at + 8] = bytes(byte ^ 0x5A for byte in init[at : at + 8])
    store.change(rung.init_name, bytes(init))
    found = undecodable(encoded, rung, store, tmp_path / "scratch")
    assert list(found) == list(range(rung.timeline.chunk_count))


def test_nobody_waits_for_what_is_cancelled(encoded: Finished, tmp_path: Path) -> None:
    rung, cancel = encoded.plan.rungs[0], threading.Event()
    cancel.set()
    tools = toolchain()
    with pytest.raises(Cancelled):
        undecodable_chunks(
            encoded.plan, rung, encoded.store, range(2), tools=tools, scratch=tmp_path, cancel=cancel
        )


def test_a_segment_that_is_missing_is_no_damage(encoded: Finished, tmp_path: Path) -> None:
    rung = encoded.plan.rungs[0]
    store = Changed(encoded, tmp_path / "changed")
    store.delete(rung.segment_name(4))
    with pytest.raises(FileNotFoundError):
        undecodable_chunks(encoded.plan, rung, store, range(2), tools=toolchain(), scratch=tmp_path)


def test_each_rung_is_decoded_at_its_ends_and_at_joints_of_its_own(encoded: Finished) -> None:
    plan = make_plan(
        film(duration_s=1200, tracks=[sound()]), Settings(copy=False, rungs=(720, 480, 360)), "b"
    )
    chosen = {rendition.name: sample_of(plan, rendition).whole for rendition in plan.renditions}
    seen: set[int] = set()
    for rung in plan.rungs[:-1]:
        segments, last = chosen[rung.name], rung.timeline.segment_count - 1
        keyframes = sample_of(plan, rung).keyframes
        assert set(rung.timeline.chunks[:-1]) <= segments | keyframes
        assert not segments & keyframes
        assert {0, last} <= segments
        beside = segments - {0, last}
        joints = {first for first in rung.timeline.chunks[1:-1] if {first - 1, first} <= segments}
        assert beside <= {number for first in joints for number in (first - 1, first)}
        assert len(joints) >= rung.timeline.chunk_count // JOINT_EVERY
        assert not joints & seen
        seen |= joints
    track = plan.audio[0]
    joints = {number for first in track.timeline.chunks[1:-1] for number in (first - 1, first)}
    assert joints < chosen[track.name]


@pytest.mark.parametrize("duration_s", [20, 60, 1200])
@pytest.mark.parametrize("rungs", [(1080, 720, 480, 360), (720, 480, 360), (360,)])
def test_both_sides_of_every_joint_are_decoded_in_the_smallest_rung(
    rungs: tuple[int, ...], duration_s: int
) -> None:
    size = {1080: (1920, 1080), 720: (1280, 720), 360: (640, 360)}[rungs[0]]
    plan = make_plan(film(duration_s=duration_s, size=size), Settings(copy=False, rungs=rungs), "b")
    smallest = plan.rungs[-1]
    joints = smallest.timeline.chunks[1:-1]
    ends = {0, smallest.timeline.segment_count - 1}
    assert sample_of(plan, smallest).whole == ends | {n for joint in joints for n in (joint - 1, joint)}


def test_a_copy_that_is_the_only_rung_is_decoded_as_a_whole(copied: Finished) -> None:
    rung = copied.plan.rungs[0]
    assert copied.plan.rungs == (copied.plan.copied_rung,)
    assert sample_of(copied.plan, rung).whole == set(range(rung.timeline.segment_count))


def test_of_a_copy_beside_encoded_rungs_some_keyframes_are_enough_where_the_encoders_had_no_complaint() -> (
    None
):
    plan = make_plan(film(duration_s=60, tracks=[sound()]), Settings(), "b")
    rung = plan.copied_rung
    assert rung is not None
    assert plan.encoded_rungs
    ends = {0, rung.timeline.segment_count - 1}
    clean, doubted = sample_of(plan, rung, clean_source=True), sample_of(plan, rung)
    assert clean.whole == set()
    assert ends <= clean.keyframes
    assert ends <= doubted.whole
    assert doubted.whole | doubted.keyframes == set(range(rung.timeline.segment_count))
    for other in (*plan.encoded_rungs, *plan.audio):
        assert sample_of(plan, other, clean_source=True) == sample_of(plan, other)


def test_long_videos_are_decoded_in_several_runs() -> None:
    chunk_s, hours = 8, 12
    count = hours * 3600 // chunk_s
    timeline = Timeline(
        timescale=1, bounds=tuple(range(0, hours * 3600 + 1, chunk_s)), chunks=tuple(range(count + 1))
    )
    parts = list(runs(timeline))
    assert [chunk for part in parts for chunk in part] == list(range(count))
    assert max(len(part) for part in parts) * chunk_s <= RUN_S
