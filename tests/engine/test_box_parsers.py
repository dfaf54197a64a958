"""Our own readers of boxes and of ffprobe's lines, fed with damage: their error or an answer, in bounded memory."""

import contextlib
import struct
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rushes.engine import EngineError, cmaf
from rushes.engine.cmaf import MalformedBoxes
from rushes.engine.codecstrings import codec_string, decoder_record, starts_afresh
from rushes.engine.encoders import CODEC_NAMES
from rushes.engine.extradata import h264_headers
from rushes.engine.growing import FragmentReader
from rushes.engine.index import read_index
from rushes.engine.mp4boxes import NoTables
from rushes.engine.mp4tables import read_tables
from rushes.engine.source import Stream
from rushes.engine.streams import parse_streams
from tests.clips import make_clip
from tests.engine.sources import picture, sound

MEMORY_BYTES = 64 << 20
NUMBERS = st.sampled_from([0, 1, 2, 8, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FFFE]) | st.integers(
    0, 2**32 - 1
)
#: (where, in thousandths of the file; what): words, because boxes are made of words.
DAMAGE = st.lists(st.tuples(st.integers(0, 999_999), st.integers(0, 3), NUMBERS), min_size=1, max_size=6)


@cache
def film(folder: Path, *options: str) -> bytes:
    path = make_clip(folder / f"{abs(hash(options))}.mp4", size=(96, 64), duration_s=1, options=options)
    return path.read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("boxes")


def damaged(data: bytes, damage: list[tuple[int, int, int]], begin: int = 0, end: int | None = None) -> bytes:
    """`data` with words exchanged between `begin` and `end`; half of them where a box's size or first words are."""
    end = len(data) if end is None else end
    kinds = (
        b"trak",
        b"stts",
        b"ctts",
        b"stsz",
        b"stsc",
        b"stco",
        b"stss",
        b"elst",
        b"mdhd",
        b"stsd",
        b"tfhd",
        b"trun",
        b"moof",
    )
    changed = bytearray(data)
    for where, near, number in damage:
        at = begin + (end - begin - 4) * where // 1_000_000
        if near < 2:
            found = data.find(kinds[where % len(kinds)], begin, end)
            at = found - 4 + 4 * (where % 7) * near if found >= 0 else at
        at = min(max(begin, at), len(changed) - 4)
        changed[at : at + 4] = struct.pack(">I", number)
    return bytes(changed)


def weighed(action: Callable[[], Any]) -> None:
    tracemalloc.start()
    try:
        action()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_BYTES


STREAMS: tuple[Stream, ...] = (picture(time_base=Fraction(1, 15360)), sound())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=DAMAGE, pcm=st.booleans())
def test_damaged_tables_are_declined(damage: list[tuple[int, int, int]], pcm: bool, folder: Path) -> None:
    data = film(folder, "-bf", "2", "-movflags", "+faststart")
    moov = data.index(b"moov") - 4
    path = folder / "damaged.mp4"
    path.write_bytes(damaged(data, damage, moov, data.index(b"mdat") + 8))
    streams = (STREAMS[0], sound(codec="pcm_s16le")) if pcm else STREAMS

    def read() -> None:
        with contextlib.suppress(NoTables):
            read_tables(path, streams, {0: 1, 1: 2})

    weighed(read)


def test_the_tables_that_are_damaged_above_are_read_where_nothing_is_damaged(folder: Path) -> None:
    path = folder / "whole.mp4"
    path.write_bytes(film(folder, "-bf", "2", "-movflags", "+faststart"))
    assert {len(samples) for samples in read_tables(path, STREAMS, {0: 1, 1: 2}).values()} >= {30}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=DAMAGE)
def test_damaged_fragments_are_malformed_boxes(damage: list[tuple[int, int, int]], folder: Path) -> None:
    data = film(folder, "-an", "-g", "10", "-movflags", "+frag_keyframe+empty_moov+default_base_moof")
    path = folder / "fragments.mp4"
    path.write_bytes(damaged(data, damage))

    def read() -> None:
        try:
            reader = FragmentReader(path)
            for fragment in reader.read_new():
                for codec in CODEC_NAMES:
                    starts_afresh(fragment, codec)
                assert len(fragment.payload) == sum(fragment.sample_sizes)
            if reader.init is not None:
                codec_string(reader.init)
                cmaf.track_timescale(reader.init)
                cmaf.edit_media_time(reader.init)
                cmaf.sample_entry_kind(reader.init)
                cmaf.first_samples(path.read_bytes()[len(reader.init) :], cmaf.track_defaults(reader.init))
            reader.finish()
        except MalformedBoxes:
            pass

    weighed(read)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=400))
def test_noise_is_no_box_and_no_h264(data: bytes) -> None:
    for prefix in (
        b"",
        struct.pack(">I4s", len(data) + 8, b"moov"),
        struct.pack(">I4sQ", 1, b"moov", len(data) + 16),
    ):
        with pytest.raises(EngineError):
            decoder_record(prefix + data)
    h264_headers(data)
    h264_headers(b"\1\x64\0\x1f\xff\xe1" + struct.pack(">H", len(data)) + data)
    h264_headers(b"\0\0\0\1\x67" + data)


FIELDS = st.sampled_from(
    ["", "N/A", "0", "1", "-1", str(2**63 - 1), str(-(2**63)), str(2**31), "K__", "KDC", "video"]
)


@settings(max_examples=200, deadline=None)
@given(
    lines=st.lists(
        st.lists(FIELDS | st.integers(-(2**63), 2**63 - 1).map(str), min_size=6, max_size=9), max_size=12
    ),
    delay=st.integers(0, 16),
)
def test_lines_that_ffprobe_might_print_make_an_index_or_an_engine_error(
    lines: list[list[str]], delay: int
) -> None:
    rows = [
        ",".join(["0", *(field if field.lstrip("-").isdigit() else "N/A" for field in fields[:3]),
                  str(abs(int(fields[3])) % 2**31) if fields[3].lstrip("-").isdigit() else "0", "N/A", "K__"])
        for fields in lines
    ]  # fmt: skip
    with contextlib.suppress(EngineError):
        read_index(rows, [picture(delay_frames=delay)])


@settings(max_examples=200, deadline=None)
@given(
    said=st.fixed_dictionaries(
        {"index": st.integers(0, 9)},
        optional={
            "codec_type": st.sampled_from(["video", "audio", "subtitle", "data", "attachment", "x"]),
            "codec_name": st.text(max_size=9),
            "width": st.integers(-1, 2**31),
            "height": st.integers(-1, 2**31),
            "sample_rate": st.sampled_from(["0", "48000", "-5"]),
            "channels": st.integers(-1, 70_000),
            "time_base": st.sampled_from(["0/0", "1/0", "1/90000", "-1/5", "x", ""]),
            "r_frame_rate": st.sampled_from(["0/0", "90000/1", "25/1", "x"]),
            "bit_rate": st.sampled_from(["N/A", "1", "-1"]),
            "tags": st.dictionaries(st.sampled_from(["language", "TITLE", "rotate"]), st.text(max_size=300)),
            "pix_fmt": st.text(max_size=9),
        },
    )
)
def test_whatever_ffprobe_says_of_a_stream_is_a_stream(said: dict[str, Any]) -> None:
    (stream,) = parse_streams([said])
    assert stream.title is None or len(stream.title) <= 200
