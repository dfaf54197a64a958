"""Colours come out as they went in, whatever the range, the matrix or the transfer, and the stream says which."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rushes.engine.binaries import toolchain
from rushes.engine.command import ladder_command
from rushes.engine.derived import Desk
from rushes.engine.plan import Rung
from rushes.engine.poster import write_poster
from rushes.engine.settings import Settings
from tests.engine.finished import finish
from tests.proof.assembled import ENCODED, Work, planned
from tests.proof.kinds import run_ffmpeg
from tests.proof.test_bytes import files

#: Patches in sRGB; what BT.601, BT.709 and BT.2020 hold in 8 bits within a step or two.
PATCHES = ("0x808080", "0xC04040", "0x40C040", "0x4040C0", "0xE0E040", "0x101010", "0xF0F0F0", "0x40A0A0")
SIZE = (256, 32)
_LEVELS = 5  # 8-bit 4:2:0 and an encode cost that much of an even patch
_SAID = ("color_range", "color_space", "color_transfer", "color_primaries")


def patches(path: Path, filters: str, options: tuple[str, ...], seconds: float = 1.0) -> Path:
    """A still film of the patches side by side."""
    inputs = [
        part
        for hex_ in PATCHES
        for part in ("-f", "lavfi", "-i", f"color={hex_}:s=32x32:r=10:d={seconds},format=gbrp")
    ]
    row = "".join(f"[{number}]" for number in range(len(PATCHES))) + f"hstack={len(PATCHES)},{filters}"
    run_ffmpeg([*inputs, "-filter_complex", row, *options, str(path)])
    return path


def means(path: Path, filters: str) -> NDArray[np.float64]:
    """The mean of each patch's middle in RGB, (patches, 3), after `filters` on the decoded picture."""
    width, height = SIZE
    raw = run_ffmpeg(
        [
            *("-i", str(path), "-map", "0:V:0", "-frames:v", "1"),
            *("-vf", f"{filters},format=gbrp", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"),
        ]
    )
    picture = np.frombuffer(raw, np.uint8).reshape(height, width, 3).astype(np.float64)
    return np.array([picture[8:24, at + 8 : at + 24].mean(axis=(0, 1)) for at in range(0, width, 32)])


def truth() -> NDArray[np.float64]:
    return np.array([[int(hex_[at : at + 2], 16) for at in (2, 4, 6)] for hex_ in PATCHES], dtype=np.float64)


def said(path: Path) -> dict[str, Any]:
    """What the stream's header says of its colours."""
    argv = [
        str(toolchain().ffprobe.path),
        "-v",
        "error",
        "-select_streams",
        "v",
        "-show_streams",
        "-of",
        "json",
        path,
    ]
    found = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)["streams"][0]
    return {name: found.get(name) for name in _SAID}


def encoded(source: Path, folder: Path) -> tuple[Path, Work]:
    with planned(source, folder / "out", ENCODED) as work:
        rung = work.plan.rungs[0]
        work.make_shuffled([rung])
        return work.joined(rung), work


X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "1", "-threads", "1")


@pytest.mark.parametrize("range_", ["tv", "pc"])
@pytest.mark.parametrize(
    ("matrix", "transfer", "primaries"),
    [
        ("bt709", "bt709", "bt709"),
        ("smpte170m", "smpte170m", "smpte170m"),
        ("bt470bg", "smpte170m", "bt470bg"),
        ("bt2020nc", "bt2020-10", "bt2020"),
    ],
)
def test_range_and_matrix_are_kept_and_told(
    matrix: str, transfer: str, primaries: str, range_: str, tmp_path: Path
) -> None:
    tags = f"setparams=range={range_}:colorspace={matrix}:color_trc={transfer}:color_primaries={primaries}"
    filters = f"scale=out_color_matrix={matrix}:out_range={range_},format=yuv444p,{tags}"
    source = patches(tmp_path / "source.mp4", filters, X264)
    made, _ = encoded(source, tmp_path)
    assert said(made) == dict(zip(_SAID, (range_, matrix, transfer, primaries), strict=True))
    shown = means(made, f"scale=in_color_matrix={matrix}:in_range={range_}")
    np.testing.assert_allclose(shown, truth(), atol=_LEVELS)


@pytest.mark.parametrize(
    ("name", "filters", "options"),
    [
        ("rgb.mov", "format=rgb24", ("-c:v", "qtrle")),
        ("rgb.gif", "format=pal8", ("-c:v", "gif")),
        ("rgb.mkv", "format=gbrp", ("-c:v", "libx264rgb", "-crf", "1", "-preset", "ultrafast")),
    ],
)
def test_rgb_is_told_as_bt709(name: str, filters: str, options: tuple[str, ...], tmp_path: Path) -> None:
    made, _ = encoded(patches(tmp_path / name, filters, options), tmp_path)
    assert said(made) == dict(zip(_SAID, ("tv", "bt709", "bt709", "bt709"), strict=True))
    # GIF's palette has 256 colours and dithers between them.
    np.testing.assert_allclose(
        means(made, "scale=in_color_matrix=bt709:in_range=tv"), truth(), atol=_LEVELS + 3
    )


