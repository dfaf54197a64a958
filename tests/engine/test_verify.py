"""What is whole passes; each thing that can be wrong with a published rendition is found and named."""

import struct
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from rushes.engine.plan import Plan, Rendition, Rung
from rushes.engine.settings import Settings
from rushes.engine.store import FolderStore
from rushes.engine.verify import (
    DamagedInit,
    VerificationFailed,
    broken_chunks,
    verify_offsets,
    verify_rendition,
)
from tests.engine.finished import Changed, Finished, finish

Clip = Callable[..., Path]


@pytest.fixture(scope="module")
def encoded(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    source = clip(size=(160, 90), rate=25, duration_s=13)
    return finish(source, tmp_path_factory.mktemp("encoded"), Settings(rungs=(90,), copy=False))


@pytest.fixture(scope="module")
def copied(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    source = clip(
        size=(640, 360), rate=25, duration_s=37, gop=30, options=["-preset", "veryfast", "-b:v", "500k"]
    )
    done = finish(source, tmp_path_factory.mktemp("copied"), Settings(rungs=(360,)))
    assert done.plan.copied_rung is not None
    assert done.plan.copied_rung.timeline.chunk_count > 1
    return done


@pytest.fixture
def changed(encoded: Finished, tmp_path: Path) -> Changed:
    return Changed(encoded, tmp_path)


@pytest.mark.parametrize("which", ["encoded", "copied"])
def test_what_is_whole_passes(which: str, request: pytest.FixtureRequest) -> None:
    done: Finished = request.getfixturevalue(which)
    for rendition in done.plan.renditions:
        verify_rendition(done.plan, rendition, done.store)
    verify_offsets(done.plan, done.store)


def failure(plan: Plan, rendition: Rendition, store: FolderStore) -> str:
    with pytest.raises(VerificationFailed) as caught:
        verify_rendition(plan, plan.rendition(rendition.name), store)
    return str(caught.value)


@pytest.mark.parametrize("number", [0, 1], ids=["video", "audio"])
def test_a_missing_file_is_named(encoded: Finished, changed: Changed, number: int) -> None:
    rendition = encoded.plan.renditions[number]
    changed.delete(rendition.segment_name(2))
    assert failure(encoded.plan, rendition, changed) == f"{rendition.name}: segment 2 is missing."
    changed.delete(rendition.init_name)
    assert failure(encoded.plan, rendition, changed) == f"{rendition.name}: the init segment is missing."


@pytest.mark.parametrize("number", [0, 1], ids=["video", "audio"])
def test_what_was_cut_off_or_is_no_box_is_damaged(encoded: Finished, changed: Changed, number: int) -> None:
    rendition = encoded.plan.renditions[number]
    name = rendition.segment_name(1)
    whole = encoded.store.read(name)
    for data in (
        whole[:-1],
        whole[:50],
        whole[:4],
        b"\0" * 100,
        whole + b"\0\0\0\x08free",
        whole[:8] + whole[12:],
    ):
        changed.change(name, data)
        assert "segment 1 is damaged" in failure(encoded.plan, rendition, changed)
    changed.change(name, b"")
    assert "segment 1 is empty" in failure(encoded.plan, rendition, changed)
    changed.change(rendition.init_name, encoded.store.read(rendition.init_name)[:100])
    assert "init segment is damaged" in failure(encoded.plan, rendition, changed)


@pytest.mark.parametrize("number", [0, 1], ids=["video", "audio"])
def test_a_segment_in_the_place_of_another_is_found(encoded: Finished, changed: Changed, number: int) -> None:
    rendition = encoded.plan.renditions[number]
    changed.change(rendition.segment_name(1), encoded.store.read(rendition.segment_name(2)))
    assert "is promised" in failure(encoded.plan, rendition, changed)


def test_a_segment_that_begins_without_a_keyframe_is_found(encoded: Finished, changed: Changed) -> None:
    rung = encoded.plan.rungs[0]
    data = bytearray(encoded.store.read(rung.segment_name(1)))
    at = data.index(b"trun")
    (flags,) = struct.unpack_from(">I", data, at + 4)
    assert flags & 0x4  # first_sample_flags: behind the count and the data offset
    struct.pack_into(">I", data, at + 16, 0x0101_0000)
    changed.change(rung.segment_name(1), bytes(data))
    assert failure(encoded.plan, rung, changed) == f"{rung.name}: segment 1 does not begin with a keyframe."


def test_another_codec_or_clock_than_promised_is_found(encoded: Finished) -> None:
    rung = encoded.plan.rungs[0]
    other = replace(rung, codec_string="avc1.640028")
    plan = replace(encoded.plan, rungs=(other,))
    assert "avc1.640028 is promised" in failure(plan, other, encoded.store)
    ticks = replace(rung, timeline=replace(rung.timeline, timescale=rung.timeline.timescale * 2))
    plan = replace(encoded.plan, rungs=(ticks,))
    assert "ticks" in failure(plan, ticks, encoded.store)


def test_a_chunk_with_another_number_of_frames_is_found(copied: Finished) -> None:
    rung = copied.plan.rungs[0]
    assert rung.copy_chunk_packets is not None
    first, second, *rest = rung.copy_chunk_packets
    other = replace(rung, copy_chunk_packets=(first, second + 1, *rest))
    assert "samples" in failure(replace(copied.plan, rungs=(other,)), other, copied.store)


def test_sound_that_begins_or_ends_apart_from_the_picture_is_found(
    encoded: Finished, changed: Changed
) -> None:
    track = encoded.plan.audio[0]
    last = track.segment_name(track.timeline.segment_count - 1)
    data = bytearray(track_bytes := encoded.store.read(last))
    at = data.index(b"tfdt") + 8
    struct.pack_into(">Q", data, at, struct.unpack_from(">Q", data, at)[0] + 7 * 1024)
    changed.change(last, bytes(data))
    # Each of them ends near enough to the plan's end, and they do not to each other's.
    between = replace(encoded.plan, duration_s=encoded.plan.duration_s + Fraction(8, 100))
    with pytest.raises(VerificationFailed, match="from the end of"):
        verify_offsets(between, changed)
    changed.change(last, track_bytes)
    data = bytearray(encoded.store.read(track.segment_name(0)))
    struct.pack_into(">Q", data, data.index(b"tfdt") + 8, 1024)
    changed.change(track.segment_name(0), bytes(data))
    with pytest.raises(VerificationFailed, match=r"begins at 0\.02"):
        verify_offsets(encoded.plan, changed)


def test_a_picture_that_is_shown_late_is_found(encoded: Finished, changed: Changed) -> None:
    """An edit list that does not take the delay of the B-frames away."""
    rung: Rung = encoded.plan.rungs[0]
    init = bytearray(encoded.store.read(rung.init_name))
    struct.pack_into(">i", init, init.index(b"elst") + 4 + 12, 0)
    changed.change(rung.init_name, bytes(init))
    with pytest.raises(VerificationFailed, match="not at 0"):
        verify_offsets(encoded.plan, changed)


def test_each_broken_chunk_is_named_and_no_other(encoded: Finished, changed: Changed) -> None:
    rung = encoded.plan.rungs[0]
    assert rung.timeline.chunk_count > 1
    last = rung.timeline.segment_count - 1
    changed.delete(rung.segment_name(last))
    assert broken_chunks(encoded.plan, rung, changed) == {
        rung.timeline.chunk_count - 1: f"{rung.name}: segment {last} is missing."
    }
    changed.delete(rung.init_name)
    with pytest.raises(DamagedInit):
        broken_chunks(encoded.plan, rung, changed)


def test_a_keyframe_in_name_only_is_found(encoded: Finished, changed: Changed) -> None:
    """The flags say so, but the first picture needs others."""
    rung = encoded.plan.rungs[0]
    data = bytearray(encoded.store.read(rung.segment_name(1)))
    at = data.index(b"mdat") + 4
    while data[at + 4] & 0x1F != 5:
        at += 4 + struct.unpack_from(">I", data, at)[0]
    data[at + 4] = data[at + 4] & 0xE0 | 1
    changed.change(rung.segment_name(1), bytes(data))
    assert "marked as a keyframe and is none" in failure(encoded.plan, rung, changed)


def test_a_segment_of_another_length_is_found(encoded: Finished, changed: Changed) -> None:
    """All frames are there, and the last one is shown for longer."""
    rung = encoded.plan.rungs[0]
    data = bytearray(encoded.store.read(rung.segment_name(1)))
    tfhd = data.index(b"tfhd")
    (flags,) = struct.unpack_from(">I", data, tfhd + 4)
    assert flags & 0x8  # default_sample_duration, behind the track's number
    (ticks,) = struct.unpack_from(">I", data, tfhd + 12)
    struct.pack_into(">I", data, tfhd + 12, ticks + 1)
    changed.change(rung.segment_name(1), bytes(data))
    assert "segment 1 ends at tick" in failure(encoded.plan, rung, changed)


def test_a_picture_of_another_size_and_sound_of_another_rate_are_found(encoded: Finished) -> None:
    rung, track = encoded.plan.rungs[0], encoded.plan.audio[0]
    wide = replace(rung, width=rung.width + 2)
    assert "160x90; 162x90 is promised" in failure(replace(encoded.plan, rungs=(wide,)), wide, encoded.store)
    slow = replace(track, sample_rate_hz=44_100)
    assert "48000; 44100 is promised" in failure(replace(encoded.plan, audio=(slow,)), slow, encoded.store)


def test_rungs_that_break_at_different_times_are_found(encoded: Finished) -> None:
    rung = encoded.plan.rungs[0]
    first, second, *rest = rung.timeline.bounds
    other = replace(rung, timeline=replace(rung.timeline, bounds=(first, second + 1, *rest)))
    with pytest.raises(VerificationFailed, match="do not begin where those of"):
        verify_offsets(replace(encoded.plan, rungs=(rung, other)), encoded.store)


def test_a_video_of_another_length_than_promised_is_found(encoded: Finished) -> None:
    plan = replace(encoded.plan, duration_s=encoded.plan.duration_s + Fraction(1))
    with pytest.raises(VerificationFailed, match=r"ends at 13\.0\d* s, not at 14\.0"):
        verify_offsets(plan, encoded.store)
