"""Probing real files of every kind: what is described is what ffmpeg then decodes."""

import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from rushes.engine.admission import (
    NothingToPlay,
    NotMedia,
    PlaylistRefused,
    ProbeError,
    TooLong,
    TooManyPixels,
)
from rushes.engine.binaries import toolchain
from rushes.engine.probe import probe
from rushes.engine.source import OtherStream, Source, SubtitleStream, VideoStream

Clip = Callable[..., Path]

REAL_CLIPS = {  # name: pictures that ffmpeg decodes; None: no video
    "ffmpeg-normalize__test.mp4": 300,
    "imageio-binaries__cockatoo.mp4": 280,
    "imageio-binaries__cockatoo_yuv420.mp4": 280,
    "imageio-binaries__realshort.mp4": 36,
    "media__bear-vp9-odd-dimensions.webm": 30,
    "media__h265_with_metadata_track.mp4": 3,
    "media__hdr10-video-with-sdr-container.mp4": 28,
    "media__long_1080p_lowbitrate.mp4": 10883,
    "media__sample.flv": 30,
    "media__sample.video.mp4": 73,
    "media__sample_audio_only.mp4": None,
    "media__sample_with_ass_subtitles.mkv": 30,
    "mediaelement-files__echo-hereweare.webm": 836,
    "metadata-extractor-images__FLIR_Thermal.mp4": 84,
    "metadata-extractor-images__MVI_4823.AVI": 78,
    "metadata-extractor-images__Sony_ILCE-7M3__A7M3_.mts": 26,  # fields: 13 interlaced frames
    "metadata-extractor-images__with-gps.mov": 120,
    "mp4parse-rust__hevc_white_frame.mp4": 1,
    "sample-videos__bottle-detection.mp4": 1189,
    "sample-videos__car-detection.mp4": 377,
    "sample-videos__one-by-one-person-detection.mp4": 1394,
}


def look(path: Path, **options: float) -> Source:
    return probe(path, toolchain(), **options)  # type: ignore[arg-type]


def ffmpeg(*arguments: str | Path) -> str:
    argv = [str(toolchain().ffmpeg.path), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def decoded_times(source: Source) -> list[Fraction]:
    """Seconds at which ffmpeg shows each frame of the planned video."""
    video = source.video
    assert video is not None
    base = f"{video.time_base.numerator}:{video.time_base.denominator}"
    rows = ffmpeg(
        *("-copyts", "-i", source.path, "-map", f"0:{video.index}", "-fps_mode", "passthrough"),
        *("-enc_time_base", base, "-s", "16x16", "-f", "framecrc", "-"),
    ).splitlines()
    tick = Fraction(next(row for row in rows if row.startswith("#tb")).split()[-1])
    return sorted(int(row.split(",")[2]) * tick for row in rows if not row.startswith("#"))


def indexed_times(source: Source) -> list[Fraction]:
    video = source.video
    assert video is not None
    return sorted(pts * video.time_base for pts in source.packets[video.index].pts)


@pytest.mark.parametrize(
    ("codec", "suffix", "options"),
    [
        ("libx264", ".mp4", ["-bf", "2"]),
        ("libx264", ".mkv", ["-bf", "2"]),
        ("libx264", ".flv", ["-bf", "2"]),
        ("libx264", ".ts", ["-bf", "2"]),
        ("libx264", ".avi", ["-bf", "2", "-preset", "veryfast"]),
        ("libx264", ".mp4", ["-movflags", "frag_keyframe+empty_moov"]),
        ("libx265", ".mp4", ["-preset", "ultrafast", "-x265-params", "log-level=error"]),
        ("libvpx", ".webm", ["-deadline", "realtime", "-c:a", "libvorbis"]),
        ("libvpx-vp9", ".webm", ["-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"]),
        ("libsvtav1", ".mp4", ["-preset", "12", "-svtav1-params", "log=1"]),
        ("mpeg4", ".mp4", ["-bf", "2"]),
        ("mpeg4", ".avi", ["-bf", "2", "-c:a", "libmp3lame"]),
        ("mjpeg", ".mov", ["-pix_fmt", "yuvj420p"]),
        ("mjpeg", ".avi", ["-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le"]),
    ],
)
def test_the_index_has_the_times_of_exactly_the_frames_that_are_decoded(
    clip: Clip, codec: str, suffix: str, options: list[str]
) -> None:
    source = look(clip(codec=codec, suffix=suffix, duration_s=1, gop=12, options=options))
    assert indexed_times(source) == decoded_times(source)
    assert len(indexed_times(source)) == 30
    assert len(source.audio) == 1


@pytest.mark.parametrize(
    "rate", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(179, 6), Fraction(60), Fraction(25)]
)
def test_a_rate_is_kept_as_the_rational_that_it_is(clip: Clip, rate: Fraction) -> None:
    source = look(clip(rate=rate, duration_s=1, audio_tracks=0))
    assert source.video is not None
    assert (source.video.nominal_rate, source.video.average_rate) == (rate, rate)


