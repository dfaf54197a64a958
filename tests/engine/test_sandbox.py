"""The sandbox holds for real: what a program inside it tries is refused by the kernel, and outside it works."""

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rushes.engine import sandbox
from rushes.engine.binaries import find_ffmpeg, toolchain
from rushes.engine.feeding import Feed
from rushes.engine.process import INPUT_GUARDS, FfmpegFailed, ffmpeg_argv, run_tool, scratch_folder, start
from rushes.engine.sandbox import Abilities, abilities, loosen, rules, socket_filter, tightness
from rushes.engine.sandbox_check import check_sandbox

LANDLOCK = pytest.mark.skipif(not abilities().landlock_abi, reason="this kernel has no Landlock")
SECCOMP = pytest.mark.skipif(not abilities().seccomp, reason="this kernel has no seccomp filters")
TO_NOWHERE = ("-f", "null", "-")
RAW = ("-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", "16x16")


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    with scratch_folder(tmp_path / "scratch") as folder:
        yield folder


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel with neither Landlock nor seccomp, or another system."""
    monkeypatch.setattr(sandbox, "abilities", lambda: Abilities(landlock_abi=0, seccomp=False))


def inside(scratch: Path | None, script: str, *arguments: str, reads: tuple[Path, ...] = ()) -> str:
    """What /bin/sh says when it runs `script` as programs are run here; "0" at the end where it went well."""
    result = run_tool(["sh", "-c", f"({script}) 2>&1; echo $?", *arguments], scratch=scratch, reads=reads)
    return result.stdout.strip()


@LANDLOCK
def test_a_program_reads_what_its_command_names_and_no_other_file(scratch: Path, tmp_path: Path) -> None:
    named, other = tmp_path / "named", tmp_path / "other"
    named.write_text("open")
    other.write_text("secret")
    link = tmp_path / "link"
    link.symlink_to(named)
    assert inside(scratch, "cat $0", str(named)) == "open0"
    assert inside(scratch, "cat $0", str(link)) == "open0"
    assert inside(scratch, f"cat {other}", reads=(other,)) == "secret0"
    (scratch / "plain name").symlink_to(named)
    assert inside(scratch, "cat 'plain name'") == "open0"
    assert "not permitted" in (said := inside(scratch, f"ln -s {other} mine")) or "denied" in said
    for path in (other, "/etc/passwd", "/proc/1/environ", Path(__file__)):
        assert "Permission denied" in inside(scratch, f"cat '{path}'")
        assert "Permission denied" in inside(None, f"cat '{path}'")
    for folder in (tmp_path, "/", "/home", "/root"):
        assert "Permission denied" in inside(scratch, f"ls {folder}")


@LANDLOCK
def test_a_program_writes_below_its_scratch_folder_and_nowhere_else(scratch: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept")
    assert inside(scratch, "echo x > a && mkdir b && mv a c && rm c && rmdir b") == "0"
    for attempt in (
        *(f"echo x > {tmp_path}/made", f"echo x >> {kept}", f"rm {kept}", f"mv {kept} {tmp_path}/moved"),
        *(
            f"mkdir {tmp_path}/folder",
            f"ln -s / {tmp_path}/link",
            "echo x > /tmp/made",
            f"truncate -s 0 {kept}",
        ),
        f"mv {kept} .",
    ):
        assert inside(scratch, attempt)[-1] != "0", attempt
    assert inside(scratch, "truncate -s 0 $0", str(kept))[-1] != "0"  # what may be read may not be written
    assert inside(None, "echo x > made")[-1] != "0"
    assert kept.read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "scratch"]


def test_python_with_its_packages_runs_in_the_sandbox(scratch: Path) -> None:
    """Photos are decoded by a Python of their own."""
    script = "import msgspec, json, ctypes; open('made', 'w').write(msgspec.__version__)"
    result = run_tool([sys.executable, "-I", "-c", script], scratch=scratch)
    assert (result.returncode, result.stderr) == (0, "")
    assert (scratch / "made").read_text()


@LANDLOCK
def test_what_a_program_wrote_is_never_run(scratch: Path) -> None:
    said = inside(scratch, f"cp {shutil.which('true')} mine && chmod +x mine && ./mine")
    assert "Permission denied" in said or "not permitted" in said


@SECCOMP
@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"])
def test_a_program_opens_no_socket(family: str) -> None:
    script = f"import socket; socket.socket(socket.{family}, socket.SOCK_DGRAM)"
    result = run_tool([sys.executable, "-I", "-c", script])
    assert result.returncode == 1
    assert "PermissionError" in result.stderr


@SECCOMP
@pytest.mark.parametrize("protocol", ["tcp", "udp", "http"])
def test_ffmpeg_connects_to_nobody(protocol: str, scratch: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        address = f"{protocol}://127.0.0.1:{server.getsockname()[1]}/a"
        said = run_tool(
            [str(toolchain().ffmpeg.path), "-nostdin", "-i", address, *TO_NOWHERE], scratch=scratch
        )
        assert said.returncode != 0
        assert "Permission denied" in said.stderr or "Protocol not found" in said.stderr
        with pytest.raises(BlockingIOError):
            server.accept()


@LANDLOCK
def test_ffmpeg_itself_is_kept_from_other_files(scratch: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(768))
    with pytest.raises(FfmpegFailed, match="Permission denied"):
        start(
            ffmpeg_argv(toolchain().ffmpeg.path, [*INPUT_GUARDS, "-i", "../../secret", *TO_NOWHERE]),
            scratch=scratch,
        ).wait()
    made = ("-f", "lavfi", "-i", "color=size=16x16:rate=1:duration=1", "-f", "rawvideo", "../../made")
    with pytest.raises(FfmpegFailed, match="Permission denied"):
        start(ffmpeg_argv(toolchain().ffmpeg.path, made), scratch=scratch).wait()
    assert not (tmp_path / "made").exists()


@LANDLOCK
def test_a_program_sends_no_signal_to_a_worker(scratch: Path) -> None:
    if abilities().landlock_abi < 6:
        pytest.skip("this kernel's Landlock knows no signals")
    assert "not permitted" in inside(scratch, f"kill -0 {os.getpid()}")


def test_a_named_pipe_feeds_ffmpeg_in_the_sandbox(scratch: Path, clip: Callable[..., Path]) -> None:
    pipe = scratch / "in.mp4"
    data = clip(options=("-movflags", "+frag_keyframe+empty_moov"), audio_tracks=0).read_bytes()
    argv = ffmpeg_argv(
        toolchain().ffmpeg.path, [*INPUT_GUARDS, "-i", str(pipe), "-c", "copy", "-f", "nut", "out"]
    )
    with Feed(pipe, [data]) as feed, start(argv, scratch=scratch) as run:
        run.wait()
        feed.check()
    assert (scratch / "out").stat().st_size > 1000


def test_without_a_sandbox_everything_works_and_the_check_says_so(
    nothing: None, scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rushes.engine.sandbox_check.abilities", sandbox.abilities)
    assert inside(scratch, "echo x > ../../made") == "0"
    assert (tmp_path / "made").exists()
    report = check_sandbox(toolchain().ffmpeg.path, tmp_path)
    assert not report.complete
    assert str(report).startswith("not available here (none): hostile uploads are held by")


@LANDLOCK
@SECCOMP
def test_the_check_lets_ffmpeg_try_and_says_what_held(tmp_path: Path) -> None:
    report = check_sandbox(toolchain().ffmpeg.path, tmp_path)
    assert report.complete
    assert "reads only its input, writes only its scratch folder, opens no socket" in str(report)
    assert str(abilities()) in str(report)
    assert list(tmp_path.glob("run-*")) == []


@LANDLOCK
def test_a_build_with_libraries_in_places_of_its_own_may_read_more_but_not_write(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real = tmp_path / "elsewhere" / "real"
    shutil.copy(toolchain().ffmpeg.path, real)
    wrapper = tmp_path / "ffmpeg"
    wrapper.write_text(f'#!/bin/sh\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    found = find_ffmpeg({"FFMPEG_PATH": str(wrapper)})
    assert found.version == toolchain().ffmpeg.version
    assert tightness(str(wrapper)) == "files"
    report = check_sandbox(wrapper, tmp_path)
    assert (report.reads_only_its_input, report.writes_only_scratch) == (False, True)
    assert "not all of it for this ffmpeg" in str(report)


def test_an_ffmpeg_in_another_folder_is_held_like_the_bundled_one(tmp_path: Path) -> None:
    copy = tmp_path / "tools" / "ffmpeg"
    copy.parent.mkdir()
    shutil.copy(toolchain().ffmpeg.path, copy)
    assert find_ffmpeg({"FFMPEG_PATH": str(copy)}).path == copy
    assert tightness(str(copy)) == "full"


def test_a_program_that_starts_in_no_sandbox_runs_without_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As a snap does, which has to gain rights that the sandbox takes."""
    monkeypatch.setattr(sandbox, "_tightness", {})
    snap = tmp_path / "ffmpeg"
    snap.write_text(
        '#!/bin/sh\ngrep -q "NoNewPrivs:.0" /proc/self/status || exit 1\necho ffmpeg version 7.snap\n'
    )
    snap.chmod(0o755)
    assert find_ffmpeg({"FFMPEG_PATH": str(snap)}).version == "7.snap"
    assert tightness(str(snap)) == ("off" if abilities().landlock_abi or abilities().seccomp else "full")


