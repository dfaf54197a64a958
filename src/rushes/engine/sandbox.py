"""What a program that parses an upload may touch: its input, its scratch folder, and no socket.

The kernel holds it to that (Linux): Landlock for files, since 5.13, and a seccomp filter for sockets. Neither needs a
privilege or a package. Rules are made here, in the parent, as data and a file descriptor; `launcher` puts them on just
before it turns into the program. Where the kernel has neither, or on another system, programs run as they always
did, within their limits: `sandbox_check` says which it is.

Numbers are from linux/landlock.h, linux/seccomp.h, linux/filter.h and linux/audit.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import re
import stat
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

#: How tightly a program is held. "files": it may read every file, for it has libraries in places that we don't know.
Tightness = Literal["full", "files", "off"]
TIGHTNESSES: tuple[Tightness, ...] = ("full", "files", "off")

# System calls; those of Landlock have the same numbers on every machine.
_CREATE_RULESET, _ADD_RULE = 444, 445
_VERSION_FLAG, _PATH_BENEATH = 1, 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << n for n in range(4))
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_ALL_OF_FIRST_ABI = (1 << 13) - 1
_LATER_RIGHTS = (
    (2, 1 << 13),
    (3, _TRUNCATE),
    (5, _IOCTL_DEV),
)  # (ABI, right); 1 << 13: renames between folders
_OF_FILES = (
    _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
)  # what a rule for a file may speak of
_NETWORK_ABI, _TCP = (
    4,
    0b11,
)  # bind and connect; no rule allows any. The filter below refuses all other sockets too
_SCOPE_ABI, _SCOPES = 6, 0b11  # abstract Unix sockets, and signals to whatever is outside: a worker, say

_READ = _READ_FILE | _READ_DIR
_RUN = _READ | _EXECUTE
_SCRATCH = (
    _READ | _WRITE_FILE | _TRUNCATE | _MAKE_REG | _REMOVE_FILE | _MAKE_DIR | _REMOVE_DIR
)  # not _EXECUTE: nothing that was written is run
_DEVICE = _READ | _WRITE_FILE | _IOCTL_DEV

# Programs and libraries of the system. Not all of /usr: applications and their media lie in /usr/src and /usr/local.
_SYSTEM = (
    *("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/usr/bin", "/usr/sbin", "/usr/libexec"),
    *("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/bin", "/usr/local/lib", "/usr/local/lib64"),
    *("/nix/store", "/gnu/store", "/home/linuxbrew/.linuxbrew"),
)
# What libraries look at: where others are, fonts, the clock, the cores and nodes of the machine.
_FACTS = (
    *(
        "/etc/ld.so.cache",
        "/etc/ld.so.preload",
        "/etc/localtime",
        "/etc/fonts",
        "/usr/share",
        "/usr/local/share",
    ),
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system"),
    *("/dev/zero", "/dev/random", "/dev/urandom"),
)
# Drivers bring libraries, caches and devices of their own.
_HARDWARE = re.compile(
    r".*_(nvenc|qsv|vaapi|amf|vulkan|v4l2m2m)|-(init_hw_device|hwaccel|vaapi_device|qsv_device)"
)

# (AUDIT_ARCH, socket) of the machines that we know; io_uring, which opens sockets without that call, is 425 on both.
_MACHINES = {"x86_64": (0xC000_003E, 41), "aarch64": (0xC000_00B7, 198)}
_IO_URING_SETUP = 425
_FOREIGN_CALLS = 0x4000_0000  # x32's numbers begin here
_ALLOW, _REFUSE = 0x7FFF_0000, 0x0005_0000 | errno.EACCES
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_GET_ACTION_AVAIL = 2
_SECCOMP = {"x86_64": 317, "aarch64": 277}

_tightness: dict[str, Tightness] = {}


@dataclass(frozen=True, kw_only=True)
class Abilities:
    """What this kernel can hold a program to."""

    landlock_abi: int  # 0: no Landlock
    seccomp: bool

    def __str__(self) -> str:
        known = [f"Landlock {self.landlock_abi}"] * bool(self.landlock_abi) + ["seccomp"] * self.seccomp
        return " and ".join(known) or "none"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What `launcher` puts on: two arguments, and the descriptors that it has to inherit for them."""

    ruleset: int = -1  # a Landlock ruleset; -1: none
    socket_filter: str = ""  # a seccomp program in hexadecimal digits

    @property
    def descriptors(self) -> tuple[int, ...]:
        """For `Popen(pass_fds=...)`."""
        return (self.ruleset,) if self.ruleset >= 0 else ()


@cache
def abilities() -> Abilities:
    """What the kernel offers, asked once a process; nothing is begun or changed by asking."""
    if sys.platform != "linux":
        return Abilities(landlock_abi=0, seccomp=False)
    # A container's own filter, or a kernel without it, answers with an error: below 0.
    abi = max(0, _call(_CREATE_RULESET, None, 0, _VERSION_FLAG))
    machine = platform.machine() if sys.maxsize > 1 << 32 else "of 32 bits"
    refusal = ctypes.byref(ctypes.c_uint32(_REFUSE & 0xFFFF_0000))
    known = machine in _SECCOMP and _call(_SECCOMP[machine], _GET_ACTION_AVAIL, 0, refusal) == 0
    return Abilities(landlock_abi=abi, seccomp=known)


