import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rushes.engine import launcher
from rushes.engine.binaries import toolchain
from rushes.engine.limits import UnguardedInput
from rushes.engine.process import (
    INPUT_GUARDS,
    Cancelled,
    CannotRun,
    FfmpegFailed,
    FfmpegInterrupted,
    FfmpegRun,
    LimitExceeded,
    Limits,
    Progress,
    ffmpeg_argv,
    iter_tool_lines,
    run_tool,
    scratch_folder,
    start,
    sweep_scratch,
)

DEADLINE_S = 20  # for what only has to come about at all
DEATH_DEADLINE_S = 3 * 2.0  # ffmpeg dies with its parent within 2 s
TO_NOWHERE = ("-f", "null", "-")
TO_NUT = ("-c:v", "rawvideo", "-f", "nut", "out.nut")


def source(duration_s: float | None = None, size: str = "64x64", speed: str = "") -> tuple[str, ...]:
    """Input arguments of a generated picture; speed "-re" makes it last as long as it plays."""
    end = () if duration_s is None else ("-t", str(duration_s))
    return (*((speed,) if speed else ()), *end, "-f", "lavfi", "-i", f"testsrc=size={size}:rate=10")


def command(*body: str) -> tuple[str, ...]:
    return ffmpeg_argv(toolchain().ffmpeg.path, body)


ENDLESS = (*source(speed="-re"), *TO_NOWHERE)