def test_on_another_system_there_is_nothing_and_that_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    abilities.cache_clear()
    with monkeypatch.context() as other:
        other.setattr(sys, "platform", "darwin")
        assert str(abilities()) == "none"
    abilities.cache_clear()


def test_graphics_cards_get_their_devices_only_where_a_command_names_them() -> None:
    def granted(*words: str) -> dict[str, int]:
        return {
            str(path): rights
            for path, rights in sandbox._grants(["/usr/bin/ffmpeg", *words], None, (), "full")
        }

    assert "/dev" not in granted("-c:v", "libx264", "-metadata", "title=a_nvenc b")
    for words in (("-c:v", "h264_nvenc"), ("-init_hw_device", "vaapi=x"), ("-c:v", "hevc_qsv")):
        assert granted(*words)["/dev"] & sandbox._IOCTL_DEV


def test_the_filter_knows_the_calls_of_both_machines() -> None:
    for machine, socket_call in (("x86_64", 41), ("aarch64", 198)):
        program = socket_filter(machine)
        assert len(program) == 8 * 8
        assert socket_call.to_bytes(4, sys.byteorder) in program


def test_nothing_of_a_run_s_rules_stays_open() -> None:
    before = len(os.listdir("/dev/fd"))
    with rules(["/bin/true"], None):
        pass
    loosen("/nowhere/at/all", "off")
    with rules(["/nowhere/at/all"], None) as held:
        assert (held.ruleset, held.socket_filter, held.descriptors) == (-1, "", ())
    assert len(os.listdir("/dev/fd")) == before
