"""What may be copied, why something may not, and how a copy is cut at the source's own keyframes."""

import random
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rushes.engine.grid import choose_grid
from rushes.engine.settings import OPENING_SEGMENT_S, SEGMENT_S
from rushes.engine.source import PacketIndex, VideoStream
from rushes.engine.streamcopy import MAX_GOP_S, AudioCut, VideoCut, audio_cut, video_cut
from tests.engine.sources import MP4, aac, packets, picture, sound, steady

FRAME = 3000  # ticks of 1/90000: 30 fps


def cut_of(
    index: PacketIndex,
    video: VideoStream | None = None,
    *,
    formats: frozenset[str] = MP4,
    spans: tuple[tuple[Fraction, Fraction], ...] = (),
) -> VideoCut | str:
    video = video or picture()
    grid = choose_grid(video, index, spans)
    return video_cut(video, index, formats, grid, segment_s=SEGMENT_S, opening_s=OPENING_SEGMENT_S)


def eligible(index: PacketIndex, **fields: Any) -> VideoCut:
    cut = cut_of(index, picture(**fields))
    assert isinstance(cut, VideoCut), cut
    return cut


def frames_with_keyframes(gops: list[int], **fields: Any) -> PacketIndex:
    """A steady 30 fps; `gops` are the frames of each group of pictures."""
    starts = [0, *accumulate(gops)]
    return packets(
        [n * FRAME for n in range(starts[-1])], last_duration=FRAME, keyframes=starts[:-1], **fields
    )


def test_a_plain_phone_film_is_copied() -> None:
    cut = eligible(steady(30, 600, gop=30))
    assert cut.timeline.timescale == 90_000
    assert [bound / 90_000 for bound in cut.timeline.bounds] == [0, 2, 4, 8, 12, 16, 20]
    assert cut.delay_ticks == 0
    assert cut.average_bps == 30 * 2000 * 8


def test_a_rate_that_is_none_is_not_taken_for_many_frames_a_second() -> None:
    refused = cut_of(steady(30, 300, gop=30), picture(average_rate=Fraction(1000)))
    assert refused == "its container tells a wrong number of frames a second"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"codec": "hevc"}, "its codec is hevc, not H.264"),
        ({"pix_fmt": "yuv422p"}, "its pixels are yuv422p, not 8-bit 4:2:0"),
        ({"pix_fmt": "yuv420p10le"}, "its pixels are yuv420p10le, not 8-bit 4:2:0"),
        ({"profile": "High 10"}, "its H.264 profile is High 10"),
        ({"parameter_sets": 2}, "it has not exactly one set of parameters"),
        ({"codec_string": None}, "it has not exactly one set of parameters"),
        ({"time_base": Fraction(1001, 30_000)}, "its clock does not tick in whole parts of a second"),
        ({"field_order": "tt"}, "it is interlaced"),
        ({"rotation_deg": 90}, "it is rotated"),
        ({"mirrored": True}, "it is rotated"),
        ({"sample_aspect_ratio": Fraction(4, 3)}, "its pixels are not square"),
        ({"hdr": "hlg"}, "it is HDR"),
    ],
)
def test_a_stream_that_players_may_not_play_is_refused_with_the_reason(
    fields: dict[str, Any], sentence: str
) -> None:
    video = picture(**fields)
    assert cut_of(steady(30, 300, gop=30, time_base=video.time_base), video) == sentence


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        (steady(120, 300, gop=30), "it has more than 60 frames a second"),
        (steady(30, 300, gop=30, discarded=3), "an edit list hides a part of it"),
        (steady(30, 300, gop=30, corrupt=1), "parts of it are damaged"),
        (frames_with_keyframes([400]), "it has more than 10 s between two keyframes"),
        (frames_with_keyframes([30, 301, 30]), "it has more than 10 s between two keyframes"),
        (packets(range(0, 90 * FRAME, FRAME), keyframes=()), "it does not begin with a keyframe"),
        (packets(range(0, 90 * FRAME, FRAME), last_duration=FRAME, keyframes=[3, 30]), None),
        (steady(30, 300, gop=30, size_bytes=60_000), "its bitrate is too high for streaming"),
    ],
)
def test_packets_that_cannot_be_cut_are_refused_with_the_reason(
    index: PacketIndex, sentence: str | None
) -> None:
    refusal = cut_of(index)
    assert isinstance(refusal, str)
    assert refusal.startswith(sentence or "")


