"""Boxes are read strictly, from files that are still growing, and what is written of AAC frames plays."""

import struct
import subprocess
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rushes.engine import cmaf
from rushes.engine.binaries import toolchain
from rushes.engine.cmaf import Fragment, MalformedBoxes
from rushes.engine.codecstrings import codec_string, decoder_record, starts_afresh
from rushes.engine.encoders import CODEC_NAMES
from rushes.engine.growing import FragmentReader

GOP, FRAMES = 15, 75
VIDEO_FLAGS = "frag_keyframe+delay_moov+default_base_moof+frag_discont+skip_trailer"
AUDIO_FLAGS = "frag_every_frame+empty_moov+default_base_moof+skip_trailer"


@pytest.fixture(scope="session")
def video(clip: Callable[..., Path]) -> Path:
    """2.5 s at 30 fps with B-frames, a fragment per 15 frames, timescale 15360."""
    options = ["-preset", "veryfast", "-video_track_timescale", "15360", "-movflags", VIDEO_FLAGS]
    return clip(size=(160, 90), duration_s=2.5, audio_tracks=0, gop=GOP, options=options)


@pytest.fixture(scope="session")
def audio(clip: Callable[..., Path]) -> Path:
    """2 s of AAC at 48 kHz, a fragment per frame, as the engine asks ffmpeg for."""
    return clip(codec="", duration_s=2, options=["-movflags", AUDIO_FLAGS, "-use_editlist", "0"])


def read_whole(path: Path) -> tuple[bytes, list[Fragment]]:
    reader = FragmentReader(path)
    fragments = reader.read_new()
    reader.finish()
    assert reader.init is not None
    return reader.init, fragments


def decoded_bytes(data: bytes, *options: str) -> bytes:
    argv = [str(toolchain().ffmpeg.path), "-v", "error", "-xerror", "-i", "pipe:0", *options, "pipe:1"]
    return subprocess.run(argv, input=data, capture_output=True, check=True).stdout


def test_init_and_fragments_together_are_the_file(video: Path) -> None:
    init, fragments = read_whole(video)
    assert init + b"".join(fragment.data for fragment in fragments) == video.read_bytes()