def test_a_variable_rate_is_seen_in_the_packets(clip: Clip) -> None:
    source = look(
        clip(
            duration_s=2,
            audio_tracks=0,
            options=["-vf", "select='not(between(n,10,29))'", "-fps_mode", "vfr"],
        )
    )
    times = indexed_times(source)
    assert len(times) == 40
    assert max(b - a for a, b in pairwise(times)) == Fraction(21, 30)


@pytest.mark.parametrize(("turn_back_deg", "clockwise_deg"), [(90, 270), (-90, 90), (180, 180)])
def test_a_turned_phone_is_described_as_a_player_must_turn_it(
    clip: Clip, tmp_path: Path, turn_back_deg: int, clockwise_deg: int
) -> None:
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation:v", str(turn_back_deg), "-i", clip(duration_s=1), "-c", "copy", turned)
    video = look(turned).video
    assert video is not None
    assert (video.rotation_deg, video.mirrored) == (clockwise_deg, False)
    assert video.display_size == ((180, 320) if clockwise_deg in (90, 270) else (320, 180))


def test_a_selfie_is_mirrored(clip: Clip, tmp_path: Path) -> None:
    mirrored = tmp_path / "mirrored.mp4"
    ffmpeg("-display_hflip:v", "-i", clip(duration_s=1), "-c", "copy", mirrored)
    video = look(mirrored).video
    assert video is not None
    assert video.mirrored


def test_odd_sizes_and_pixels_that_are_not_square_are_kept(clip: Clip) -> None:
    odd = look(
        clip(
            **{"codec": "libvpx-vp9", "suffix": ".webm", "duration_s": 0.5, "audio_tracks": 0},
            options=["-vf", "scale=161:121", "-deadline", "realtime"],
        )
    ).video
    wide = look(clip(size=(144, 108), duration_s=0.5, options=["-vf", "setsar=4/3"])).video
    assert odd is not None
    assert wide is not None
    assert (odd.width, odd.height) == (161, 121)
    assert (wide.sample_aspect_ratio, wide.display_size) == (Fraction(4, 3), (192, 108))


def test_h264_headers_give_the_codec_string(clip: Clip) -> None:
    for suffix in (".mp4", ".ts"):
        video = look(
            clip(
                suffix=suffix,
                duration_s=0.5,
                options=["-preset", "veryfast", "-profile:v", "main", "-level", "3.1"],
            )
        ).video
        assert video is not None
        assert (video.codec_string, video.parameter_sets) == ("avc1.4d401f", 1)


def test_several_tracks_keep_language_title_and_disposition(clip: Clip) -> None:
    source = look(
        clip(
            **{"suffix": ".mkv", "audio_tracks": 3, "duration_s": 0.5},
            options=[
                *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu"),
                *("-metadata:s:a:1", "title=Kommentar", "-disposition:a:1", "comment"),
            ],
        )
    )
    assert [audio.language for audio in source.audio] == ["eng", "deu", None]
    assert source.audio[1].title == "Kommentar"
    assert "comment" in source.audio[1].dispositions


def test_sound_alone_and_pictures_alone_are_sources(clip: Clip) -> None:
    sound = look(clip(codec="", suffix=".m4a", duration_s=1))
    assert sound.video is None
    assert [audio.first_pts for audio in sound.audio] == [
        0
    ]  # the encoder's priming is hidden by the edit list
    assert sound.packets[sound.audio[0].index].discarded == 1
    assert look(clip(audio_tracks=0, duration_s=0.5)).audio == ()


