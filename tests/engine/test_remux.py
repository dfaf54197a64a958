"""Sources in which ffmpeg seeks past frames are copied first; nothing of their timing is lost."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from rushes.engine.admission import TooLong
from rushes.engine.binaries import toolchain
from rushes.engine.probe import probe
from rushes.engine.process import check_input_guards, ffmpeg_argv
from rushes.engine.remux import (
    AVI,
    MOV,
    MP4,
    NUT,
    RemuxFailed,
    choose_container,
    needs_remux,
    remux,
    remux_arguments,
    with_words,
)
from rushes.engine.source import Source
from tests.engine.sources import picture, sound

Clip = Callable[..., Path]
LONG_GOP = ["-bf", "2", "-g", "150", "-keyint_min", "150", "-sc_threshold", "0"]
MS = Fraction(1, 1000)


def look(path: Path) -> Source:
    return probe(path, toolchain())


def seconds(source: Source, stream_index: int) -> list[Fraction]:
    stream = next(stream for stream in source.streams if stream.index == stream_index)
    return sorted(pts * stream.time_base for pts in source.packets[stream_index].pts)


def planned_times(source: Source) -> list[list[Fraction]]:
    """Seconds of every packet, a list a stream, from the first of the first stream on."""
    indexes = [*([source.video.index] if source.video else []), *(audio.index for audio in source.audio)]
    columns = [seconds(source, index) for index in indexes]
    return [[time - columns[0][0] for time in column] for column in columns]


def first_decoded(path: Path, seek_s: float) -> tuple[Fraction, str] | None:
    """Time and picture of the first frame after a seek, as the engine does it."""
    rows = subprocess.run(
        [
            *(
                str(toolchain().ffmpeg.path),
                "-v",
                "error",
                "-copyts",
                "-noaccurate_seek",
                "-ss",
                f"{seek_s:.3f}",
            ),
            *("-i", str(path), "-map", "0:v:0", "-frames:v", "1", "-fps_mode", "passthrough"),
            *("-enc_time_base", "1:90000", "-f", "framecrc", "-"),
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    row = next((row for row in rows if not row.startswith("#")), None)
    return None if row is None else (Fraction(int(row.split(",")[2]), 90_000), row.split(",")[-1])


@pytest.mark.parametrize(
    ("suffix", "options", "wanted"),
    [
        (".mp4", [], False),
        (".mkv", [], False),
        (".mkv", ["-live", "1"], False),  # without cues
        (".mp4", ["-movflags", "frag_keyframe+empty_moov"], False),
        (".avi", ["-c:a", "libmp3lame"], False),
        (".flv", [], False),
        (".ts", [], True),
        (".vob", ["-c:v", "mpeg2video", "-c:a", "mp2", "-sc_threshold", "0"], True),
    ],
)
def test_only_formats_that_need_it_are_copied_and_then_every_seek_lands_in_time(
    clip: Clip, tmp_path: Path, suffix: str, options: list[str], wanted: bool
) -> None:
    source = look(clip(suffix=suffix, duration_s=12, options=[*LONG_GOP, *options]))
    assert needs_remux(source) == wanted
    seekable = remux(source, toolchain(), tmp_path) if wanted else source
    assert seekable.video is not None
    first, *_, last = seconds(seekable, seekable.video.index)
    assert last - first == pytest.approx(Fraction(359, 30), abs=float(MS))
    for chunk_start_s in (3, 6, 9, 11):
        # The engine seeks 2 s early: so much may a demuxer be late by a frame that is shown out of order.
        found = first_decoded(seekable.path, chunk_start_s - 2)
        assert found is not None
        assert found[0] <= first + chunk_start_s


def test_a_transport_stream_itself_seeks_too_late(clip: Clip) -> None:
    source = look(clip(suffix=".ts", duration_s=12, options=LONG_GOP))
    assert source.video is not None
    found = first_decoded(source.path, 1)
    assert found is None or found[0] > seconds(source, source.video.index)[0] + 3


@pytest.mark.parametrize("late_by_s", ["0.0", "0.5003", "-0.7"])
def test_sound_keeps_its_place_beside_the_picture(clip: Clip, tmp_path: Path, late_by_s: str) -> None:
    whole, late = clip(duration_s=3, options=LONG_GOP), tmp_path / "late.ts"
    argv = [str(toolchain().ffmpeg.path), "-v", "error", "-itsoffset", "2", "-i", str(whole)]
    argv += [
        "-itsoffset",
        str(2 + float(late_by_s)),
        "-i",
        str(whole),
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-c",
        "copy",
    ]
    subprocess.run([*argv, str(late)], check=True)
    source = look(late)
    copy = remux(source, toolchain(), tmp_path)
    for before, after in zip(planned_times(source), planned_times(copy), strict=True):
        assert len(before) == len(after)
        assert max(abs(a - b) for a, b in zip(before, after, strict=True)) < MS / 10


def test_the_copy_keeps_the_key_the_languages_and_the_place(clip: Clip, tmp_path: Path) -> None:
    source = look(
        clip(
            **{"suffix": ".ts", "audio_tracks": 2, "duration_s": 1},
            options=["-metadata:s:a:0", "language=fra", "-metadata:s:a:1", "language=deu"],
        )
    )
    copy = remux(source, toolchain(), tmp_path)
    assert copy.key == source.key
    assert copy.path.parent == tmp_path
    assert [audio.language for audio in copy.audio] == ["fra", "deu"]
    assert not needs_remux(copy)


def test_two_recordings_joined_without_care_follow_each_other(clip: Clip, tmp_path: Path) -> None:
    joined = tmp_path / "joined.ts"
    later = clip(suffix=".ts", duration_s=2, options=["-output_ts_offset", "40000"])
    joined.write_bytes(clip(suffix=".ts", duration_s=2).read_bytes() + later.read_bytes())
    copy = remux(look(joined), toolchain(), tmp_path)
    assert copy.video is not None
    times = seconds(copy, copy.video.index)
    assert len(times) == 120
    assert times[-1] - times[0] < 5


def test_a_copy_that_is_too_long_is_refused(clip: Clip, tmp_path: Path) -> None:
    with pytest.raises(TooLong):
        remux(look(clip(suffix=".ts", duration_s=2)), toolchain(), tmp_path, max_duration_s=1)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_raw_stream_gets_times_from_its_headers(clip: Clip, tmp_path: Path, codec: str) -> None:
    options = ["-bf", "2", "-preset", "ultrafast", "-f", "h264" if codec == "libx264" else "hevc"]
    suffix = ".h264" if codec == "libx264" else ".hevc"
    copy = remux(look(clip(codec=codec, suffix=suffix, rate=25, duration_s=2, audio_tracks=0, options=options)),
                 toolchain(), tmp_path)  # fmt: skip
    assert copy.video is not None
    assert copy.packets[copy.video.index].untimed == 0
    assert len(set(copy.packets[copy.video.index].pts)) == 50
    assert first_decoded(copy.path, 1) is not None


def test_a_cut_off_avi_gets_its_index_back(clip: Clip, tmp_path: Path) -> None:
    options = ["-bf", "2", "-g", "60", "-c:a", "libmp3lame"]
    whole = clip(codec="mpeg4", suffix=".avi", duration_s=12, options=options).read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    source = look(cut)
    assert not source.complete
    assert choose_container(source) is AVI
    copy = remux(source, toolchain(), tmp_path)
    assert [len(times) for times in planned_times(copy)] == [len(times) for times in planned_times(source)]
    found = first_decoded(copy.path, 4)
    assert found is not None
    assert found[0] <= Fraction(41, 10)
    assert copy.warnings == source.warnings


def test_each_codec_goes_where_its_time_stamps_fit(clip: Clip) -> None:
    source = look(clip(suffix=".ts", duration_s=0.5))
    assert choose_container(source) is MP4
    streams = tuple(replace(s, codec="pcm_bluray") if s.codec == "aac" else s for s in source.streams)
    packed = replace(source, streams=streams)
    assert choose_container(packed) is NUT
    arguments = remux_arguments(packed, NUT, "out.nut")
    assert arguments[arguments.index("-c:a:0") + 1] == "pcm_s24le"


def test_a_studio_s_file_is_copied_where_its_codec_has_a_name(clip: Clip, tmp_path: Path) -> None:
    options = ["-profile:v", "dnxhr_sq", "-c:a", "pcm_s24le"]
    options += ["-pix_fmt", "yuv422p"]
    source = look(clip(codec="dnxhd", suffix=".mxf", rate=25, duration_s=2, options=options))
    assert choose_container(source) is MOV
    copy = remux(source, toolchain(), tmp_path)
    assert [stream.codec for stream in copy.streams] == ["dnxhd", "pcm_s24le"]
    for before, after in zip(planned_times(source), planned_times(copy), strict=True):
        assert before[0] == after[0]
    assert not needs_remux(copy)
    found = first_decoded(copy.path, 1)
    assert found is not None
    assert found[0] == 1


def test_every_input_of_the_command_is_guarded(clip: Clip) -> None:
    source = look(clip(suffix=".ts", duration_s=0.5))
    check_input_guards(ffmpeg_argv("ffmpeg", remux_arguments(source, MP4, "out.mp4")))


def test_what_cannot_be_copied_says_so(clip: Clip, tmp_path: Path) -> None:
    source = look(clip(suffix=".ts", duration_s=0.5))
    unfit = replace(source, path=tmp_path / "gone.ts")
    with pytest.raises(
        RemuxFailed, match=r"gone\.ts is in a format without exact places to seek to \(mpegts\)"
    ):
        remux(unfit, toolchain(), tmp_path)


def test_a_real_camera_s_transport_stream_is_made_seekable(
    real_clip: Callable[[str], Path], tmp_path: Path
) -> None:
    source = look(real_clip("metadata-extractor-images__Sony_ILCE-7M3__A7M3_.mts"))
    copy = remux(source, toolchain(), tmp_path)
    assert [stream.codec for stream in copy.streams] == ["h264", "ac3"]
    assert copy.video is not None
    assert copy.video.field_order == "tt"


def test_what_a_copy_lacks_costs_the_others_no_words() -> None:
    film = picture(index=0, title="the film")
    german, english = sound(1, language="deu", title="Ton"), sound(2, language="eng")
    whole = with_words([picture(index=0), sound(1), sound(2)], [film, german, english])
    assert [(stream.language, stream.title) for stream in whole] == [
        (None, "the film"),
        ("deu", "Ton"),
        ("eng", None),
    ]
    # Of a picture without a whole packet nothing is copied; of two sounds one alone may be either.
    assert [stream.language for stream in with_words([sound(0), sound(1)], [film, german, english])] == [
        "deu",
        "eng",
    ]
    assert [stream.title for stream in with_words([picture(index=0), sound(1)], [film, german, english])] == [
        "the film",
        None,
    ]
