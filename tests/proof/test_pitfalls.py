"""The pitfalls that ENGINE.md numbers P1 to P7, a test each (and test_damage.py for what sources do to themselves)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from rushes.engine.assembly import ForeignInit
from rushes.engine.binaries import toolchain
from rushes.engine.chunk import Watch, make_audio_chunk
from rushes.engine.planning import make_plan
from rushes.engine.probe import probe
from rushes.engine.settings import Settings
from tests.proof.assembled import ENCODED, Work, decode, planned
from tests.proof.counter import read_numbers, ssim
from tests.proof.kinds import KINDS, X264, Kind, run_ffmpeg


def numbers(work: Work) -> np.ndarray:
    rung = work.plan.rungs[0]
    work.make_shuffled([rung])
    return read_numbers(decode(work.joined(rung), (rung.width, rung.height)).pictures)


def test_p1_a_source_that_decodes_to_garbage_after_a_seek_is_right(
    tmp_path: Path, real_clip: Callable[[str], Path]
) -> None:
    source = tmp_path / "looped.mp4"
    cockatoo = real_clip("imageio-binaries__cockatoo.mp4")
    run_ffmpeg(["-stream_loop", "1", "-i", str(cockatoo), "-map", "0:v", "-c", "copy", str(source)])
    with planned(source, tmp_path / "out", Settings(rungs=(240,), copy=False)) as work:
        (rung,) = work.plan.rungs
        work.make_shuffled([rung])
        size = (rung.width, rung.height)
        ours = decode(work.joined(rung), size)
    truth = tmp_path / "truth.mkv"
    run_ffmpeg(["-i", str(source), "-vf", f"scale={size[0]}:{size[1]}", "-c:v", "ffv1", str(truth)])
    likeness = ssim(ours.pictures, decode(truth, size).pictures)
    assert len(ours) == 2 * 280
    # What an encode at this size loses; garbage is under 0.8.
    assert likeness.mean() >= 0.95
    assert likeness.min() >= 0.9, f"picture {likeness.argmin()}"


@pytest.mark.parametrize("period", [30, 250])
def test_p1_a_source_without_keyframes_that_refreshes_itself_is_right(period: int, tmp_path: Path) -> None:
    encoder = (*X264[:-4], "-x264-params", f"intra-refresh=1:keyint={period}:bframes=0")
    with planned(Kind("refresh", frames=780, encoder=encoder).make(tmp_path), tmp_path / "out") as work:
        np.testing.assert_array_equal(numbers(work), np.arange(780))


def test_p2_a_seek_that_lands_late_is_noticed_and_made_good(tmp_path: Path) -> None:
    """In MPEG-TS ffmpeg seeks past the keyframe, and `fps` fills what is missing with the first picture it gets."""
    kind = next(kind for kind in KINDS if kind.name == "ts-25s-gop")
    source = probe(kind.make(tmp_path), toolchain())
    plan = make_plan(
        source, ENCODED, toolchain().build_id
    )  # of the file as it is, not of a copy that seeks well
    work = Work(plan, source, tmp_path / "out")
    np.testing.assert_array_equal(numbers(work), np.arange(kind.frames))


def test_p3_other_settings_go_to_another_folder(tmp_path: Path) -> None:
    source = Kind("source", frames=60).make(tmp_path)
    folders = set()
    for quality in ("economy", "standard", "best"):
        with planned(source, tmp_path / "out", Settings(copy=False, quality=quality)) as work:
            folders.add(work.plan.rungs[0].folder)
    assert len(folders) == 3


def test_p4_a_declared_duration_is_not_believed(tmp_path: Path) -> None:
    source = Kind("lies", frames=90, suffix=".mkv").make(tmp_path)
    data = bytearray(source.read_bytes())
    at = data.index(b"\x44\x89\x88") + 3  # Matroska's Duration: 8 bytes, a float in milliseconds
    data[at : at + 8] = struct.pack(">d", 143_165_000.0)
    source.write_bytes(data)
    with planned(source, tmp_path / "out") as work:
        assert work.source.duration_s is not None
        assert work.source.duration_s > 10_000
        np.testing.assert_array_equal(numbers(work), np.arange(90))


@pytest.mark.parametrize(
    ("rate", "frames"), [(Fraction(20), 759), (Fraction(179, 6), 1189), (Fraction(30000, 1001), 1189)]
)
def test_p5_a_rate_is_not_snapped_to_another(rate: Fraction, frames: int, tmp_path: Path) -> None:
    source = Kind("rate", rate=rate, frames=frames, size=(64, 36)).make(tmp_path)
    with planned(source, tmp_path / "out") as work:
        assert work.plan.grid is not None
        assert (work.plan.grid.rate, work.plan.grid.frames) == (rate, frames)


@pytest.mark.parametrize(
    ("frames", "sound_s"), [(250, 4.0), (200, 13.0), (250, 10.0)], ids=["short", "long", "equal"]
)
def test_p6_picture_and_sound_are_equally_long(frames: int, sound_s: float, tmp_path: Path) -> None:
    source = Kind("tail", rate=Fraction(25), frames=frames, sound_s=sound_s).make(tmp_path)
    with planned(source, tmp_path / "out") as work:
        shown = numbers(work)
        (track,) = work.plan.audio
        for chunk in reversed(range(track.timeline.chunk_count)):
            make_audio_chunk(work.plan, track, chunk, work.bench, Watch())
        joined = work.folder / "sound.mp4"
        names = [track.init_name, *map(track.segment_name, range(track.timeline.segment_count))]
        joined.write_bytes(b"".join((work.folder / name).read_bytes() for name in names))
        samples = len(run_ffmpeg(["-i", str(joined), "-ac", "1", "-f", "s16le", "-"])) // 2
    picture_s = len(shown) / 25
    assert picture_s == pytest.approx(max(frames / 25, sound_s), abs=0.05)
    assert samples / track.sample_rate_hz == pytest.approx(picture_s, abs=0.03)
    np.testing.assert_array_equal(shown[:frames], np.arange(frames))
    assert set(shown[frames:]) <= {frames - 1}  # the last picture stays


def test_p7_an_init_of_another_build_is_refused_and_stays(tmp_path: Path) -> None:
    source = Kind("source", frames=500).make(tmp_path)
    with planned(source, tmp_path / "out") as work:
        rung = work.plan.rungs[0]
        work.make([rung], 0)
        init = work.folder / rung.init_name
        foreign = init.read_bytes().replace(b"avc1", b"avc3")
        init.write_bytes(foreign)
        with pytest.raises(ForeignInit, match="another encoder build"):
            work.make([rung], 1)
        assert init.read_bytes() == foreign
        assert not (work.folder / rung.segment_name(rung.timeline.chunks[1])).exists()
        # Another build is another key to begin with.
        other = make_plan(work.source, ENCODED, "another build")
        assert other.rungs[0].folder != rung.folder
        assert replace(other, encoder_build="") != replace(work.plan, encoder_build="")