def test_a_cover_is_not_the_video(clip: Clip, tmp_path: Path) -> None:
    cover, song = tmp_path / "cover.png", tmp_path / "song.m4a"
    ffmpeg("-f", "lavfi", "-i", "color=red:size=600x600", "-frames:v", "1", cover)
    ffmpeg("-i", clip(codec="", suffix=".m4a", duration_s=1), "-i", cover, "-map", "0", "-map", "1",
           "-c", "copy", "-disposition:v:0", "attached_pic", song)  # fmt: skip
    source = look(song)
    assert source.video is None
    assert [stream.kind for stream in source.streams if isinstance(stream, OtherStream)] == ["picture"]
    assert source.packets.keys() == {source.audio[0].index}


def test_a_video_with_a_cover_has_its_own_picture(clip: Clip, tmp_path: Path) -> None:
    cover, film = tmp_path / "cover.png", tmp_path / "film.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=red:size=600x600", "-frames:v", "1", cover)
    ffmpeg("-i", cover, "-i", clip(duration_s=1), "-map", "0", "-map", "1", "-c", "copy",
           "-disposition:v:0", "attached_pic", film)  # fmt: skip
    video = look(film).video
    assert video is not None
    assert (video.codec, video.width) == ("h264", 320)


def test_a_transport_stream_starts_where_its_clock_does(clip: Clip) -> None:
    source = look(clip(suffix=".ts", duration_s=1, options=["-output_ts_offset", "3600"]))
    assert source.video is not None
    assert source.video.first_pts is not None
    assert 3601 < source.video.first_pts * source.video.time_base < 3602
    assert source.video.first_pts == min(source.packets[source.video.index].pts)


def test_a_clock_that_wraps_round_goes_on(clip: Clip) -> None:
    wrap_s = 2**33 / 90_000  # 26.5 h, where the 33 bits of MPEG's clock end
    source = look(clip(suffix=".ts", duration_s=4, options=["-output_ts_offset", f"{wrap_s - 2:.3f}"]))
    times = indexed_times(source)
    assert len(times) == 120
    assert times[-1] - times[0] == Fraction(119, 30)


def test_sound_that_starts_late_is_seen(clip: Clip, tmp_path: Path) -> None:
    late = tmp_path / "late.mkv"
    whole = clip(duration_s=2)
    ffmpeg("-i", whole, "-itsoffset", "0.7", "-i", whole, "-map", "0:v", "-map", "1:a", "-c", "copy", late)
    source = look(late)
    start_s = source.audio[0].first_pts * source.audio[0].time_base  # type: ignore[operator]
    assert abs(start_s - Fraction(7, 10)) < Fraction(25, 1000)


def test_a_cut_off_mp4_is_described_as_far_as_it_goes(clip: Clip, tmp_path: Path) -> None:
    whole = clip(duration_s=2, options=["-movflags", "+faststart"]).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    source = look(cut)
    assert 20 < len(indexed_times(source)) < 60
    assert not source.complete
    assert "the file was cut off: its end is missing" in source.warnings