def test_a_container_without_an_exact_index_is_refused() -> None:
    assert cut_of(steady(30, 300), formats=frozenset({"mpegts"})) == "its container has no exact index"
    assert isinstance(cut_of(steady(30, 300), formats=frozenset({"matroska", "webm"})), VideoCut)


def test_sound_that_begins_or_ends_elsewhere_forbids_a_copy() -> None:
    index = steady(30, 300, start_s=1)
    assert cut_of(index, spans=((Fraction(0), Fraction(11)),)) == "its sound begins before its picture"
    assert cut_of(index, spans=((Fraction(1), Fraction(60)),)) == "its sound outlasts its picture"


def test_open_groups_of_pictures_are_refused() -> None:
    # Decoded I2 B0 B1 in the second group: two pictures are shown before their keyframe.
    shown = [0, 1, 2, 5, 3, 4, 6, 7]
    index = packets(
        [n * FRAME for n in shown], dts=range(0, 8 * FRAME, FRAME), last_duration=FRAME, keyframes=[0, 3]
    )
    refusal = cut_of(index)
    assert isinstance(refusal, str)
    assert refusal.startswith("its groups of pictures are open")


def test_the_delay_of_b_frames_is_kept_and_has_to_be_one() -> None:
    # Closed groups of I P B, each decoded a frame ahead of being shown.
    shown = [0, 2, 1, 3, 5, 4]
    dts = [(n - 1) * FRAME for n in range(6)]
    index = packets([n * FRAME for n in shown], dts=dts, last_duration=FRAME, keyframes=[0, 3])
    assert eligible(index).delay_ticks == FRAME
    uneven = packets([n * FRAME for n in shown], dts=[*dts[:3], *(d - 5 for d in dts[3:])], keyframes=[0, 3])
    assert cut_of(uneven) == "its keyframes have different decoding delays"


