"""The index from an MP4's tables is the one that reading every packet gives, or there is none."""

import json
import struct
import subprocess
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rushes.engine.binaries import toolchain
from rushes.engine.cmaf import find
from rushes.engine.index import PACKET_ENTRIES, read_index
from rushes.engine.mp4boxes import NoTables
from rushes.engine.mp4index import edge_intervals, index_from_tables, index_of_mp4
from rushes.engine.mp4tables import read_tables
from rushes.engine.probe import probe, source_key
from rushes.engine.process import run_tool
from rushes.engine.source import PacketIndex, Stream
from rushes.engine.streams import parse_streams
from tests.clips import make_clip

Clip = Callable[..., Path]
FFPROBE = (str(toolchain().ffprobe.path), "-v", "error")
B_FRAMES = ("-preset", "veryfast", "-bf", "3", "-b_strategy", "0", "-g", "48")

PLAIN: dict[str, dict[str, Any]] = {  # what the tables have to tell by themselves
    "without B-frames": {"duration_s": 5},
    "with B-frames": {"duration_s": 5, "options": B_FRAMES},
    "with pyramids": {"duration_s": 5, "options": (*B_FRAMES, "-x264-params", "b-pyramid=normal:open-gop=1")},
    "index first": {"duration_s": 5, "options": (*B_FRAMES, "-movflags", "+faststart")},
    "negative composition times": {"duration_s": 5, "options": (*B_FRAMES, "-movflags", "+negative_cts_offsets")},
    "44.1 kHz": {"duration_s": 5, "options": ("-ar", "44100")},
    "several sound tracks": {"duration_s": 5, "audio_tracks": 3},
    "sound alone": {"duration_s": 5, "codec": "", "suffix": ".m4a"},
    "pictures alone": {"duration_s": 5, "audio_tracks": 0, "options": B_FRAMES},
    "late start": {"duration_s": 3, "options": (*B_FRAMES, "-output_ts_offset", "2.5")},
    "film": {"duration_s": 5, "rate": 24, "suffix": ".mov", "options": ("-video_track_timescale", "24000")},
    "PCM": {"duration_s": 3, "audio_codec": "pcm_s16le", "suffix": ".mov"},
    "deep PCM": {"duration_s": 3, "audio_codec": "pcm_s24be", "suffix": ".mov", "options": ("-ac", "2")},
    "ALAC": {"duration_s": 3, "audio_codec": "alac"},
    "MPEG-4": {"duration_s": 3, "codec": "mpeg4"},
    "Motion JPEG": {"duration_s": 2, "codec": "mjpeg", "suffix": ".mov", "options": ("-pix_fmt", "yuvj420p")},
    "ProRes": {"duration_s": 1, "codec": "prores_ks", "suffix": ".mov", "options": ("-pix_fmt", "yuv422p10le")},
    "HEVC": {"duration_s": 4, "codec": "libx265", "options": ("-x265-params", "log-level=none", "-tag:v", "hvc1")},
    "timecode": {"duration_s": 2, "suffix": ".mov", "options": ("-timecode", "01:00:00:00")},
    "uneven rate": {"duration_s": 5, "options": (*B_FRAMES, "-vf", "select='mod(n,7)'", "-fps_mode", "vfr")},
    "single picture": {"duration_s": 0.03, "audio_tracks": 0},
}  # fmt: skip
OTHER: dict[str, dict[str, Any]] = {  # what may be declined, but not be told wrongly
    "MPEG-4 with B-frames": {"duration_s": 3, "codec": "mpeg4", "options": ("-bf", "2")},
    "VP9": {"duration_s": 2, "codec": "libvpx-vp9", "options": ("-deadline", "realtime", "-cpu-used", "8")},
    "MP3": {"duration_s": 3, "audio_codec": "libmp3lame"},
    "AC-3": {"duration_s": 3, "audio_codec": "ac3"},
    "fragments": {"duration_s": 3, "options": ("-movflags", "+frag_keyframe+empty_moov")},
    "fragments after samples": {"duration_s": 3, "gop": 30, "options": ("-movflags", "+frag_keyframe")},
    "fragments, hidden": {"duration_s": 3, "gop": 30, "options": ("-movflags", "+frag_keyframe+hybrid_fragmented")},
}  # fmt: skip


