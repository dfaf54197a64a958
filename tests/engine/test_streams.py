"""ffprobe's JSON to typed streams, without ffprobe."""

from fractions import Fraction
from typing import Any

import pytest

from rushes.engine.source import AudioStream, OtherStream, SubtitleStream, VideoStream
from rushes.engine.streams import bit_depth, parse_stream


def video(**fields: Any) -> VideoStream:
    base = {"index": 0, "codec_name": "h264", "codec_type": "video", "width": 720, "height": 576}
    stream = parse_stream({**base, "time_base": "1/25", **fields})
    assert isinstance(stream, VideoStream)
    return stream


def matrix(a: int, b: int, c: int, d: int, rotation: int) -> list[dict[str, Any]]:
    rows = (
        f"\n00000000: {a:>12} {b:>11} {0:>11}\n00000001: {c:>12} {d:>11} {0:>11}\n"
        f"00000002: {0:>12} {0:>11} {1073741824:>11}\n"
    )
    return [{"side_data_type": "Display Matrix", "displaymatrix": rows, "rotation": rotation}]


@pytest.mark.parametrize(
    ("said", "rotation_deg"), [(-90, 90), (90, 270), (180, 180), (-180, 180), (0, 0), (-89, 90)]
)
def test_rotation_is_clockwise_however_ffprobe_counts(said: int, rotation_deg: int) -> None:
    one = 65536
    stream = video(side_data_list=matrix(0, one, -one, 0, said))
    assert (stream.rotation_deg, stream.mirrored) == (rotation_deg, False)


def test_a_mirrored_picture_is_told_from_a_turned_one() -> None:
    one = 65536
    assert video(side_data_list=matrix(-one, 0, 0, one, 180)).mirrored
    assert video(side_data_list=matrix(0, one, one, 0, -90)).mirrored
    assert not video(side_data_list=matrix(-one, 0, 0, -one, 180)).mirrored


@pytest.mark.parametrize(
    ("said", "sar"), [("16:11", Fraction(16, 11)), ("0:1", Fraction(1)), ("N/A", Fraction(1))]
)
def test_a_shape_of_pixels_that_is_not_said_is_square(said: str, sar: Fraction) -> None:
    assert video(sample_aspect_ratio=said).sample_aspect_ratio == sar


def test_a_display_size_has_pixels_square_and_upright() -> None:
    one = 65536
    stream = video(sample_aspect_ratio="64:45", side_data_list=matrix(0, one, -one, 0, -90))
    assert stream.display_size == (576, 1024)


@pytest.mark.parametrize(
    ("transfer", "side_data", "hdr"),
    [
        ("arib-std-b67", [], "hlg"),
        ("smpte2084", [], "pq"),
        ("arib-std-b67", [{"side_data_type": "DOVI configuration record"}], "dolby-vision"),
        ("bt709", [], "sdr"),
    ],
)
def test_the_kind_of_hdr_is_known(transfer: str, side_data: list[Any], hdr: str) -> None:
    assert video(color_transfer=transfer, side_data_list=side_data).hdr == hdr


def test_the_profile_of_dolby_vision_is_known() -> None:
    told = [{"side_data_type": "DOVI configuration record", "dv_profile": 8}]
    assert video(side_data_list=told).dolby_vision_profile == 8


def test_what_ffprobe_does_not_know_is_none() -> None:
    stream = video(r_frame_rate="0/0", field_order="unknown", color_space="unknown", profile="unknown")
    assert (stream.nominal_rate, stream.field_order, stream.colour.matrix, stream.profile) == (None,) * 4
    assert not stream.interlaced
    assert video(field_order="tt").interlaced


@pytest.mark.parametrize(
    ("pix_fmt", "depth"),
    [
        *[("yuv420p", 8), ("yuvj422p", 8), ("nv12", 8), ("yuv410p", 8), ("rgb565le", 8), (None, 8)],
        *[("yuv420p10le", 10), ("yuv422p12be", 12), ("p010le", 10), ("p216le", 16), ("y210le", 10)],
        *[("gray10le", 10), ("gbrap16le", 16), ("gbrpf32le", 32), ("rgb48le", 16), ("x2rgb10le", 10)],
    ],
)
def test_bits_are_read_from_the_name_of_the_pixels(pix_fmt: str | None, depth: int) -> None:
    assert bit_depth(pix_fmt) == depth


def test_a_language_that_says_nothing_is_none_and_names_of_tags_have_no_case() -> None:
    base = {"index": 1, "codec_type": "subtitle", "codec_name": "ass", "time_base": "1/1000"}
    stream = parse_stream(
        {**base, "tags": {"LANGUAGE": "und", "TITLE": "Signs"}, "disposition": {"forced": 1}}
    )
    assert isinstance(stream, SubtitleStream)
    assert (stream.language, stream.title, stream.dispositions) == (None, "Signs", {"forced"})
    assert parse_stream({**base, "tags": {"language": "pt-BR"}}).language == "pt-BR"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"codec_type": "video", "codec_name": "png", "disposition": {"attached_pic": 1}}, "picture"),
        ({"codec_type": "video", "codec_name": "h264", "width": 0, "height": 0}, "unknown"),
        ({"codec_type": "video", "width": 320, "height": 240}, "unknown"),
        ({"codec_type": "audio", "codec_name": "aac", "sample_rate": "0", "channels": 0}, "unknown"),
        ({"codec_type": "audio", "sample_rate": "48000", "channels": 4}, "unknown"),
        ({"codec_type": "data"}, "data"),
        ({"codec_type": "attachment", "codec_name": "ttf"}, "attachment"),
        ({}, "unknown"),
    ],
)
def test_what_cannot_be_played_is_another_kind_of_stream(fields: dict[str, Any], kind: str) -> None:
    stream = parse_stream({"index": 3, "time_base": "1/90000", **fields})
    assert isinstance(stream, OtherStream)
    assert stream.kind == kind


def test_an_audio_stream_has_rate_channels_and_layout() -> None:
    stream = parse_stream(
        {
            **{"index": 2, "codec_type": "audio", "codec_name": "ac3", "time_base": "1/48000"},
            **{"sample_rate": "48000", "channels": 6, "channel_layout": "5.1(side)", "bit_rate": "320000"},
        }
    )
    assert isinstance(stream, AudioStream)
    assert (stream.sample_rate_hz, stream.channels, stream.layout) == (48000, 6, "5.1(side)")
    assert stream.bitrate_bps == 320_000