def test_irregular_keyframes_cut_where_they_are() -> None:
    gops = [10, 45, 80, 7, 200, 33, 120, 120, 15]
    cut = eligible(frames_with_keyframes(gops))
    keyframes = {0, *accumulate(gops)}
    assert {bound // FRAME for bound in cut.timeline.bounds} <= keyframes
    assert [bound // FRAME for bound in cut.timeline.bounds] == [0, 135, 342, 495, 630]


def test_a_group_a_hair_under_the_target_is_a_segment() -> None:
    cut = eligible(frames_with_keyframes([59, 59, 119, 119]))
    assert [bound // FRAME for bound in cut.timeline.bounds] == [0, 59, 118, 237, 356]


def test_a_short_tail_joins_the_segment_before_it() -> None:
    # One picture, of a keyframe's size, as a segment: that would be its peak rate, and a request for 33 ms.
    index = frames_with_keyframes([60] * 10 + [1])
    index.size_bytes[-1] = 200_000
    cut = eligible(index)
    assert [bound // FRAME for bound in cut.timeline.bounds] == [0, 60, 120, 240, 360, 480, 601]
    assert cut.peak_bps < 1_000_000
    assert cut.chunk_packets == (0, 601)


def test_a_film_shorter_than_a_segment_is_one() -> None:
    assert eligible(frames_with_keyframes([60, 1])).timeline.segment_count == 1
    assert eligible(frames_with_keyframes([1])).timeline.bounds == (0, FRAME)


@settings(deadline=None)
@given(st.lists(st.integers(1, 30 * MAX_GOP_S), min_size=1, max_size=60))
def test_any_keyframes_tile_the_time_line_and_every_packet_is_in_one_chunk(gops: list[int]) -> None:
    index = frames_with_keyframes(gops, size_bytes=500)
    cut = eligible(index)
    frames, bounds = sum(gops), [bound // FRAME for bound in cut.timeline.bounds]
    assert bounds[0] == 0
    assert bounds[-1] == frames
    assert set(bounds) <= {0, *accumulate(gops)}
    assert cut.chunk_packets[0] == 0
    assert cut.chunk_packets[-1] == frames
    assert all(after > before for before, after in pairwise(cut.chunk_packets))
    starts = [bounds[segment] for segment in cut.timeline.chunks]
    assert list(cut.chunk_packets) == starts  # without B-frames packets are counted as frames are
    assert cut.average_bps <= cut.peak_bps + 1
    if cut.timeline.segment_count > 1:
        shortest = min(end - start for start, end in pairwise(bounds))
        assert shortest >= 30 * OPENING_SEGMENT_S * Fraction(9, 10)


def test_packets_of_different_sizes_are_weighed_by_segment() -> None:
    index = frames_with_keyframes([60] * 10)
    chance = random.Random(3)
    for number in range(600):
        index.size_bytes[number] = chance.randrange(1000, 3000)
    cut = eligible(index)
    heaviest = max(
        sum(index.size_bytes[a // FRAME : b // FRAME]) * 8 * 90_000 / (b - a)
        for a, b in pairwise(cut.timeline.bounds)
    )
    assert cut.peak_bps == round(heaviest)


def audio_cut_of(
    index: PacketIndex, *, origin_s: Fraction = Fraction(0), duration_s: int = 10, **fields: Any
) -> Any:
    return audio_cut(sound(**fields), index, MP4, origin_s, Fraction(duration_s))


def test_a_plain_aac_track_is_copied() -> None:
    cut = audio_cut_of(aac(10))
    assert cut == AudioCut(base_pts=0, first_frame=0, frames=469, bitrate_bps=round(340 * 8 * 48_000 / 1024))


@pytest.mark.parametrize("first_pts", [-1024, -2048, 0])
def test_priming_is_left_out_of_a_copy(first_pts: int) -> None:
    cut = audio_cut_of(aac(10, first_pts=first_pts))
    assert (cut.base_pts, cut.first_frame) == (first_pts, -first_pts // 1024)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"codec": "opus"}, "its codec is opus, not AAC"),
        ({"profile": "HE-AAC"}, "its AAC profile is HE-AAC, not LC"),
        ({"channels": 6}, "it has 6 channels"),
        ({"rate_hz": 22_050}, "its sample rate is 22050 Hz"),
    ],
)
def test_sound_that_players_may_not_play_is_refused_with_the_reason(
    fields: dict[str, Any], sentence: str
) -> None:
    assert audio_cut_of(aac(10), **fields) == sentence


def test_sound_that_does_not_fit_the_picture_is_refused_with_the_reason() -> None:
    assert audio_cut_of(aac(10, first_pts=4800)) == "it begins after the picture"
    assert audio_cut_of(aac(9)) == "it ends before the picture"
    assert audio_cut_of(aac(10, first_pts=-500)) == "its frames do not fall on the beginning of the picture"
    uneven = aac(10)
    uneven.pts[40] += 9
    assert audio_cut_of(uneven) == "its frames are not evenly spaced"
    assert audio_cut_of(packets([0], index=1, corrupt=1)) == "parts of it are damaged"


@settings(deadline=None)
@given(st.integers(-5000, 5000), st.integers(1, 12), st.sampled_from([44_100, 48_000]))
def test_a_copied_track_begins_within_a_millisecond_of_the_picture(
    first_pts: int, length: int, rate: int
) -> None:
    index = aac(11, rate_hz=rate, first_pts=first_pts)
    cut = audio_cut_of(index, duration_s=length, rate_hz=rate)
    if isinstance(cut, str):
        return
    begins = cut.base_pts + cut.first_frame * 1024
    assert abs(Fraction(begins, rate)) <= Fraction(1, 1000)
    assert 0 <= cut.first_frame < cut.first_frame + cut.frames <= len(index)
    assert cut.frames * 1024 >= (length - Fraction(1, 10)) * rate
    assert (cut.frames - 1) * 1024 < length * rate
