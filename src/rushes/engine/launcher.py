"""What stands between `fork` and ffmpeg's `exec`: limits, priority, and dying with the parent.

Run as a script in a bare interpreter (`python -I -S launcher.py PARENT_PID CPU_S FILE_BYTES NICE MODE PROGRAM ARG...`),
never in a forked copy of ours, because `preexec_fn` deadlocks in a process that has threads. It costs 12 ms, once
per ffmpeg. On Linux it turns into the program, so nothing of it stays. The sandbox (Landlock) belongs here too.
Imports are few because each is paid per ffmpeg.
"""

import ctypes
import os
import resource
import signal
import sys

CANNOT_RUN_STATUS = 127  # what a shell says for a command that it cannot run
CANNOT_RUN = "rushes-launcher: cannot run"

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CPU_GRACE_S = (
    5  # ffmpeg answers SIGXCPU by ending in order; SIGKILL when it has not after this much more CPU
)


def main(arguments: list[str]) -> None:
    """Become the program (MODE `exec`) or its watching parent (`watch`); 0 stands for no limit."""
    parent_pid, cpu_s, file_bytes, niceness = (int(argument) for argument in arguments[:4])
    mode, command = arguments[4], arguments[5:]
    if mode == "exec":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before prctl took hold: nobody is waiting for the result
        sys.exit(1)
    _limit(resource.RLIMIT_CORE, 0, 0)  # a core file of a crash would hold somebody's video
    if cpu_s:
        _limit(resource.RLIMIT_CPU, cpu_s, cpu_s + _CPU_GRACE_S)
    if file_bytes:
        _limit(resource.RLIMIT_FSIZE, file_bytes, file_bytes)
    if niceness:
        os.nice(niceness)
    # Python ignores these two, and what is ignored stays so over exec: a file past RLIMIT_FSIZE must end the program.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    signal.pthread_sigmask(
        signal.SIG_SETMASK, []
    )  # a worker that blocks SIGTERM must not make ffmpeg deaf to it
    try:
        if mode == "exec":
            os.execvp(command[0], command)
        watch(parent_pid, command)
    except OSError as error:
        sys.stderr.write(f"{CANNOT_RUN} {command[0]}: {error.strerror}\n")
        sys.exit(CANNOT_RUN_STATUS)


def watch(parent_pid: int, command: list[str]) -> None:
    """Where the kernel has no parent-death signal (not Linux): stay, and kill our process group when orphaned."""

    def look(*_: object) -> None:
        if os.getppid() != parent_pid:
            os.killpg(0, signal.SIGKILL)

    polite = (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU)
    for number in polite:  # they come to the whole group; the program answers them and we hand its status on
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, look)
    pid = os.posix_spawnp(command[0], command, os.environ, setsigdef=polite)
    signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def _limit(kind: int, soft: int, hard: int) -> None:
    _, ceiling = resource.getrlimit(kind)
    if ceiling != resource.RLIM_INFINITY:  # an unprivileged process cannot go above what it was given
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))


if __name__ == "__main__":
    main(sys.argv[1:])