def tightness(program: str) -> Tightness:
    """How `program`, an absolute path, is held in this process."""
    return _tightness.get(program, "full")


def loosen(program: str, to: Tightness) -> None:
    """Hold `program` less tightly from now on, because it does not even start otherwise."""
    _tightness[program] = to


@contextmanager
def rules(argv: Sequence[str], scratch: Path | None, reads: Iterable[Path] = ()) -> Iterator[Rules]:
    """The rules for one run of `argv`, whose first word is a path; their descriptors live as long as the block.

    It may read the program, what the system's programs need, `reads`, every file that is an argument of its own
    (commands are ours, an uploader's words are never a whole argument) or that a link in `scratch` stands for. It may
    write below `scratch`, and nowhere else.
    """
    held, can = tightness(argv[0]), abilities()
    if held == "off":
        yield Rules()
        return
    ruleset = _ruleset(argv, scratch, reads, held, can.landlock_abi) if can.landlock_abi else -1
    try:
        yield Rules(ruleset=ruleset, socket_filter=socket_filter().hex() if can.seccomp else "")
    finally:
        if ruleset >= 0:
            os.close(ruleset)


def socket_filter(machine: str = platform.machine()) -> bytes:
    """A seccomp program, `struct sock_filter` by `struct sock_filter`: no new sockets, everything else as before."""
    architecture, socket_call = _MACHINES[machine]
    rows = (
        (_LOAD, 0, 0, 4),  # seccomp_data.arch
        (_EQUAL, 0, 5, architecture),  # calls in another machine's numbers would pass by what follows
        (_LOAD, 0, 0, 0),  # seccomp_data.nr
        (_AT_LEAST, 3, 0, _FOREIGN_CALLS),
        (_EQUAL, 2, 0, socket_call),
        (_EQUAL, 1, 0, _IO_URING_SETUP),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    )
    return b"".join(struct.pack("=HBBI", *row) for row in rows)


def _ruleset(
    argv: Sequence[str], scratch: Path | None, reads: Iterable[Path], held: Tightness, abi: int
) -> int:
    """A Landlock ruleset's descriptor, which closes on exec. Raises OSError."""
    handled = _ALL_OF_FIRST_ABI
    for since, right in _LATER_RIGHTS:
        handled |= right if abi >= since else 0
    attributes = struct.pack(
        "=QQQ", handled, _TCP if abi >= _NETWORK_ABI else 0, _SCOPES if abi >= _SCOPE_ABI else 0
    )
    size = 24 if abi >= _SCOPE_ABI else 16 if abi >= _NETWORK_ABI else 8
    ruleset = _call(_CREATE_RULESET, attributes, size, 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "Landlock makes no ruleset")
    with ExitStack() as undo:
        undo.callback(os.close, ruleset)
        for path, rights in _grants(argv, scratch, reads, held):
            _grant(ruleset, path, rights & handled)
        undo.pop_all()
    return ruleset


def _grants(
    argv: Sequence[str], scratch: Path | None, reads: Iterable[Path], held: Tightness
) -> Iterator[tuple[str | Path, int]]:
    for path in (argv[0], *_present(_SYSTEM), *map(str, _beside(argv[0]))):
        yield path, _RUN
    for path in _present(_FACTS):
        yield path, _READ
    yield "/dev/null", _READ | _WRITE_FILE
    for argument in argv[1:]:
        if argument.startswith("/") and _is_file(argument):
            yield argument, _READ
    for named in reads:
        yield named, _READ
    if scratch is not None:
        yield scratch, _SCRATCH
        for link in _links(scratch):
            yield link, _READ
    hardware = any(_HARDWARE.fullmatch(argument) for argument in argv)
    if hardware:
        yield "/dev", _DEVICE
    if hardware or held == "files":
        yield "/", _RUN


@cache
def _present(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are there, each once: /bin and /lib are links on most systems. A rule costs 20 us."""
    return tuple({os.path.realpath(path): None for path in paths if os.path.exists(path)})


def _beside(program: str) -> Iterator[Path]:
    """Where a program that was not installed by the system has its libraries; Python in a venv is one of them."""
    real = Path(program).resolve()
    for folder in {Path(program).parent, real.parent}:
        if folder.name == "bin":
            for name in ("lib", "lib64", "pyvenv.cfg"):
                yield folder.parent / name
    yield Path("/etc") / real.name  # Debian's Python begins with a link to there
    for name in filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":")):
        yield Path(name)


def _links(folder: Path) -> Iterator[Path]:
    """Files that we have laid into a scratch folder under a plain name; a program in the sandbox makes no links."""
    for path in folder.iterdir():
        if path.is_symlink() and path.is_file():
            yield path


def _is_file(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:  # an output that is not there yet
        return False
    return stat.S_ISREG(mode) or stat.S_ISFIFO(mode)


def _grant(ruleset: int, path: str | Path, rights: int) -> None:
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):  # what is not there needs no right
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                rights &= _OF_FILES
            if _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0) != 0:
                raise OSError(ctypes.get_errno(), f"Landlock takes no rule for {path}")
        finally:
            os.close(descriptor)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    """A system call that the C library has no function for; -1 with errno where it fails."""
    words = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return int(_libc().syscall(ctypes.c_long(number), *words))