def described(path: Path) -> tuple[dict[str, Any], tuple[Stream, ...]]:
    result = run_tool([*FFPROBE, "-show_streams", "-show_format", "-of", "json", str(path)])
    document: dict[str, Any] = json.loads(result.stdout)
    return document, parse_streams(document["streams"])


def from_tables(path: Path) -> dict[int, PacketIndex] | None:
    return index_of_mp4(FFPROBE, path, *described(path), large_bytes=0)


def from_packets(path: Path) -> dict[int, PacketIndex]:
    lines = run_tool([*FFPROBE, *PACKET_ENTRIES, str(path)]).stdout.splitlines()
    return read_index(lines, described(path)[1])


def ffmpeg(*arguments: str | Path) -> None:
    argv = [str(toolchain().ffmpeg.path), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(argv, check=False)  # not in the sandbox: it writes wherever the test likes


@pytest.mark.parametrize("kind", PLAIN)
def test_the_tables_tell_what_the_packets_do(clip: Clip, kind: str) -> None:
    path = clip(**PLAIN[kind])
    assert from_tables(path) == from_packets(path)


@pytest.mark.parametrize("kind", OTHER)
def test_what_is_not_plain_is_declined_or_told_rightly(clip: Clip, kind: str) -> None:
    path = clip(**OTHER[kind])
    assert from_tables(path) in (None, from_packets(path))


@pytest.mark.parametrize(
    "options",
    [("-ss", "1.3"), ("-ss", "2", "-t", "1.7"), ("-ss", "0.01"), ("-itsoffset", "1.5"), ("-t", "0.5")],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "kind", ["without B-frames", "with B-frames", "PCM", "44.1 kHz", "sound alone", "HEVC"]
)
def test_edit_lists_hide_and_move_what_ffmpeg_does(
    clip: Clip, tmp_path: Path, kind: str, options: tuple[str, ...]
) -> None:
    whole = clip(**PLAIN[kind])
    cut = tmp_path / f"cut{whole.suffix}"
    ffmpeg(*options, "-i", whole, "-map", "0", "-c", "copy", cut)
    assert from_tables(cut) == from_packets(cut)


def test_turned_pictures_covers_chapters_and_data_tracks_keep_streams_apart(
    clip: Clip, tmp_path: Path
) -> None:
    whole, words, cover = clip(duration_s=3, audio_tracks=2), tmp_path / "words.srt", tmp_path / "cover.png"
    chapters, full = tmp_path / "chapters.txt", tmp_path / "full.mp4"
    words.write_text("1\n00:00:00,500 --> 00:00:01,000\nhello\n")
    chapters.write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=1\nEND=3\n"
    )
    ffmpeg("-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1", cover)
    ffmpeg("-i", words, "-display_rotation", "90", "-i", whole, "-i", cover, "-i", chapters, "-map", "0",
           "-map", "1", "-map", "2", "-map_metadata", "3", "-c", "copy", "-c:s", "mov_text",
           "-disposition:v:1", "attached_pic", full)  # fmt: skip
    assert from_tables(full) == from_packets(full)


@pytest.mark.parametrize("name", sorted(
    ["ffmpeg-normalize__test.mp4", "imageio-binaries__cockatoo.mp4", "imageio-binaries__cockatoo_yuv420.mp4",
     "imageio-binaries__realshort.mp4", "media__h265_with_metadata_track.mp4",
     "media__hdr10-video-with-sdr-container.mp4", "media__long_1080p_lowbitrate.mp4", "media__sample.video.mp4",
     "media__sample_audio_only.mp4", "metadata-extractor-images__FLIR_Thermal.mp4",
     "metadata-extractor-images__with-gps.mov", "mp4parse-rust__hevc_white_frame.mp4",
     "sample-videos__bottle-detection.mp4", "sample-videos__car-detection.mp4",
     "sample-videos__one-by-one-person-detection.mp4"]))  # fmt: skip
def test_real_files_are_told_rightly(real_clip: Callable[[str], Path], name: str) -> None:
    path = real_clip(name)
    found = from_tables(path)
    if name in ("ffmpeg-normalize__test.mp4", "imageio-binaries__cockatoo.mp4", "media__sample.video.mp4"):
        assert found is None  # sound that ffmpeg cuts anew, fragments
    else:
        assert found == from_packets(path)


