"""HEVC and AV1 beside H.264: every codec string is what the boxes say, and one init segment serves all chunks."""

import json
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from rushes.engine import av1, dash, h265, hls
from rushes.engine.binaries import toolchain
from rushes.engine.chunk import Bench, Watch, make_video_chunk
from rushes.engine.codecstrings import codec_string
from rushes.engine.command import ladder_command
from rushes.engine.encoders import SOFTWARE, Codec, level_name, parse_codecs
from rushes.engine.growing import FragmentReader
from rushes.engine.plan import Plan, Rung, from_json, to_json
from rushes.engine.planning import make_plan
from rushes.engine.settings import Settings
from rushes.engine.store import FolderStore
from rushes.engine.verify import verify_offsets, verify_rendition
from tests.engine.finished import Finished, finish
from tests.engine.sources import film, sound

Clip = Callable[..., Path]
ALL: tuple[Codec, ...] = ("h264", "hevc", "av1")
EVERY = Settings(copy=False, codecs=ALL)


@pytest.fixture(scope="module")
def done(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Two chunks and a half of three codecs in two sizes."""
    source = clip(size=(256, 144), rate=25, duration_s=19)
    return finish(
        source, tmp_path_factory.mktemp("codecs"), Settings(rungs=(144, 96), copy=False, codecs=ALL)
    )


def probed(data: bytes) -> dict[str, Any]:
    argv = [
        toolchain().ffprobe.path,
        "-v",
        "error",
        "-count_packets",
        "-show_streams",
        "-of",
        "json",
        "-i",
        "pipe:0",
    ]
    ran = subprocess.run(list(map(str, argv)), input=data, capture_output=True, check=True)
    stream: dict[str, Any] = json.loads(ran.stdout)["streams"][0]
    return stream


def whole(done: Finished, rung: Rung) -> bytes:
    names = [rung.init_name, *(rung.segment_name(n) for n in range(rung.timeline.segment_count))]
    return b"".join(done.store.read(name) for name in names)


def test_names_order_and_time_lines(done: Finished) -> None:
    plan = done.plan
    assert [rung.name for rung in plan.rungs] == [
        *("144p", "96p"),
        *("144p-hevc", "96p-hevc"),
        *("144p-av1", "96p-av1"),
    ]
    assert plan.lead_rung is not None
    assert plan.lead_rung.name == "96p"  # every player plays it
    assert len({rung.timeline for rung in plan.rungs}) == 1
    assert [[rung.name for rung in ladder] for ladder in plan.ladders] == [
        ["144p", "96p"],
        ["144p-hevc", "96p-hevc", "144p-av1", "96p-av1"],
    ]
    assert from_json(to_json(plan)) == plan


def test_every_rung_is_what_the_plan_promises(done: Finished) -> None:
    for rendition in done.plan.renditions:
        verify_rendition(done.plan, rendition, done.store)
    verify_offsets(done.plan, done.store)


def test_ffprobe_sees_the_codec_the_level_the_size_and_every_frame(done: Finished) -> None:
    assert done.plan.grid is not None
    for rung in done.plan.rungs:
        seen = probed(whole(done, rung))
        assert seen["codec_name"] == rung.codec
        assert (seen["width"], seen["height"]) == (rung.width, rung.height)
        assert int(seen["nb_read_packets"]) == done.plan.grid.frames
        assert seen["level"] == rung.level
        assert seen["codec_tag_string"] == rung.codec_string.split(".")[0]
        assert seen["profile"] in ("High", "Main")
        assert seen["pix_fmt"] == "yuv420p"
        assert Fraction(seen["avg_frame_rate"]) == done.plan.grid.rate


def test_a_chunk_made_alone_has_the_bytes_of_the_ladder(clip: Clip, done: Finished, tmp_path: Path) -> None:
    """And so one init segment serves all: P7 refuses another."""
    source = clip(size=(256, 144), rate=25, duration_s=19)
    store = FolderStore(tmp_path / "out")
    bench = Bench(ffmpeg=toolchain().ffmpeg.path, source=source, store=store, scratch=tmp_path / "scratch")
    for rung in done.plan.ladders[1]:
        chunk = rung.timeline.chunk_count - 1
        made = make_video_chunk(done.plan, [rung], chunk, bench, Watch()).made[0]
        assert len(made.keyframe_bytes) == len(made.segment_bytes)
        names = [rung.segment_name(n) for n in rung.timeline.chunk_segments(chunk)]
        for name in (rung.init_name, *names):
            assert store.read(name) == done.store.read(name)


def test_an_iframe_is_a_picture_by_itself(done: Finished) -> None:
    """The parts of files that an I-frame playlist names, behind the init segment, decode to one picture each."""
    for rung in done.plan.rungs:
        data = done.store.read(rung.segment_name(1))
        playlist = hls.iframe_playlist(rung, keyframes(done, rung))
        sizes = [
            int(line.split(":")[1].split("@")[0]) for line in playlist.splitlines() if "BYTERANGE" in line
        ]
        part = data[: sizes[1]]
        assert len(part) < len(data)
        argv = [
            *(str(toolchain().ffmpeg.path), "-v", "fatal", "-i", "pipe:0", "-frames:v", "1"),
            *("-f", "framemd5", "pipe:1"),
        ]
        init = done.store.read(rung.init_name)
        pictures = [
            [
                line.rpartition(",")[2]
                for line in subprocess.run(argv, input=init + seen, capture_output=True, check=True)
                .stdout.decode()
                .splitlines()
                if not line.startswith("#")
            ]
            for seen in (part, data)
        ]
        assert len(pictures[0]) == 1
        assert pictures[0] == pictures[1]


def keyframes(done: Finished, rung: Rung) -> list[int]:
    """From the segments themselves: each is one fragment behind the init segment."""
    found = []
    for number in range(rung.timeline.segment_count):
        path = done.store.path(rung.segment_name(number)).with_suffix(".whole")
        path.write_bytes(done.store.read(rung.init_name) + done.store.read(rung.segment_name(number)))
        fragment = FragmentReader(path).read_new()[0]
        path.unlink()
        found.append(fragment.payload_offset + fragment.sample_sizes[0])
    return found


def test_playlists_name_codecs_and_start_with_h264(done: Finished) -> None:
    measured = {
        rung.name: hls.measure(rung, [10_000] * rung.timeline.segment_count, keyframes(done, rung))
        for rung in done.plan.rungs
    }
    text = hls.multivariant(done.plan, [rung.name for rung in done.plan.rungs], measured)
    lines = text.splitlines()
    first = next(line for line in lines if line.startswith("#EXT-X-STREAM-INF"))
    assert 'CODECS="avc1.' in first
    for rung in done.plan.rungs:
        init = done.store.read(rung.init_name)
        assert codec_string(init) == rung.codec_string
        told = f'CODECS="{codec_string(init)},mp4a.40.2",RESOLUTION={rung.width}x{rung.height},FRAME-RATE=25.000,'
        assert sum(told in line for line in lines) == 1
        assert f"{rung.name}/video.m3u8" in lines
        assert sum(line.endswith(f'URI="{rung.name}/iframes.m3u8"') for line in lines) == 1
    page = hls.rungs_for_page(done.plan, ("96p", "144p-av1"))
    assert page == ("144p", "96p", "144p-av1")


def test_each_codec_has_a_multivariant_playlist_of_its_own(done: Finished) -> None:
    """Chromium's own player fails where it meets two in one."""
    fed = ("96p", "144p-av1", "96p-av1")
    assert hls.masters(done.plan, fed) == {"master-av1.m3u8": fed[1:], "master.m3u8": fed[:1]}
    assert list(hls.masters(done.plan, fed))[-1] == "master.m3u8"


def test_dash_has_a_set_for_each_codec(done: Finished) -> None:
    text = dash.manifest(done.plan, [rung.name for rung in done.plan.rungs])
    root = ET.fromstring(text)
    name = "{urn:mpeg:dash:schema:mpd:2011}"
    sets = list(root.iter(f"{name}AdaptationSet"))
    assert len({element.get("id") for element in sets}) == len(sets) == 4
    for element, codec in zip(sets[:3], ("avc1", "hvc1", "av01"), strict=True):
        codecs = [r.get("codecs", "") for r in element.iter(f"{name}Representation")]
        assert len(codecs) == 2
        assert all(told.startswith(codec) for told in codecs)


def test_newer_codecs_are_added_to_a_copy_in_its_own_size_too() -> None:
    plan = make_plan(film((1280, 720), tracks=[sound()]), Settings(codecs=("h264", "hevc")), "b")
    assert plan.copied_rung is not None
    names = [rung.name for rung in plan.rungs]
    assert names == ["720p", "480p", "360p", "720p-hevc", "480p-hevc", "360p-hevc"]
    assert plan.lead_rung is not None
    assert plan.lead_rung.name == "360p"


def test_a_picture_too_small_for_an_encoder_has_h264_alone() -> None:
    plan = make_plan(film((160, 48)), EVERY, "b")
    assert {rung.codec for rung in plan.rungs} == {"h264"}


def test_h264_is_the_same_whatever_is_made_beside_it() -> None:
    source = film((1920, 1080))
    alone = make_plan(source, Settings(copy=False), "b").rungs
    assert make_plan(source, EVERY, "b").rungs[: len(alone)] == alone


def test_a_player_never_starts_with_a_codec_that_it_may_not_know() -> None:
    plan = make_plan(film((1280, 720)), EVERY, "b")
    measured = {rung.name: hls.Measured(peak_bps=1_000_000, average_bps=500_000) for rung in plan.rungs}
    text = hls.multivariant(plan, list(measured), measured)
    assert next(line for line in text.splitlines() if not line.startswith("#")) == "720p/video.m3u8"


@pytest.mark.parametrize(
    ("size", "rate", "cap", "hevc", "av1_idx"),
    [
        ((1920, 1080), 30, 3_500_000, 120, 8),
        ((1920, 1080), 60, 5_000_000, 123, 9),
        ((1080, 1920), 30, 3_500_000, 120, 8),
        ((1280, 720), 30, 2_000_000, 93, 5),
        ((854, 480), 30, 1_000_000, 90, 4),
        ((640, 360), 30, 600_000, 63, 1),
        ((3840, 2160), 60, 15_000_000, 153, 13),
        ((640, 360), 30, 5_900_000, 90, 1),  # HEVC's 2.1 carries 3 Mbit/s
        ((7680, 4320), 60, 60_000_000, 183, 17),
    ],
)
def test_levels_are_those_of_the_standards(
    size: tuple[int, int], rate: int, cap: int, hevc: int, av1_idx: int
) -> None:
    assert h265.level_idc(*size, Fraction(rate), cap) == hevc
    assert av1.level_idx(*size, Fraction(rate)) == av1_idx


def test_levels_have_the_names_that_encoders_want() -> None:
    assert [level_name("h264", 31), level_name("hevc", 93), level_name("av1", 5)] == ["3.1"] * 3
    assert [level_name("h264", 40), level_name("hevc", 120), level_name("av1", 8)] == ["4.0"] * 3


@pytest.mark.parametrize(
    ("size", "rate"),
    [
        ((1920, 1080), Fraction(30)),
        ((1080, 1920), Fraction(60)),
        ((720, 576), Fraction(50)),
        ((162, 122), Fraction(7)),
    ],
)
def test_the_encoders_write_the_codecs_that_playlists_name(
    clip: Clip, tmp_path: Path, size: tuple[int, int], rate: Fraction
) -> None:
    plan: Plan = make_plan(film(size, rate=rate, duration_s=5 / rate), EVERY, "b")
    rungs = plan.ladders[1]
    outputs = [str(tmp_path / f"{rung.name}.mp4") for rung in rungs]
    # The graph scales whatever comes, so a small clip stands for a large one.
    small = clip(size=(64, 48), rate=rate, duration_s=5 / rate, audio_tracks=0)
    command = ladder_command(plan, rungs, 0, str(small), outputs, None)
    ffmpeg = [str(toolchain().ffmpeg.path), "-hide_banner", "-nostdin", "-loglevel", "level+warning"]
    run = subprocess.run([*ffmpeg, *command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert run.returncode == 0, run.stderr
    for rung, output in zip(rungs, outputs, strict=True):
        reader = FragmentReader(Path(output))
        assert sum(fragment.sample_count for fragment in reader.read_new()) == 5
        assert reader.init is not None
        assert codec_string(reader.init) == rung.codec_string


@pytest.mark.parametrize("text", ["hevc", "h264,vp9", "h264,h264", ""])
def test_codecs_without_h264_or_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"codec|h264"):
        parse_codecs(text)


def test_every_codec_has_software() -> None:
    assert parse_codecs("av1, H264") == ("h264", "av1")
    assert {encoder.name for encoder in SOFTWARE.values()} <= toolchain().capabilities["encoder"]