def test_the_key_follows_the_content_not_the_name(clip: Clip, tmp_path: Path) -> None:
    original = clip(duration_s=1)
    same, changed = tmp_path / "elsewhere.bin", tmp_path / "changed.mp4"
    shutil.copy(original, same)
    data = bytearray(original.read_bytes())
    data[len(data) // 2] ^= 1
    changed.write_bytes(data)
    key = look(original).key
    assert len(key) == 32
    assert look(same).key == key
    assert look(changed).key != key
    assert look(clip(duration_s=1, rate=25)).key != key


def test_a_long_file_is_not_hashed_whole(clip: Clip, tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    shutil.copy(clip(duration_s=1), large)
    with large.open("r+b") as file:
        file.truncate(64 << 30)  # 64 GiB of nothing behind it: only its edges are read
    assert look(large).size_bytes == 64 << 30


@pytest.mark.parametrize(
    ("content", "error", "sentence"),
    [
        (b"", NotMedia, "is empty"),
        (b"hello\n", NotMedia, "not a video or sound file"),
        (bytes(range(256)) * 40, NotMedia, "not a video or sound file"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nhello\n", NotMedia, "not a video or sound file"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\x10\0mdat" + b"x" * 500, NotMedia, "incomplete MP4"),
        (b"#EXTM3U\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n", PlaylistRefused, "is a playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", PlaylistRefused, "is a playlist"),
        (
            b"<?xml version='1.0'?>\n<MPD profiles='urn:mpeg:dash:profile:isoff-on-demand:2011'>",
            PlaylistRefused,
            "is a",
        ),
        (
            b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
            PlaylistRefused,
            "is a",
        ),
    ],
    ids=["empty", "text", "noise", "subtitles", "no moov", "hls", "concat", "dash", "sdp"],
)
def test_what_is_no_video_is_refused_with_a_sentence(
    tmp_path: Path, content: bytes, error: type[ProbeError], sentence: str
) -> None:
    path = tmp_path / "upload.mp4"
    path.write_bytes(content)
    with pytest.raises(error, match=sentence) as caught:
        look(path)
    assert type(caught.value) is error
    assert "upload.mp4" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotMedia, match=r"gone\.mp4 can't be read: No such file"):
        look(tmp_path / "gone.mp4")
    with pytest.raises(NotMedia, match="Is a directory"):
        look(tmp_path)


def test_subtitles_alone_are_nothing_to_play(clip: Clip, tmp_path: Path) -> None:
    words, alone = tmp_path / "words.srt", tmp_path / "alone.mkv"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    ffmpeg("-i", words, alone)
    with pytest.raises(NothingToPlay):
        look(alone)


def test_a_pixel_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.avi"
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "color=size=8192x4400:rate=1:duration=1",
        "-c:v",
        "mjpeg",
        "-pix_fmt",
        "yuvj420p",
        bomb,
    )
    with pytest.raises(TooManyPixels, match="8192x4400"):
        look(bomb)


def test_a_time_bomb_is_refused(clip: Clip, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.mkv"
    ffmpeg("-i", clip(duration_s=1, audio_tracks=0), "-c", "copy", "-bsf:v", "setts=ts=TS*60000", bomb)
    with pytest.raises(TooLong, match=r"16\.\d hours long; at most 13 hours"):
        look(bomb)
    assert look(clip(duration_s=1), max_duration_s=1.1).complete
    with pytest.raises(TooLong):
        look(clip(duration_s=1), max_duration_s=0.9)


@pytest.mark.parametrize("name", REAL_CLIPS)
def test_real_files_are_described_as_they_decode(real_clip: Callable[[str], Path], name: str) -> None:
    source = look(real_clip(name))
    pictures = REAL_CLIPS[name]
    assert (source.video is None) == (pictures is None)
    assert source.complete
    assert source.warnings == ()
    if source.video is not None:
        assert len(source.packets[source.video.index]) == pictures
        if not source.video.interlaced and pictures is not None and pictures < 1000:
            assert indexed_times(source) == decoded_times(source)


def test_real_rotation_hdr_and_extra_streams_are_recognised(real_clip: Callable[[str], Path]) -> None:
    turned = look(real_clip("media__h265_with_metadata_track.mp4"))
    assert turned.video is not None
    assert (turned.video.index, turned.video.rotation_deg) == (2, 90)
    assert any(isinstance(stream, OtherStream) and stream.kind == "data" for stream in turned.streams)
    for name, hdr in (
        ("media__hdr10-video-with-sdr-container.mp4", "pq"),
        ("media__sample.video.mp4", "hlg"),
    ):
        video = look(real_clip(name)).video
        assert video is not None
        assert (video.hdr, video.bit_depth) == (hdr, 10)
    subtitled = look(real_clip("media__sample_with_ass_subtitles.mkv"))
    assert any(isinstance(stream, SubtitleStream) for stream in subtitled.streams)
    interlaced = look(real_clip("metadata-extractor-images__Sony_ILCE-7M3__A7M3_.mts")).video
    assert isinstance(interlaced, VideoStream)
    assert interlaced.interlaced


def test_the_broken_real_file_says_what_is_wrong(real_clip: Callable[[str], Path]) -> None:
    with pytest.raises(NotMedia, match="incomplete MP4"):
        look(real_clip("streamio-ffmpeg__broken.mp4"))