def test_a_large_file_has_the_same_key_and_packets_as_if_all_were_read(clip: Clip, tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    large.write_bytes(
        clip(duration_s=3, options=B_FRAMES).read_bytes() + struct.pack(">I4s", 20 << 20, b"free")
    )
    with large.open("r+b") as file:
        file.truncate(file.seek(0, 2) + (20 << 20) - 8)
    assert index_of_mp4(FFPROBE, large, *described(large)) is not None
    source, packets = probe(large, toolchain()), from_packets(large)
    assert source.packets == packets
    assert source.key == source_key(large, large.stat().st_size, packets)


def test_a_small_file_is_read_whole(clip: Clip) -> None:
    path = clip(duration_s=3)
    assert index_of_mp4(FFPROBE, path, *described(path)) is None


def test_a_cut_off_file_is_read_whole(clip: Clip, tmp_path: Path) -> None:
    whole = clip(duration_s=3, options=("-movflags", "+faststart")).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 7 // 10])
    assert from_tables(cut) is None


def test_tables_that_lie_about_keyframes_are_found_out(clip: Clip, tmp_path: Path) -> None:
    data = bytearray(clip(duration_s=3, gop=30, options=("-preset", "veryfast", "-bf", "0")).read_bytes())
    at = data.index(b"stss") + 8
    assert struct.unpack_from(">III", data, at) == (3, 1, 31)
    struct.pack_into(">I", data, at + 8, 30)
    lying = tmp_path / "lying.mp4"
    lying.write_bytes(data)
    assert from_tables(lying) is None


@cache
def small_clip(folder: Path) -> tuple[bytes, int, dict[int, int], tuple[Stream, ...], tuple[str, ...]]:
    """Bytes, where the moov box's body begins, track numbers, streams, ffprobe's packets of both ends."""
    path = make_clip(folder / "small.mp4", duration_s=2, options=(*B_FRAMES, "-movflags", "+faststart"))
    document, streams = described(path)
    lines = run_tool([*FFPROBE, *edge_intervals(2), *PACKET_ENTRIES, str(path)]).stdout.splitlines()  # type: ignore[arg-type]
    track_ids = {stream["index"]: int(stream["id"], 0) for stream in document["streams"]}
    data = path.read_bytes()
    return data, find(data, b"moov").start, track_ids, streams, tuple(lines)


@settings(
    max_examples=300,
    deadline=timedelta(seconds=20),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    wounds=st.lists(
        st.tuples(
            st.integers(0, 1 << 16),
            st.one_of(st.sampled_from([0, 1, 2, 0xFF, 0x7FFF_FFFF, 0x8000_0000, 1 << 24, (1 << 32) - 1]),
                      st.integers(0, (1 << 32) - 1)),
        ),
        max_size=4,
    ),
    cut=st.one_of(st.just(0), st.integers(1, 1 << 16)),
)  # fmt: skip
def test_whatever_a_moov_claims_it_is_read_or_declined(
    tmp_path_factory: pytest.TempPathFactory, wounds: list[tuple[int, int]], cut: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "mutants"
    original, start, track_ids, streams, lines = small_clip(folder)
    data = bytearray(original)
    length = find(original, b"moov").end - start
    for place, word in wounds:
        struct.pack_into(">I", data, start - 8 + place % (length + 4), word)
    mutant = folder / "mutant.mp4"
    mutant.write_bytes(data[: len(data) - cut % len(data)])
    try:
        tables = read_tables(mutant, streams, track_ids)
        index_from_tables(tables, lines, streams)
    except NoTables:
        return


@pytest.mark.parametrize("kind", [b"stts", b"ctts", b"stss", b"stsc", b"stsz", b"stco", b"elst", b"stsd"])
def test_a_count_of_four_billion_takes_no_memory(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, kind: bytes
) -> None:
    original, _, track_ids, streams, _ = small_clip(tmp_path_factory.getbasetemp() / "mutants")
    data = bytearray(original)
    count_at = data.index(kind) + (12 if kind == b"stsz" else 8)
    struct.pack_into(">I", data, count_at, 0xFFFF_FFFF)
    bomb = tmp_path / "bomb.mp4"
    bomb.write_bytes(data)
    with pytest.raises(NoTables):
        read_tables(bomb, streams, track_ids)
