"""Hardware encoders: their command lines, and that nothing is believed of them before they have passed a test here.

No machine of the tests has such hardware: what is tried for real is that they fail, and what is done then.
"""

from fractions import Fraction
from pathlib import Path

import pytest

from rushes.engine import gpu as gpu_module
from rushes.engine.binaries import Toolchain, toolchain
from rushes.engine.choosing import choose, configured
from rushes.engine.command import ladder_command
from rushes.engine.encoders import CODEC_NAMES, GPU_NAMES, Codec, Encoder, Gpu, codec_of, gpu_of
from rushes.engine.gpu import GpuUnusable, prove, proven
from rushes.engine.plan import Plan
from rushes.engine.planning import make_plan
from rushes.engine.sandbox import loosen
from rushes.engine.settings import Settings
from tests.engine.sources import film

FORMS: dict[Codec, str] = {
    "h264": "avc1.640c{level:02x}",
    "hevc": "hvc1.1.6.L{level}.B0",
    "av1": "av01.0.{level:02}M.08",
}


def hardware(gpu: Gpu, *codecs: Codec) -> tuple[Encoder, ...]:
    return tuple(
        Encoder(name=f"{codec}_{gpu}", codec=codec, codec_form=FORMS[codec], gpu=gpu) for codec in codecs
    )


def plan_of(gpu: Gpu, *codecs: Codec) -> Plan:
    wanted = Settings(rungs=(720, 360), copy=False, codecs=codecs, encoders=hardware(gpu, *codecs))
    return make_plan(film((1280, 720)), wanted, "b")


def options_of(command: list[str], output: str) -> dict[str, str]:
    """The options of one output as a table; of the last of those before it."""
    end = command.index(output)
    starts = [n for n, word in enumerate(command[:end]) if word == "-map"]
    words = command[starts[-1] : end]
    return {word: after for word, after in zip(words, [*words[1:], ""], strict=True) if word.startswith("-")}


@pytest.mark.parametrize("gpu", GPU_NAMES)
def test_every_rung_names_its_hardware_and_has_its_own_key(gpu: Gpu) -> None:
    plan = plan_of(gpu, "h264", "hevc", "av1")
    software = make_plan(
        film((1280, 720)), Settings(rungs=(720, 360), copy=False, codecs=("h264", "hevc", "av1")), "b"
    )
    for rung, other in zip(plan.rungs, software.rungs, strict=True):
        assert rung.encoder == f"{rung.codec}_{gpu}"
        assert (rung.name, rung.maxrate_bps) == (other.name, other.maxrate_bps)
        assert rung.key != other.key
    # The constraints are those that this hardware claims.
    assert plan.rungs[0].codec_string == "avc1.640c1f"
    assert plan.rungs[2].codec_string == "hvc1.1.6.L93.B0"


@pytest.mark.parametrize("gpu", GPU_NAMES)
@pytest.mark.parametrize("codec", CODEC_NAMES)
def test_command_lines_fix_groups_level_and_cap(gpu: Gpu, codec: Codec) -> None:
    codecs: tuple[Codec, ...] = ("h264",) if codec == "h264" else ("h264", codec)
    plan = plan_of(gpu, *codecs)
    ladder = plan.ladders[-1]
    outputs = [f"{rung.name}.mp4" for rung in ladder]
    command = ladder_command(plan, ladder, 1, "in.mp4", outputs)
    for rung, output in zip(ladder, outputs, strict=True):
        options = options_of(command, output)
        assert options["-c:v"] == f"{codec}_{gpu}"
        assert options["-g"] == "120"  # 4 s at 30 fps
        assert options["-maxrate:v"] == str(rung.maxrate_bps)
        assert options["-level:v"].replace(".", "") == {"h264": "31", "hevc": "31", "av1": "31"}[codec] or (
            rung.name.startswith("360p")
        )
        assert ("-tag:v" in options) == (codec == "hevc")
        if gpu != "nvenc":
            assert int(options["-b:v"]) < int(options["-maxrate:v"])


def test_pictures_are_carried_to_hardware_that_takes_no_others() -> None:
    graph = "".join(ladder_command((plan := plan_of("vaapi", "h264")), plan.rungs, 0, "i", ["a", "b"]))
    assert graph.count("format=nv12,hwupload") == 2
    command = ladder_command(plan, plan.rungs, 0, "i", ["a", "b"])
    assert command.index("-init_hw_device") < command.index("-i")
    software = make_plan(film((1280, 720)), Settings(copy=False), "b")
    assert "-init_hw_device" not in ladder_command(software, software.rungs[:1], 0, "i", ["a"])