def wait_until(condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Running, and not a zombie that only waits for its reaper."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def is_ffmpeg(pid: int) -> bool:
    """The launcher has made way for ffmpeg."""
    return "ffmpeg" in os.path.basename(os.readlink(f"/proc/{pid}/exe"))


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    with scratch_folder(tmp_path / "scratch") as folder:
        yield folder


# Ends


def test_a_run_reports_its_progress_and_what_it_used(scratch: Path) -> None:
    reports: list[Progress] = []
    run = start(command(*source(3), *TO_NUT), scratch=scratch, on_progress=reports.append)
    finished = run.wait()
    assert run.finished
    assert finished.returncode == 0
    assert finished.stderr_tail == ()
    assert finished.wall_s > 0
    assert finished.cpu_s > 0
    assert finished.max_rss_bytes > 1 << 20
    assert (reports[-1].frame, reports[-1].out_time_us, reports[-1].is_last) == (30, 3_000_000, True)
    assert reports[-1].total_size == (scratch / "out.nut").stat().st_size
    assert not any(report.is_last for report in reports[:-1])


def test_an_error_says_what_ffmpeg_said_last_and_holds_the_command_as_a_shell_takes_it(scratch: Path) -> None:
    argv = command(*INPUT_GUARDS, "-i", "no such file.mp4", *TO_NOWHERE)
    with pytest.raises(FfmpegFailed, match=r"no such file\.mp4.*\n?.*No such file or directory") as caught:
        start(argv, scratch=scratch).wait()
    assert shlex.split(caught.value.command) == list(argv)
    assert caught.value.returncode > 0
    assert "No such file" in caught.value.stderr_tail[-1]


def test_a_program_that_is_not_there_or_not_a_program_is_said_so(scratch: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match=r"nowhere/ffmpeg: No such file.*FFMPEG_PATH"):
        start(ffmpeg_argv("/nowhere/ffmpeg", TO_NOWHERE), scratch=scratch).wait()
    text = tmp_path / "text"
    text.write_text("no program")
    text.chmod(0o755)
    with pytest.raises(CannotRun, match="Exec format error"):
        run_tool([str(text)])


def test_a_scratch_folder_that_is_gone_is_an_error_of_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        start(command(*ENDLESS), scratch=tmp_path / "gone")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_we_did_not_send_is_an_interruption(scratch: Path, number: signal.Signals) -> None:
    begun = threading.Event()
    run = start(command(*ENDLESS), scratch=scratch, on_progress=lambda _: begun.set())
    assert begun.wait(DEADLINE_S)
    os.kill(run.pid, number)
    with pytest.raises(FfmpegInterrupted, match="Rushes did not send"):
        run.wait()


def test_a_crash_is_a_failure(scratch: Path) -> None:
    begun = threading.Event()
    run = start(command(*ENDLESS), scratch=scratch, on_progress=lambda _: begun.set())
    assert begun.wait(DEADLINE_S)
    os.kill(run.pid, signal.SIGSEGV)
    with pytest.raises(FfmpegFailed, match="crashed"):
        run.wait()


def test_cancel_ends_a_run_from_any_thread_and_as_often_as_one_likes(scratch: Path) -> None:
    with start(command(*ENDLESS), scratch=scratch) as run:
        with ThreadPoolExecutor(4) as pool:
            for _ in range(8):
                pool.submit(run.cancel)
        with pytest.raises(Cancelled):
            run.wait()
        assert not alive(run.pid)
        run.cancel()


def test_cancel_kills_what_does_not_listen_and_what_it_started(scratch: Path) -> None:
    deaf = scratch / "deaf"
    deaf.write_text(
        "#!/bin/sh\ntrap '' TERM\nsleep 1000 & echo $! > child\nwait\nwhile :; do sleep 1; done\n"
    )
    deaf.chmod(0o755)
    run = start([str(deaf)], scratch=scratch)
    wait_until(lambda: (scratch / "child").exists() and (scratch / "child").read_text().endswith("\n"))
    grandchild = int((scratch / "child").read_text())
    assert alive(grandchild)
    run.cancel()
    with pytest.raises(Cancelled):
        run.wait()
    wait_until(lambda: not alive(grandchild))


def test_a_cancel_after_the_end_changes_nothing(scratch: Path) -> None:
    run = start(command(*source(0.1), *TO_NOWHERE), scratch=scratch)
    first = run.wait()
    run.cancel()
    assert run.wait() is first


def test_leaving_the_with_block_early_cancels_the_run(scratch: Path) -> None:
    with pytest.raises(ZeroDivisionError), start(command(*ENDLESS), scratch=scratch) as run:
        raise ZeroDivisionError
    assert run.finished
    assert not alive(run.pid)


def test_an_error_in_a_callback_ends_the_run_and_comes_out_of_wait(scratch: Path) -> None:
    def refuse(_: Progress) -> None:
        raise ZeroDivisionError

    run = start(command(*ENDLESS), scratch=scratch, on_progress=refuse)
    with pytest.raises(ZeroDivisionError):
        run.wait()
    assert not alive(run.pid)


# Lines


def test_lines_of_stderr_come_while_ffmpeg_runs(scratch: Path) -> None:
    lines: list[str] = []
    come = threading.Event()

    def keep(line: str) -> None:
        lines.append(line)
        if "[warning] 0.3" in line:
            come.set()

    body = (*source(speed="-re"), "-vf", "select='print(t,24)+1'", *TO_NOWHERE)
    with start(command(*body), scratch=scratch, on_line=keep) as run:
        assert come.wait(DEADLINE_S)
        assert not run.finished
    assert any(line.startswith("[Eval @ 0x") for line in lines)


def test_a_flood_on_stderr_neither_fills_the_memory_nor_stops_ffmpeg(scratch: Path) -> None:
    count = 0

    def tally(_: str) -> None:
        nonlocal count
        count += 1

    body = ("-f", "lavfi", "-i", "testsrc=size=16x16:rate=1000:duration=30", "-vf", "select='print(n,24)+1'")
    finished = start(command(*body, *TO_NOWHERE), scratch=scratch, on_line=tally).wait()
    assert count >= 30_000
    assert finished.warning_lines >= 30_000
    assert len(finished.stderr_tail) == 40


def test_an_endless_line_is_cut_and_control_characters_are_taken_out(scratch: Path) -> None:
    loud = scratch / "loud"
    loud.write_text(
        "#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' x >&2\nprintf '\\n\\033[31m red\\377' >&2\n"
    )
    loud.chmod(0o755)
    lines: list[str] = []
    start([str(loud)], scratch=scratch, on_line=lines.append).wait()
    assert [line[:10] for line in lines] == ["x" * 10, "\ufffd[31m red\ufffd"]
    assert len(lines[0]) == 4096


# Limits


def test_a_run_past_its_wall_time_is_ended(scratch: Path) -> None:
    run = start(command(*ENDLESS), scratch=scratch, limits=Limits(wall_s=0.5))
    with pytest.raises(LimitExceeded, match=r"more than the 0\.5 s") as caught:
        run.wait()
    assert caught.value.limit == "wall"
    assert not alive(run.pid)


def test_a_run_past_its_processor_time_is_ended(scratch: Path) -> None:
    run = start(command(*source(size="1920x1080"), *TO_NOWHERE), scratch=scratch, limits=Limits(cpu_s=1))
    with pytest.raises(LimitExceeded, match="processor time") as caught:
        run.wait()
    assert (caught.value.limit, caught.value.allowed) == ("cpu", 1)
    assert caught.value.used >= 1


def test_a_file_past_the_output_limit_ends_the_run_before_it_is_larger(scratch: Path) -> None:
    run = start(command(*source(), *TO_NUT), scratch=scratch, limits=Limits(output_bytes=1_000_000))
    with pytest.raises(LimitExceeded, match=r"1\.0 MB are allowed") as caught:
        run.wait()
    assert caught.value.limit == "output"
    assert (scratch / "out.nut").stat().st_size <= 1_000_000


def test_many_files_past_the_output_limit_together_end_the_run(scratch: Path) -> None:
    outputs = ("-c:v", "rawvideo", "-f", "segment", "-segment_time", "1", "-segment_format", "nut", "%d.nut")
    (scratch / "before").write_bytes(bytes(2_000_000))  # does not count
    run = start(command(*source(), *outputs), scratch=scratch, limits=Limits(output_bytes=1_000_000))
    with pytest.raises(LimitExceeded) as caught:
        run.wait()
    assert caught.value.limit == "output"
    assert caught.value.used > 1_000_000


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="this system does not tell what a program holds"
)
def test_a_run_that_takes_too_much_memory_is_ended(scratch: Path) -> None:
    hoard = (*source(size="1000x1000"), "-vf", "reverse", *TO_NOWHERE)  # keeps every picture until the end
    run = start(command(*hoard), scratch=scratch, limits=Limits(memory_bytes=300 << 20))
    with pytest.raises(LimitExceeded, match=r"of memory; 0\.3 GB are allowed") as caught:
        run.wait()
    assert caught.value.limit == "memory"
    assert not alive(run.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the score is Linux's")
def test_the_kernel_ends_ffmpeg_before_a_worker_when_memory_runs_out(scratch: Path) -> None:
    with start(command(*ENDLESS), scratch=scratch) as run:
        wait_until(lambda: is_ffmpeg(run.pid))
        assert int(Path(f"/proc/{run.pid}/oom_score_adj").read_text()) >= 500


def test_background_work_is_nice(scratch: Path) -> None:
    with start(command(*ENDLESS), scratch=scratch, limits=Limits(nice=10)) as run:
        wait_until(lambda: is_ffmpeg(run.pid))
        assert os.getpriority(os.PRIO_PROCESS, run.pid) == os.nice(0) + 10


@pytest.mark.parametrize(
    "wrong",
    [{"wall_s": 0}, {"cpu_s": -1}, {"output_bytes": 0}, {"memory_bytes": 0}, {"nice": 20}, {"nice": -1}],
)
def test_limits_without_a_meaning_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Limits(**wrong)


# Hostile input


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{victim}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {victim}\n",
    ],
    ids=["m3u8", "ffconcat"],
)
def test_a_playlist_dressed_as_a_video_is_refused_and_no_other_file_is_read(
    scratch: Path, tmp_path: Path, playlist: str
) -> None:
    victim = tmp_path / "victim.mp4"
    os.mkfifo(victim)  # opening it would wait for a writer: the run would pass its wall time
    dressed = tmp_path / "dressed.mp4"
    dressed.write_text(playlist.format(victim=victim.name))
    limits = Limits(wall_s=DEADLINE_S)
    with pytest.raises(FfmpegFailed):
        start(command(*INPUT_GUARDS, "-i", str(dressed), *TO_NOWHERE), scratch=scratch, limits=limits).wait()
    probed = run_tool([str(toolchain().ffprobe.path), *INPUT_GUARDS, "-show_format", str(dressed)])
    assert probed.returncode != 0
    assert "nb_streams" not in probed.stdout


