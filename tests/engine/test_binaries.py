"""Finding ffmpeg and ffprobe, and knowing what they can do."""

import dataclasses
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rushes.engine.binaries import (
    BinaryNotFound,
    BinaryUnusable,
    Toolchain,
    find_ffmpeg,
    find_ffprobe,
    parse_capabilities,
    toolchain,
)

EMPTY_ENVIRONMENT: dict[str, str] = {"PATH": ""}


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_ffmpeg_and_ffprobe_are_found_run_and_have_what_the_engine_needs() -> None:
    tools = toolchain()
    print(f"ffmpeg {tools.ffmpeg.version} at {tools.ffmpeg.path}")
    print(f"ffprobe {tools.ffprobe.version} at {tools.ffprobe.path}")
    assert tools.missing() == ()
    tools.check()


def test_the_bundled_ones_have_what_is_only_wanted_too() -> None:
    tools = Toolchain(ffmpeg=find_ffmpeg(EMPTY_ENVIRONMENT), ffprobe=find_ffprobe(EMPTY_ENVIRONMENT))
    assert tools.missing(required=False) == ()


def test_the_wheels_win_over_what_lies_on_path(tmp_path: Path) -> None:
    executable(tmp_path / "ffmpeg", "#!/bin/sh\necho ffmpeg version system\n")
    executable(tmp_path / "ffprobe", "#!/bin/sh\necho ffprobe version system\n")
    environment = {"PATH": str(tmp_path)}
    assert find_ffmpeg(environment).origin == "bundled"
    assert find_ffprobe(environment).origin == "bundled"


def test_ffmpeg_path_may_be_a_path_or_a_name_on_path(tmp_path: Path) -> None:
    link = tmp_path / "another-ffmpeg"
    link.symlink_to(toolchain().ffmpeg.path)
    by_path = find_ffmpeg({"FFMPEG_PATH": str(link), "PATH": ""})
    by_name = find_ffmpeg({"FFMPEG_PATH": "another-ffmpeg", "PATH": str(tmp_path)})
    assert by_path == by_name
    assert (by_path.path, by_path.origin) == (link, "environment")


def test_an_empty_ffmpeg_path_means_the_bundled_one() -> None:
    assert find_ffmpeg({"FFMPEG_PATH": "", "PATH": ""}).origin == "bundled"


@pytest.mark.parametrize(("variable", "find"), [("FFMPEG_PATH", find_ffmpeg), ("FFPROBE_PATH", find_ffprobe)])
def test_a_wrong_path_in_the_environment_is_named_and_nothing_else_is_taken(
    variable, find, tmp_path: Path
) -> None:
    with pytest.raises(BinaryNotFound, match=f"{variable}=.*nowhere.*correct it"):
        find({variable: str(tmp_path / "nowhere"), "PATH": os.environ["PATH"]})


def test_the_system_s_ffmpeg_is_used_only_without_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ffmpeg").symlink_to(toolchain().ffmpeg.path)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert find_ffmpeg({"PATH": str(tmp_path)}).origin == "system"
    with pytest.raises(BinaryNotFound, match=r"no ffmpeg found.*FFMPEG_PATH"):
        find_ffmpeg(EMPTY_ENVIRONMENT)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\x7fELF\x02 of another machine", id="not for this machine"),
        pytest.param("#!/bin/sh\nkill -ILL $$\n", id="needs a newer processor"),
        pytest.param("#!/bin/sh\necho some two >&2\necho lines >&2\nexit 126\n", id="fails"),
        pytest.param("#!/bin/sh\necho hello\n", id="is something else"),
    ],
)
def test_an_ffmpeg_that_does_not_run_is_refused_in_one_line_with_the_mend(text: str, tmp_path: Path) -> None:
    broken = executable(tmp_path / "ffmpeg", text)
    with pytest.raises(BinaryUnusable) as refused:
        find_ffmpeg({"FFMPEG_PATH": str(broken)})
    message = str(refused.value)
    assert "\n" not in message
    assert message.startswith("the configured ffmpeg does not run here: ")
    assert str(broken) in message
    assert message.lower().count("set ffmpeg_path") == 1


def test_an_ffmpeg_without_x264_is_refused_by_name(tmp_path: Path) -> None:
    real = toolchain().ffmpeg.path
    poor = executable(tmp_path / "ffmpeg", f"#!/bin/sh\n'{real}' \"$@\" | grep -v libx264\n")
    tools = dataclasses.replace(toolchain(), ffmpeg=find_ffmpeg({"FFMPEG_PATH": str(poor)}))
    with pytest.raises(BinaryUnusable, match="lacks encoder libx264"):
        tools.check()


def test_the_encoder_build_is_the_same_wherever_the_binary_lies(tmp_path: Path) -> None:
    link = tmp_path / "ffmpeg"
    link.symlink_to(toolchain().ffmpeg.path)
    elsewhere = dataclasses.replace(toolchain(), ffmpeg=find_ffmpeg({"FFMPEG_PATH": str(link)}))
    assert elsewhere.build_id == toolchain().build_id
    assert len(elsewhere.build_id) == 12


def test_another_encoder_build_has_another_id() -> None:
    ours = toolchain()
    rebuilt = dataclasses.replace(ours.ffmpeg, configuration=ours.ffmpeg.configuration + " --disable-asm")
    newer = dataclasses.replace(ours.ffmpeg, version="n99.0")
    ids = {dataclasses.replace(ours, ffmpeg=binary).build_id for binary in (ours.ffmpeg, rebuilt, newer)}
    assert len(ids) == 3


def test_listings_of_old_and_new_ffmpeg_are_read() -> None:
    listing = """\
Filters:
  T.. = Timeline support
  | = Source or sink filter
  ------
 T.C acrusher          A->A       Reduce audio bit resolution.
 TS aap               AA->A      Apply Affine Projection algorithm to first audio stream.
 .. anullsrc          |->A       Null audio source, return empty audio frames.
Formats:
 D.. = Demuxing supported
 --
 D  mov,mp4,m4a,3gp,3g2,mj2 QuickTime / MOV
  E 3g2             3GP2 (3GPP2 file format)
  E  3gp             3GP (3GPP file format)
 D d lavfi           Libavfilter virtual input device
Encoders:
 V..... = Video
 V....D libx264              libx264 H.264 / AVC / MPEG-4 AVC / MPEG-4 part 10 (codec h264)
 A....D aac                  AAC (Advanced Audio Coding)
"""
    assert parse_capabilities(listing) == {
        *("acrusher", "aap", "anullsrc"),
        *("mov", "mp4", "m4a", "3gp", "3g2", "mj2", "lavfi"),
        *("libx264", "aac"),
    }


def test_a_bundled_ffmpeg_that_does_not_run_ends_the_command_with_one_line_and_status_1(
    tmp_path: Path,
) -> None:
    executable(
        tmp_path / "imageio_ffmpeg" / "binaries" / "ffmpeg-linux-other", "\x7fELF\x02 of another machine"
    )
    (tmp_path / "imageio_ffmpeg" / "__init__.py").touch()
    environment = {key: value for key, value in os.environ.items() if key != "FFMPEG_PATH"}
    # Before the installed wheel on the path: it stands for that wheel on a machine where its program can't run.
    ended = subprocess.run(
        [sys.executable, "-m", "rushes", "doctor", "--quick"],
        env={**environment, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("Error: the bundled ffmpeg does not run here")
    assert ended.stderr.count("\n") == 1