def test_names_tell_codec_and_hardware() -> None:
    assert (codec_of("hevc_nvenc"), gpu_of("hevc_nvenc")) == ("hevc", "nvenc")
    assert (codec_of("libsvtav1"), gpu_of("libsvtav1")) == ("av1", None)
    with pytest.raises(KeyError):
        codec_of("mpeg2video")


@pytest.mark.parametrize("gpu", GPU_NAMES)
def test_hardware_that_is_not_there_fails_its_test_with_one_line(gpu: Gpu, tmp_path: Path) -> None:
    with pytest.raises(GpuUnusable) as refused:
        prove(gpu, "h264", toolchain().ffmpeg.path, tmp_path)
    assert str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_what_fails_is_replaced_by_software_and_said(tmp_path: Path) -> None:
    choice = choose("nvenc", ("h264", "hevc"), toolchain(), tmp_path)
    assert choice.encoders == ()
    assert choice.codecs == ("h264", "hevc")
    assert len(choice.refusals) == 2
    assert "NVENC" in choice.refusals[0]
    assert "libx264 is used instead" in choice.refusals[0]
    plan = make_plan(film(), Settings(copy=False, warnings=choice.refusals), "b")
    assert plan.warnings[:2] == choice.refusals
    assert {rung.encoder for rung in plan.rungs} == {"libx264"}


def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, gop: int = 15, level: str = "3.0") -> None:
    """Let x264 stand for the hardware: the test's own judgement is what is tried."""

    def options(_rung: object, _gop: int) -> list[str]:
        params = f"keyint={gop}:min-keyint={gop}:scenecut=0"
        return ["-c:v", "libx264", "-profile:v", "high", "-level:v", level, "-x264-params", params]

    monkeypatch.setattr(gpu_module, "encoder_options", options)


def test_an_encoder_that_does_as_it_is_told_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch)
    encoder = prove("nvenc", "h264", toolchain().ffmpeg.path, tmp_path)
    assert encoder == Encoder(name="h264_nvenc", codec="h264", codec_form="avc1.6400{level:02x}", gpu="nvenc")


@pytest.mark.parametrize(("wrong", "says"), [({"gop": 10}, "keyframes"), ({"level": "4.0"}, "avc1.640028")])
def test_an_encoder_that_does_not_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, object], says: str
) -> None:
    fake(tmp_path, monkeypatch, **wrong)  # type: ignore[arg-type]
    with pytest.raises(GpuUnusable, match=says):
        prove("nvenc", "h264", toolchain().ffmpeg.path, tmp_path)


def test_a_test_is_made_once(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    ffmpeg = tmp_path / "ffmpeg"
    ffmpeg.write_text(f"#!/bin/sh\necho x >> {calls}\necho '[h264_qsv @ 0x1] no device' >&2\nexit 1\n")
    ffmpeg.chmod(0o755)
    loosen(str(ffmpeg), "off")  # it counts beside its scratch folder
    for _ in range(2):
        with pytest.raises(GpuUnusable, match=r"^no device$"):
            proven("qsv", "h264", ffmpeg, tmp_path)
    assert calls.read_text() == "x\n"


def test_a_codec_without_any_encoder_is_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = Toolchain(ffmpeg=toolchain().ffmpeg, ffprobe=toolchain().ffprobe)
    tools.__dict__["capabilities"] = {"encoder": frozenset({"libx264"})}
    choice = choose(None, ("h264", "av1"), tools, tmp_path)
    assert choice.codecs == ("h264",)
    assert "libsvtav1" in choice.refusals[0]


def test_what_the_environment_asks_for_is_looked_at(tmp_path: Path) -> None:
    assert configured(toolchain(), tmp_path, {})[1].refusals == ()
    gpu, choice = configured(toolchain(), tmp_path, {"RUSHES_GPU": "vaapi", "RUSHES_CODECS": "h264,av1"})
    assert gpu == "vaapi"
    assert len(choice.refusals) == 2
    with pytest.raises(ValueError, match="RUSHES_GPU"):
        configured(toolchain(), tmp_path, {"RUSHES_GPU": "cuda"})


def test_levels_of_the_test_picture_are_those_of_its_size() -> None:
    rung = gpu_module._test_rung("nvenc", "hevc")
    assert rung.codec_string == "hvc1.1.6.L63.90"
    assert Fraction(rung.timeline.bounds[-1], rung.timeline.timescale) == 1