def test_a_pixel_bomb_is_refused_by_ffmpeg_and_not_decoded_by_ffprobe(scratch: Path) -> None:
    bomb = scratch / "bomb.mov"
    big = ("-f", "lavfi", "-i", "color=size=8000x8000:rate=5:duration=0.2", "-c:v", "mjpeg", str(bomb))
    start(command(*big), scratch=scratch).wait()
    with pytest.raises(LimitExceeded, match=r"64\.0 megapixels; 35\.4 are allowed") as caught:
        start(command(*INPUT_GUARDS, "-i", str(bomb), *TO_NOWHERE), scratch=scratch).wait()
    assert caught.value.limit == "pixels"
    probe = [str(toolchain().ffprobe.path), "-v", "error", *INPUT_GUARDS, "-show_frames", str(bomb)]
    assert "[FRAME]" not in run_tool(probe).stdout


def test_a_guarded_clip_plays(scratch: Path, clip: Callable[..., Path]) -> None:
    reports: list[Progress] = []
    body = (*INPUT_GUARDS, "-i", str(clip()), *TO_NOWHERE)
    finished = start(command(*body), scratch=scratch, on_progress=reports.append).wait()
    assert (finished.error_lines, reports[-1].frame) == (0, 60)


def test_an_input_without_guards_is_not_run(scratch: Path) -> None:
    second = (*INPUT_GUARDS, "-i", "one.mp4", "-i", "two.mp4")
    with pytest.raises(UnguardedInput, match=r"two\.mp4"):
        start(command(*second, *TO_NOWHERE), scratch=scratch)


