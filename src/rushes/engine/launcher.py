"""What stands between `fork` and ffmpeg's `exec`: limits, priority, the sandbox, and dying with the parent.

Run as a script in a bare interpreter, never in a forked copy of ours, because `preexec_fn` deadlocks in a process
that has threads: `python -I -S launcher.py PARENT_PID CPU_S FILE_BYTES NICE MODE RULESET FILTER PROGRAM ARG...`.
It costs 12 ms, once per ffmpeg. On Linux it turns into the program, so nothing of it stays. `sandbox` makes RULESET
and FILTER. Imports are few because each is paid per ffmpeg.
"""

import ctypes
import os
import resource
import signal
import sys

CANNOT_RUN_STATUS = 127  # what a shell says for a command that it cannot run
CANNOT_RUN = "rushes-launcher: cannot run"

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # linux/prctl.h
_LANDLOCK_RESTRICT_SELF = 446  # on every machine
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4  # older kernels would slow every branch of the program down for a filter
_OOM_SCORE = "500"  # of 1000: rather this than a worker, a web server or a database
_CPU_GRACE_S = (
    5  # ffmpeg answers SIGXCPU by ending in order; SIGKILL when it has not after this much more CPU
)


def main(arguments: list[str]) -> None:
    """Become the program (MODE `exec`) or its watching parent (`watch`); 0 stands for no limit."""
    parent_pid, cpu_s, file_bytes, niceness = (int(argument) for argument in arguments[:4])
    mode, ruleset, socket_filter, *command = arguments[4:]
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
            _prefer_for_oom()
            confine(int(ruleset), bytes.fromhex(socket_filter))
            os.execv(command[0], command)  # not execvp, which imports: the sandbox may not let it
        watch(parent_pid, command)
    except OSError as error:
        sys.stderr.write(f"{CANNOT_RUN} {command[0]}: {error.strerror}\n")
        sys.exit(CANNOT_RUN_STATUS)


def confine(ruleset: int, socket_filter: bytes) -> None:
    """Put on a Landlock ruleset (-1: none) and a seccomp filter (empty: none), for good. Raises OSError."""
    if ruleset < 0 and not socket_filter:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    # The kernel's condition for both: no program that is run from here gets more rights than this process has.
    _must(libc.prctl(_PR_SET_NO_NEW_PRIVS, *map(ctypes.c_long, (1, 0, 0, 0))))
    if ruleset >= 0:
        os.set_inheritable(ruleset, False)
        _must(libc.syscall(*map(ctypes.c_long, (_LANDLOCK_RESTRICT_SELF, ruleset, 0))))
    if socket_filter:
        code = ctypes.create_string_buffer(socket_filter, len(socket_filter))
        program = _SocketFilter(len(socket_filter) // 8, ctypes.addressof(code))
        numbers = _SECCOMP[os.uname().machine], _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_SPEC_ALLOW
        _must(libc.syscall(*map(ctypes.c_long, numbers), ctypes.byref(program)))


class _SocketFilter(ctypes.Structure):
    """struct sock_fprog of linux/filter.h: how many instructions, and where."""

    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def _must(status: int) -> None:
    if status != 0:
        raise OSError(ctypes.get_errno(), f"not in a sandbox: {os.strerror(ctypes.get_errno())}")


def _prefer_for_oom() -> None:
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(_OOM_SCORE)
    except OSError:  # no /proc, or a score that is higher already
        pass


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