def test_a_small_rung_of_an_untagged_hd_video_is_told_to_be_hd(tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    options = ("-c:v", "libx264", "-preset", "ultrafast", "-t", "0.4")
    untagged = "scale=out_color_matrix=bt709,format=yuv420p,setparams=colorspace=unknown:range=tv"
    run_ffmpeg(["-f", "lavfi", "-i", f"testsrc2=s=1280x720:r=10,{untagged}", *options, str(source)])
    with planned(source, tmp_path / "out", Settings(rungs=(720, 144), copy=False)) as work:
        rung = work.plan.rungs[-1]
        work.make([rung], 0)
        assert said(work.joined(rung))["color_space"] == "bt709"


def test_mjpeg_keeps_its_full_range(tmp_path: Path) -> None:
    filters = "scale=out_range=pc:out_color_matrix=bt601,format=yuvj420p"
    source = patches(tmp_path / "source.avi", filters, ("-c:v", "mjpeg", "-q:v", "1"))
    made, _ = encoded(source, tmp_path)
    assert said(made)["color_range"] == "pc"
    np.testing.assert_allclose(means(made, "scale=in_color_matrix=bt601:in_range=pc"), truth(), atol=_LEVELS)


def test_what_is_transparent_is_black(tmp_path: Path) -> None:
    source = tmp_path / "source.mov"
    half = "color=white@{alpha}:s=64x32:r=10:d=1,format=yuva444p10le"
    picture = f"{half.format(alpha='0.0')}[a];{half.format(alpha='1.0')}[b];[a][b]hstack"
    run_ffmpeg(["-f", "lavfi", "-i", picture, "-c:v", "prores_ks", "-profile:v", "4", str(source)])
    made, work = encoded(source, tmp_path)
    assert work.plan.treatment is not None
    assert work.plan.treatment.flatten
    raw = np.frombuffer(
        run_ffmpeg(["-i", str(made), "-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", "-"]), np.uint8
    )
    shown = raw.reshape(32, 128)
    assert shown[:, 4:56].max() <= 20
    assert shown[:, 72:124].min() >= 230


# ---- HDR ----

_X265 = "log-level=error:pools=none:frame-threads=1:colorprim=bt2020:colormatrix=bt2020nc:range=limited"
HDR = {
    "pq": f"{_X265}:transfer=smpte2084:hdr10=1:max-cll=1000,400",
    "pq-4000-nits": f"{_X265}:transfer=smpte2084:hdr10=1:max-cll=4000,400",
    "pq-untold": f"{_X265}:transfer=smpte2084",
    "hlg": f"{_X265}:transfer=arib-std-b67",
}
#: ENGINE.md section 1, run on the source by ffmpeg alone.
REFERENCE = (
    "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"
    "zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
)


def hdr(folder: Path, kind: str, *, seconds: float = 1.0) -> Path:
    """The patches as HDR: their code values, taken for PQ or HLG in BT.2020."""
    transfer = "arib-std-b67" if kind == "hlg" else "smpte2084"
    tags = f"setparams=range=tv:colorspace=bt2020nc:color_trc={transfer}:color_primaries=bt2020"
    filters = f"scale=out_color_matrix=bt2020:out_range=tv,format=yuv420p10le,{tags}"
    options = (
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-crf",
        "4",
        "-tag:v",
        "hvc1",
        "-x265-params",
        HDR[kind],
    )
    return patches(folder / f"{kind}.mp4", filters, options, seconds)


@pytest.mark.parametrize("kind", HDR)
def test_hdr_is_tone_mapped_and_told_as_bt709(kind: str, tmp_path: Path) -> None:
    source = hdr(tmp_path, kind)
    made, work = encoded(source, tmp_path)
    assert said(made) == dict(zip(_SAID, ("tv", "bt709", "bt709", "bt709"), strict=True))
    back = "scale=in_color_matrix=bt709:in_range=tv"
    wanted, shown = means(source, f"{REFERENCE},{back}"), means(made, back)
    grey = shown[0].mean() / wanted[0].mean()
    assert grey == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(shown, wanted, atol=_LEVELS + 2)
    assert work.plan.warnings == ()
    for box in (
        b"clli",
        b"mdcv",
    ):  # how bright the source gets: an SDR stream that says so would be taken for HDR
        assert box not in (work.folder / work.plan.rungs[0].init_name).read_bytes()


def test_the_poster_of_an_hdr_video_has_the_colours_of_its_rung(tmp_path: Path) -> None:
    """All pictures (poster, storyboard, preview) are made from finished rungs, which are tone-mapped."""
    done = finish(hdr(tmp_path, "pq"), tmp_path / "done", ENCODED)
    rung = done.plan.rungs[0]
    large, thumb = tmp_path / "poster.jpg", tmp_path / "thumbnail.jpg"
    tools = toolchain()
    scratch = tmp_path / "scratch"
    write_poster(rung, large, thumb, Desk(ffmpeg=tools.ffmpeg.path, store=done.store, scratch=scratch))
    wanted = means(tmp_path / "pq.mp4", f"{REFERENCE},scale=in_color_matrix=bt709:in_range=tv")
    np.testing.assert_allclose(means(large, "null"), wanted, atol=_LEVELS + 5)


def test_hdr_alone_equals_hdr_in_the_ladder_in_any_order(tmp_path: Path) -> None:
    source = tmp_path / "moving.mp4"
    x265 = ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "20", "-x265-params", f"{HDR['pq']}:keyint=20")
    run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=160x90:r=10:d=10,format=yuv420p10le", *x265, str(source)])
    settings = Settings(rungs=(90, 64, 48), copy=False)
    with planned(source, tmp_path / "ladder", settings) as ladder:
        rungs: tuple[Rung, ...] = ladder.plan.encoded_rungs
        assert len(rungs) == 3
        assert "tonemap" in " ".join(ladder_command(ladder.plan, rungs, 0, "source", ["a", "b", "c"]))
        for chunk in range(rungs[0].timeline.chunk_count):
            ladder.make(rungs, chunk)
    with planned(source, tmp_path / "alone", settings) as alone:
        for rung in reversed(rungs):
            for chunk in reversed(range(rung.timeline.chunk_count)):
                alone.make([rung], chunk, nice=10)
    assert files(alone, rungs) == files(ladder, rungs)