def test_the_whitelist_names_demuxers_that_ffmpeg_has_and_none_that_opens_other_files() -> None:
    listed = run_tool([str(toolchain().ffmpeg.path), "-hide_banner", "-demuxers"]).stdout
    known = {
        name for line in listed.splitlines() if line.startswith(" D") for name in line.split()[1].split(",")
    }
    allowed = set(INPUT_GUARDS[INPUT_GUARDS.index("-format_whitelist") + 1].split(","))
    assert allowed <= known
    assert not allowed & {
        "hls",
        "dash",
        "concat",
        "imf",
        "sdp",
        "rtsp",
        "image2",
        "lavfi",
        "vobsub",
        "data",
        "bin",
    }


def test_ffmpeg_gets_no_secrets_of_ours(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hush")
    monkeypatch.setenv("FFREPORT", "file=report.log")
    with start(command(*ENDLESS), scratch=scratch) as run:
        wait_until(lambda: is_ffmpeg(run.pid))
        assert b"hush" not in Path(f"/proc/{run.pid}/environ").read_bytes()
    assert not (scratch / "report.log").exists()


# Parents, threads and what is left behind

PARENT = """
import sys, threading
from pathlib import Path
from rushes.engine.process import start
run = start(sys.argv[2:], scratch=Path(sys.argv[1]))
print(run.pid, flush=True)
run.wait()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_ffmpeg_dies_with_its_parent(scratch: Path, number: signal.Signals) -> None:
    arguments = [sys.executable, "-c", PARENT, str(scratch), *command(*ENDLESS)]
    parent = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    wait_until(lambda: is_ffmpeg(pid))
    parent.send_signal(number)
    wait_until(lambda: not alive(pid), DEATH_DEADLINE_S)
    parent.communicate()


def test_the_launcher_starts_nothing_for_a_parent_that_is_gone(tmp_path: Path) -> None:
    someone_else = str(os.getppid())
    argv = [
        sys.executable,
        launcher.__file__,
        someone_else,
        "0",
        "0",
        "0",
        "exec",
        "-1",
        "",
        "touch",
        str(tmp_path / "made"),
    ]
    assert subprocess.run(argv, check=False).returncode == 1
    assert not (tmp_path / "made").exists()


def test_a_run_goes_on_when_the_thread_that_started_it_has_ended(scratch: Path) -> None:
    runs: list[FfmpegRun] = []
    reports: list[Progress] = []
    body = (*source(0.5, speed="-re"), *TO_NOWHERE)
    starter = threading.Thread(
        target=lambda: runs.append(start(command(*body), scratch=scratch, on_progress=reports.append))
    )
    starter.start()
    starter.join()
    assert runs[0].wait().returncode == 0
    assert reports[-1].frame == 5


def test_runs_side_by_side_in_a_thread_pool_end_each_for_itself(tmp_path: Path) -> None:
    def encode(number: int) -> int:
        last: list[Progress] = []
        with scratch_folder(tmp_path) as scratch:
            body = (*source(number / 10), *TO_NOWHERE)
            start(command(*body), scratch=scratch, on_progress=last.append).wait()
        return last[-1].frame

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(encode, range(1, 9))) == list(range(1, 9))


def test_fifty_runs_leave_no_zombie_no_thread_and_no_open_file(tmp_path: Path) -> None:
    def run_once() -> None:
        with scratch_folder(tmp_path) as scratch:
            start(command(*source(0.1, "16x16"), *TO_NOWHERE), scratch=scratch).wait()

    run_once()
    files, threads = os.listdir("/proc/self/fd"), threading.active_count()
    for _ in range(50):
        run_once()
    wait_until(lambda: threading.active_count() <= threads)
    assert len(os.listdir("/proc/self/fd")) == len(files)
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    assert not [pid for pid in children if not alive(int(pid))]
    assert list(tmp_path.iterdir()) == []


# The launcher where the kernel has no parent-death signal


def watched(*program: str, parent_pid: int | None = None) -> list[str]:
    return [
        sys.executable,
        launcher.__file__,
        str(parent_pid or os.getpid()),
        "0",
        "0",
        "0",
        "watch",
        "-1",
        "",
        *program,
    ]


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 3", 3), ("kill -TERM $$", -signal.SIGTERM), ("kill -KILL $$", -signal.SIGKILL)],
)
def test_a_watching_launcher_hands_the_status_on(script: str, status: int) -> None:
    assert subprocess.run(watched("sh", "-c", script), check=False).returncode == status


def test_a_watching_launcher_says_what_cannot_run() -> None:
    done = subprocess.run(watched("/nowhere/ffmpeg"), check=False, capture_output=True, text=True)
    assert done.returncode == launcher.CANNOT_RUN_STATUS
    assert done.stderr == f"{launcher.CANNOT_RUN} /nowhere/ffmpeg: No such file or directory\n"


def test_a_watching_launcher_kills_its_group_when_it_is_orphaned(tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 1000"
    code = (
        "import os, subprocess, sys\n"
        f"words = [*'0 0 0 watch -1'.split(), '', 'sh', '-c', {script!r}]\n"
        f"argv = [sys.executable, {launcher.__file__!r}, str(os.getpid()), *words]\n"
        "subprocess.Popen(argv, process_group=0); sys.stdin.read()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    wait_until(lambda: (tmp_path / "pid").exists())
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid)
    parent.kill()
    parent.communicate()
    wait_until(lambda: not alive(pid), DEATH_DEADLINE_S)


# Tools


def test_a_tool_that_nobody_needs_any_more_is_ended(tmp_path: Path) -> None:
    cancel = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            run_tool, ["sh", "-c", "touch begun; sleep 600"], scratch=tmp_path, cancel=cancel
        )
        wait_until((tmp_path / "begun").exists)
        cancel.set()
        with pytest.raises(Cancelled):
            waiting.result(DEADLINE_S)


def test_a_tool_returns_what_it_wrote_and_its_status() -> None:
    result = run_tool(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (result.returncode, result.stdout, result.stderr) == (3, "out\n", "err")


def test_a_tool_that_crashes_returns_its_signal_and_one_that_was_killed_is_interrupted() -> None:
    assert run_tool(["sh", "-c", "kill -ILL $$"]).returncode == -signal.SIGILL
    with pytest.raises(FfmpegInterrupted):
        run_tool(["sh", "-c", "kill -KILL $$"])


def test_a_tool_is_held_to_its_time_and_its_output() -> None:
    with pytest.raises(LimitExceeded) as caught:
        run_tool(["sleep", "1000"], wall_limit_s=0.3)
    assert caught.value.limit == "wall"
    with pytest.raises(LimitExceeded) as caught:
        run_tool(["yes"], output_limit_bytes=1_000_000)
    assert caught.value.limit == "output"


def test_lines_of_a_tool_come_one_by_one_whatever_their_number() -> None:
    lines = iter_tool_lines(["seq", "300000"])
    assert next(lines) == "1"
    assert sum(1 for _ in lines) == 299_999


def test_lines_of_a_tool_end_in_its_failure_after_the_last_line() -> None:
    lines = iter_tool_lines(["sh", "-c", "printf 'a\nb'; echo bad >&2; exit 1"])
    assert [next(lines), next(lines)] == ["a", "b"]
    with pytest.raises(FfmpegFailed, match="bad"):
        next(lines)


def test_leaving_the_lines_early_kills_the_tool() -> None:
    pid = 0
    for line in iter_tool_lines(["sh", "-c", "echo $$; while :; do echo line; done"]):
        pid = int(line)
        break
    assert pid
    assert not alive(pid)


# Scratch folders


def test_a_scratch_folder_is_private_and_gone_in_the_end(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "new" / "root") as scratch:
        assert scratch.stat().st_mode & 0o777 == 0o700
        (scratch / "folder").mkdir()
        (scratch / "folder" / "file").touch()
    assert not scratch.exists()


def test_a_sweep_removes_the_scratch_of_the_dead_and_leaves_that_of_the_living(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rushes.engine.process import scratch_folder\n"
        "with scratch_folder(Path(sys.argv[1])) as scratch:\n"
        "    (scratch / 'file').touch(); print(scratch, flush=True); sys.stdin.read()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    dead = Path(owner.stdout.readline().strip())
    (tmp_path / "not ours").mkdir()
    with scratch_folder(tmp_path) as living:
        assert sweep_scratch(tmp_path) == 0
        assert (dead / "file").exists()
        owner.kill()
        owner.communicate()
        assert sweep_scratch(tmp_path) == 1
        assert {path.name for path in tmp_path.iterdir()} == {living.name, "not ours"}
    assert sweep_scratch(tmp_path / "nowhere") == 0
