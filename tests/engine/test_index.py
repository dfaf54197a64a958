"""The packet index tells what is in a file whatever its container claims."""

from collections.abc import Sequence
from fractions import Fraction

import pytest

from rushes.engine.index import longest_gop_s, read_index, usual_gap, with_first_pts
from rushes.engine.source import AudioStream, PacketIndex, VideoStream

FRAME = 3000  # ticks of 1/90000: 30 fps


def picture(**fields: object) -> VideoStream:
    return VideoStream(index=0, codec="h264", time_base=Fraction(1, 90000), width=320, height=180, **fields)  # type: ignore[arg-type]


def sound(**fields: object) -> AudioStream:
    return AudioStream(  # type: ignore[arg-type]
        index=1, codec="aac", time_base=Fraction(1, 48000), sample_rate_hz=48000, channels=2, **fields
    )


def line(
    stream: int, pts: object, dts: object, duration: object = FRAME, size: int = 100, flags: str = "K__"
) -> str:
    return f"{stream},{pts},{dts},{duration},{size},N/A,{flags}"


def index_of(lines: Sequence[str], stream: VideoStream | AudioStream | None = None) -> PacketIndex:
    stream = stream or picture()
    return read_index(lines, [stream])[stream.index]


def test_packets_of_a_stream_are_in_decoding_order_with_keyframes_by_number() -> None:
    order = [(0, "K__"), (9000, "___"), (3000, "___"), (6000, "___"), (12000, "K__")]
    index = index_of([line(0, pts, n * FRAME, flags=flags) for n, (pts, flags) in enumerate(order)])
    assert list(index.pts) == [pts for pts, _ in order]
    assert list(index.dts) == [0, 3000, 6000, 9000, 12000]
    assert list(index.keyframes) == [0, 4]
    assert longest_gop_s(index, Fraction(1, 90000)) == Fraction(12000, 90000)


def test_lines_of_other_streams_and_of_side_data_are_skipped() -> None:
    lines = [line(0, 0, 0) + ",", line(2, 0, 0), "", "garbage", "1,2", line(1, 0, 0, 1024)]
    packets = read_index(lines, [picture(), sound()])
    assert {number: len(index) for number, index in packets.items()} == {0: 1, 1: 1}


def test_a_stream_without_packets_has_no_index() -> None:
    assert read_index([line(0, 0, 0)], [picture(), sound()]).keys() == {0}


def test_packets_that_an_edit_list_hides_are_counted_and_left_out() -> None:
    lines = [line(1, -1024, -1024, 1024, flags="KD_"), line(1, 0, 0, 1024), line(1, 1024, 1024, 1024)]
    index = index_of(lines, sound())
    assert (list(index.pts), index.discarded) == ([0, 1024], 1)


def test_damaged_and_empty_packets_are_counted_and_keep_their_place_in_time() -> None:
    lines = [
        line(0, 0, 0),
        line(0, 3000, 3000, flags="K_C"),
        line(0, 6000, 6000, size=0),
        line(0, 9000, 9000),
    ]
    index = index_of(lines)
    assert (len(index), index.corrupt, index.empty) == (4, 1, 1)


def test_a_missing_pts_falls_back_to_the_dts() -> None:
    index = index_of([line(0, "N/A", n * FRAME) for n in range(4)])
    assert list(index.pts) == [0, 3000, 6000, 9000]
    assert index.untimed == 4


def test_without_pts_the_frames_that_a_decoder_holds_back_delay_all() -> None:
    # MPEG-4 with B-frames in AVI: ffmpeg shows the first picture a frame late; measured, see test_probe.
    lines = [line(0, "N/A", 0), line(0, "N/A", 3000), line(0, 6000, 6000), line(0, 9000, 9000)]
    index = index_of(lines, picture(delay_frames=1))
    assert sorted(index.pts) == [3000, 6000, 9000, 12000]


def test_packets_without_any_time_follow_each_other() -> None:
    assert list(index_of([line(0, "N/A", "N/A") for _ in range(3)]).pts) == [0, 3000, 6000]


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [
        (FRAME, FRAME),
        (5000, 5000),  # a little longer: shown a little longer
        (143_165 * 90_000, FRAME),  # a second of video that claims forty hours
        (110 * FRAME, FRAME),  # 759 frames that claim to last as long as 869
        ("N/A", FRAME),
        (0, FRAME),
        (90, FRAME),  # 1 ms, which ffmpeg guesses where it found no rate
    ],
)
def test_a_lying_last_duration_is_replaced_by_the_usual_gap(claimed: object, expected: int) -> None:
    lines = [line(0, n * FRAME, n * FRAME) for n in range(30)] + [line(0, 30 * FRAME, 30 * FRAME, claimed)]
    assert index_of(lines).last_duration == expected


def test_the_last_duration_is_that_of_the_packet_shown_last_not_read_last() -> None:
    lines = [line(0, 0, 0), line(0, 9000, 3000, 4000), line(0, 3000, 6000, 2500), line(0, 6000, 9000, 2000)]
    assert index_of(lines).last_duration == 4000


def test_a_single_picture_lasts_as_long_as_it_says_within_reason() -> None:
    assert index_of([line(0, 0, 0, 5 * 90000)]).last_duration == 5 * 90000
    rated = picture(nominal_rate=Fraction(30))
    assert index_of([line(0, 0, 0, 10**12)], rated).last_duration == FRAME
    assert index_of([line(0, 0, 0, "N/A")]).last_duration == 3600  # 25 fps where nothing is known


def test_steps_back_in_decoding_time_do_not_disturb_the_usual_gap() -> None:
    times = [0, 3000, 6000, 1000, 9000, 12000, 15000, 18000]
    index = index_of([line(0, t, t) for t in times])
    assert (len(index), usual_gap(index)) == (8, 3000)


def test_a_stream_starts_with_its_first_kept_packet_not_where_the_container_says() -> None:
    lines = [
        line(0, 6000, 0),
        line(0, 3000, 3000),
        *[line(1, 960 + n * 1024, n * 1024, 1024) for n in range(3)],
    ]
    streams = (picture(first_pts=0), sound(first_pts=99_999))
    assert [s.first_pts for s in with_first_pts(streams, read_index(lines, streams))] == [3000, 960]


def test_sound_cut_within_a_packet_starts_at_the_sample() -> None:
    lines = [line(1, 8233 + n * 1024, 8233 + n * 1024, 1024) for n in range(3)]
    streams = (sound(first_pts=8297),)
    assert with_first_pts(streams, read_index(lines, streams))[0].first_pts == 8297


def test_memory_is_a_few_tens_of_bytes_a_packet() -> None:
    index = index_of([line(0, n * FRAME, n * FRAME) for n in range(1000)])
    columns = (index.pts, index.dts, index.size_bytes, index.position, index.keyframes)
    assert sum(column.itemsize for column in columns) <= 36