def test_fragments_follow_each_other_and_count_every_frame(video: Path) -> None:
    init, fragments = read_whole(video)
    assert cmaf.track_timescale(init) == 15360
    assert [fragment.sample_count for fragment in fragments] == [GOP] * (FRAMES // GOP)
    assert [fragment.base_decode_time for fragment in fragments] == [
        n * GOP * 512 for n in range(len(fragments))
    ]
    assert all(fragment.duration == GOP * 512 for fragment in fragments)


def test_of_each_fragment_the_first_sample_can_be_had_alone(video: Path) -> None:
    init, fragments = read_whole(video)
    cut = cmaf.first_samples(b"".join(fragment.data for fragment in fragments), cmaf.track_defaults(init))
    assert decoded_bytes(init + cut, "-f", "framecrc").count(b"\n0,") == len(fragments)
    keyframes = b"".join(fragment.payload[: fragment.sample_sizes[0]] for fragment in fragments)
    assert b"".join(cut[box.start : box.end] for box in cmaf.boxes(cut) if box.kind == b"mdat") == keyframes


def test_the_edit_list_takes_out_the_delay_of_b_frames(video: Path, audio: Path) -> None:
    assert cmaf.edit_media_time(read_whole(video)[0]) == 2 * 512
    assert cmaf.edit_media_time(read_whole(audio)[0]) == 0


def test_each_fragment_of_an_encode_begins_with_an_idr_picture(video: Path) -> None:
    _, fragments = read_whole(video)
    assert all(fragment.starts_with_sync and starts_afresh(fragment, "h264") for fragment in fragments)


def test_a_keyframe_that_is_no_idr_picture_is_told_apart(clip: Callable[..., Path]) -> None:
    # Open groups begin with an I picture and a recovery point, which ffmpeg calls a keyframe too.
    options = ["-preset", "veryfast", "-x264-params", "open-gop=1:scenecut=0", "-movflags", VIDEO_FLAGS]
    path = clip(size=(160, 90), duration_s=2.5, audio_tracks=0, gop=GOP, options=options)
    _, fragments = read_whole(path)
    assert starts_afresh(fragments[0], "h264")
    assert not any(starts_afresh(fragment, "h264") for fragment in fragments[1:])


def test_the_codec_string_is_that_of_the_parameter_sets(video: Path) -> None:
    init, _ = read_whole(video)
    record = decoder_record(init)
    assert record[0] == 1
    assert codec_string(init) == f"avc1.{record[1:4].hex()}"
    assert codec_string(init).startswith("avc1.64")


def test_an_audio_init_describes_no_picture(audio: Path) -> None:
    assert codec_string(read_whole(audio)[0]) == "mp4a"
    with pytest.raises(MalformedBoxes, match="mp4a"):
        decoder_record(read_whole(audio)[0])


@pytest.mark.parametrize("step", [1, 7, 1000, 100_000])
def test_a_growing_file_gives_each_fragment_once_and_as_soon_as_it_is_whole(
    video: Path, tmp_path: Path, step: int
) -> None:
    data = video.read_bytes()[:12_000] if step == 1 else video.read_bytes()
    _, expected = read_whole(video)
    ends: list[int] = []
    end = len(read_whole(video)[0])
    for fragment in expected:
        end += len(fragment.data)
        ends.append(end)
    path = tmp_path / "growing.mp4"
    path.touch()
    reader = FragmentReader(path)
    found: list[Fragment] = []
    with path.open("ab", buffering=0) as file:
        for at in range(0, len(data), step):
            file.write(data[at : at + step])
            found += reader.read_new()
            assert len(found) == sum(end <= min(at + step, len(data)) for end in ends)
    assert [fragment.data for fragment in found] == [fragment.data for fragment in expected[: len(found)]]
    assert found


def test_a_file_cut_off_anywhere_is_refused_at_its_end(video: Path, tmp_path: Path) -> None:
    data, (init, fragments) = video.read_bytes(), read_whole(video)
    moof = struct.unpack(">I", fragments[0].data[:4])[0]
    path = tmp_path / "cut.mp4"
    for length in (
        0,
        5,
        27,
        len(init) - 1,
        len(init) + 4,
        len(init) + moof,
        len(init) + moof + 50,
        len(data) - 1,
    ):
        path.write_bytes(data[:length])
        reader = FragmentReader(path)
        reader.read_new()
        with pytest.raises(MalformedBoxes):
            reader.finish()


def test_an_init_without_fragments_is_whole(video: Path, tmp_path: Path) -> None:
    path = tmp_path / "init.mp4"
    path.write_bytes(read_whole(video)[0])
    assert read_whole(path) == (path.read_bytes(), [])


def test_a_claim_of_exabytes_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.mp4"
    path.write_bytes(struct.pack(">I4sQ", 1, b"mdat", 2**63) + b"x" * 100)
    reader = FragmentReader(path)
    assert reader.read_new() == []
    with pytest.raises(MalformedBoxes):
        reader.finish()


def test_boxes_out_of_order_are_refused(video: Path, tmp_path: Path) -> None:
    init, fragments = read_whole(video)
    data = fragments[0].data
    split = struct.unpack(">I", data[:4])[0]
    moof, mdat = data[:split], data[split:]
    path = tmp_path / "order.mp4"
    for wrong in (data, init + mdat, init + moof + moof, init + init, init + moof + init):
        path.write_bytes(wrong)
        with pytest.raises(MalformedBoxes):
            read_whole(path)


def test_aac_frames_come_one_to_a_fragment(audio: Path) -> None:
    init, fragments = read_whole(audio)
    assert cmaf.track_timescale(init) == 48_000
    assert all(fragment.sample_count == 1 for fragment in fragments)
    assert sum(fragment.duration for fragment in fragments) == 2 * 48_000 + 1_024  # the encoder's priming
    assert all(len(fragment.payload) == fragment.sample_sizes[0] for fragment in fragments)


def test_segments_made_of_aac_frames_decode_to_every_sample(audio: Path) -> None:
    init, fragments = read_whole(audio)
    frames = [fragment.payload for fragment in fragments]
    bounds = [0, 1, 30, len(frames)]
    segments = [
        cmaf.audio_segment(
            sequence=number, base_decode_time=start * 1024, frame_samples=1024, frames=frames[start:end]
        )
        for number, (start, end) in enumerate(pairwise(bounds))
    ]
    pcm = ("-f", "s16le", "-c:a", "pcm_s16le")
    joined = decoded_bytes(init + b"".join(segments), *pcm)
    assert len(joined) == len(frames) * 1024 * 2  # mono, 16 bits
    # The last frame of ffmpeg's own file is marked as shorter; up to there every sample is the same.
    original = decoded_bytes(audio.read_bytes(), *pcm)
    assert joined[: len(original)] == original


def test_a_segment_of_aac_frames_reads_back_as_it_was_made(tmp_path: Path, audio: Path) -> None:
    init, _ = read_whole(audio)
    frames = [b"one", b"", b"three"]
    segment = cmaf.audio_segment(sequence=7, base_decode_time=2**40, frame_samples=1024, frames=frames)
    path = tmp_path / "segment.mp4"
    path.write_bytes(init + segment)
    _, (fragment,) = read_whole(path)
    assert fragment.data == segment
    assert (fragment.base_decode_time, fragment.duration) == (2**40, 3 * 1024)
    assert fragment.sample_sizes == (3, 0, 5)
    assert fragment.payload == b"onethree"
    assert fragment.starts_with_sync


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def fragment_of(trun: bytes, *, tfhd: bytes = struct.pack(">II", 0x02_0000, 1)) -> tuple[bytes, bytes]:
    tfdt = box(b"tfdt", struct.pack(">IQ", 0x0100_0000, 0))
    return box(b"moof", box(b"traf", box(b"tfhd", tfhd) + tfdt + box(b"trun", trun))), box(
        b"mdat", b"x" * 100
    )


def test_durations_and_sizes_default_to_those_of_the_track() -> None:
    fragment = cmaf.parse_fragment(*fragment_of(struct.pack(">II", 0, 4)), defaults=(512, 25, 0x0001_0000))
    assert (fragment.duration, fragment.sample_sizes) == (4 * 512, (25, 25, 25, 25))
    assert not fragment.starts_with_sync


def test_defaults_of_the_fragment_come_before_those_of_the_track() -> None:
    tfhd = struct.pack(">IIIII", 0x02_0038, 1, 100, 10, 0)
    moof, mdat = fragment_of(struct.pack(">II", 0, 2), tfhd=tfhd)
    fragment = cmaf.parse_fragment(moof, mdat, defaults=(512, 25, 0x0001_0000))
    assert (fragment.duration, fragment.sample_sizes, fragment.starts_with_sync) == (200, (10, 10), True)


@pytest.mark.parametrize(
    ("trun", "defaults"),
    [
        (struct.pack(">II", 0x200, 2**32 - 1), (1, 1, 0)),  # a table that is not there
        (struct.pack(">II", 0, 2**32 - 1), (1, 0, 0)),  # four thousand million samples of no bytes
        (struct.pack(">II", 0, 1), (1, 101, 0)),  # more bytes than there are
        (struct.pack(">IIi", 0x1, 1, -200), (1, 10, 0)),  # bytes before the fragment
        (struct.pack(">II", 0, 0), (1, 10, 0)),  # no sample
        (struct.pack(">I", 0), (1, 10, 0)),
        (b"", (1, 10, 0)),
    ],
)
def test_samples_that_cannot_be_there_are_refused(trun: bytes, defaults: tuple[int, int, int]) -> None:
    with pytest.raises(MalformedBoxes):
        cmaf.parse_fragment(*fragment_of(trun), defaults=defaults)


def test_sizes_of_zero_and_one_mean_the_rest_and_a_long_size() -> None:
    data = struct.pack(">I4sQ", 1, b"long", 20) + b"body" + struct.pack(">I4s", 0, b"rest") + b"all"
    assert [(b.kind, data[b.start : b.end]) for b in cmaf.boxes(data)] == [
        (b"long", b"body"),
        (b"rest", b"all"),
    ]


@settings(deadline=None)  # a machine under load is slow, not wrong
@given(st.binary(max_size=200))
@example(struct.pack(">I4s", 7, b"tiny"))
@example(struct.pack(">I4sQ", 1, b"long", 15) + b"12345678")
def test_any_bytes_are_boxes_that_fill_them_or_are_refused(data: bytes) -> None:
    try:
        found = list(cmaf.boxes(data))
    except MalformedBoxes:
        return
    assert all(0 < b.start <= b.end <= len(data) for b in found)
    assert not data or found[-1].end == len(data)


READERS: tuple[Callable[[bytes], object], ...] = (
    decoder_record,
    codec_string,
    cmaf.track_timescale,
    cmaf.edit_media_time,
)


@settings(deadline=None)
@given(st.data())
def test_damage_is_read_or_refused_and_nothing_else(
    video: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    init, fragments = read_whole(video)
    whole = bytearray(init + fragments[0].data)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(init) + 300))
        whole[at : at + 4] = data.draw(
            st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"", b"\x80"])
        )
    damaged = bytes(whole)
    for read in READERS:
        with suppress(MalformedBoxes):
            read(damaged[: len(init)])
    path = tmp_path_factory.getbasetemp() / "damaged.mp4"
    path.write_bytes(damaged)
    with suppress(MalformedBoxes):
        for fragment in read_whole(path)[1]:
            for codec in CODEC_NAMES:
                starts_afresh(fragment, codec)
