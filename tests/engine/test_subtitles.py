"""Subtitles inside files: real ones, taken out by real ffmpeg onto the plan's time line."""

import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest

from rushes.engine.binaries import toolchain
from rushes.engine.planning import make_plan
from rushes.engine.prepare import prepared
from rushes.engine.settings import Settings
from rushes.engine.source import Source, SubtitleStream
from rushes.engine.subtitles import Extracted, extract, subtitle_tracks
from tests.engine.sources import film
from tests.line21 import make_captioned_clip

SRT = "1\n00:00:00,500 --> 00:00:01,000\n<i>Hallo</i> & auf Wiedersehen\n\n2\n00:00:01,500 --> 00:00:01,900\nzwei\n"
ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, Alignment
Style: Default,Arial,36,2

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.50,0:00:01.00,Default,,0,0,0,,{\\p1}m 0 0 l 9 9{\\p0}{\\an8}Hallo, {\\i1}du
"""


def with_subtitles(
    path: Path, subtitles: Sequence[str], options: Sequence[str], *, duration_s: int = 2
) -> Path:
    """A clip with these subtitle files in it; `options` are ffmpeg's, of the output."""
    argv = [
        str(toolchain().ffmpeg.path),
        "-v",
        "error",
        "-y",
        "-f",
        "lavfi",
        "-i",
        f"testsrc2=size=160x90:rate=25:duration={duration_s}",
    ]
    maps = ["-map", "0:v"]
    for number, text in enumerate(subtitles, start=1):
        file = path.with_suffix(f".{number}.{'ass' if text.startswith('[') else 'srt'}")
        file.write_text(text)
        argv += ["-i", str(file)]
        maps += ["-map", f"{number}:s"]
    encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    subprocess.run([*argv, *maps, *encoder, *options, str(path)], check=True)
    return path


def taken_out(path: Path, folder: Path) -> tuple[Extracted, ...]:
    with prepared(path, Settings(rungs=(90,)), toolchain(), folder / "scratch") as ready:
        return extract(ready.plan, ready.path, toolchain(), folder / "scratch")


def shown(one: Extracted) -> list[tuple[int, int, str]]:
    return [(cue.start_ms, cue.end_ms, cue.text) for cue in one.cues]


EXPECTED = [(500, 1000, "<i>Hallo</i> &amp; auf Wiedersehen"), (1500, 1900, "zwei")]


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "mov_text"), ("a.mkv", "srt"), ("a.mkv", "webvtt"), ("a.webm", "webvtt")],
)
def test_text_of_every_container_is_taken_out(name: str, codec: str, tmp_path: Path) -> None:
    video = ["-c:v", "libvpx-vp9", "-cpu-used", "8"] if name.endswith("webm") else []
    (tmp_path / "scratch").mkdir()
    tags = ["-metadata:s:s:0", "language=ger", "-metadata:s:s:0", "title=Für alle"]
    path = with_subtitles(tmp_path / name, [SRT], [*video, "-c:s", codec, *tags])
    (one,) = taken_out(path, tmp_path)
    assert shown(one) == EXPECTED
    assert (one.track.name, one.track.language) == ("subs-1-de", "de")
    if name != "a.mp4":
        assert one.track.title == "Für alle"


def test_ass_is_text_without_its_drawings(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (one,) = taken_out(with_subtitles(tmp_path / "a.mkv", [ASS], ["-c:s", "copy"]), tmp_path)
    assert shown(one) == [(500, 1000, "Hallo, <i>du</i>")]
    assert one.cues[0].settings == "line:0"


def test_times_count_from_the_first_picture(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    path = with_subtitles(tmp_path / "a.mkv", [SRT], ["-c:s", "srt", "-output_ts_offset", "100"])
    (one,) = taken_out(path, tmp_path)
    assert shown(one) == EXPECTED


def test_several_tracks_come_by_one_reading_and_keep_their_marks(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    marks = ["-disposition:s:0", "0", "-disposition:s:1", "default+forced", "-metadata:s:s:1", "language=fre"]
    found = taken_out(with_subtitles(tmp_path / "a.mkv", [SRT, ASS], ["-c:s", "copy", *marks]), tmp_path)
    assert [(one.track.name, one.track.default, one.track.forced) for one in found] == [
        ("subs-1-und", False, False),
        ("subs-2-fr", True, True),
    ]
    assert all(one.cues for one in found)


def test_captions_in_the_picture_are_found_and_taken_out(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    path = make_captioned_clip(tmp_path / "cc.mp4", [(2, 3.5, "HELLO THERE"), (4.5, 5.5, "BYE")])
    (one,) = taken_out(path, tmp_path)
    assert shown(one) == [(2000, 3500, "HELLO THERE"), (4500, 5500, "BYE")]
    assert (one.track.codec, one.track.hearing_impaired) == ("eia_608", True)


def test_captions_survive_the_copy_of_a_transport_stream(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    path = make_captioned_clip(tmp_path / "cc.ts", [(2, 3.5, "HELLO THERE")], duration_s=4)
    (one,) = taken_out(path, tmp_path)
    assert [text for _, _, text in shown(one)] == ["HELLO THERE"]
    assert shown(one)[0][0] == pytest.approx(2000, abs=40)


def test_a_picture_without_captions_has_none(tmp_path: Path, clip: object) -> None:
    (tmp_path / "scratch").mkdir()
    assert taken_out(with_subtitles(tmp_path / "a.mp4", [], []), tmp_path) == ()


def _with_streams(*streams: SubtitleStream) -> Source:
    plain = film()
    fields = {name: getattr(plain, name) for name in plain.__dataclass_fields__}
    return Source(**fields | {"streams": (*plain.streams, *streams)})


def _stream(index: int, codec: str, **fields: object) -> SubtitleStream:
    return SubtitleStream(index=index, codec=codec, time_base=Fraction(1, 1000), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("codec", ["hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "xsub"])
def test_bitmaps_are_listed_with_the_reason_why_they_are_not_converted(codec: str) -> None:
    (track,) = subtitle_tracks(
        _with_streams(_stream(3, codec, language="eng", dispositions=frozenset({"default"})))
    )
    assert (track.name, track.language, track.default) == ("subs-1-en", "en", False)
    assert track.refusal is not None
    assert "pictures, not text" in track.refusal


def test_the_plan_of_a_thousand_tracks_lists_some(tmp_path: Path) -> None:
    source = _with_streams(*(_stream(n + 2, "subrip") for n in range(1_000)))
    assert len(make_plan(source, Settings(), "build").subtitles) == 64
