"""A network of its own: a switch, a database's host, and hosts that can be cut off from it.

Each host is namespaces of the kernel: its own address, process numbers, name, scratch, CPU slots (locks in /run/lock).
The rest of the file system is common, as a shared media folder is. A cut is at the switch, so that no end sees anything
but that its packets are not answered.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

DATABASE = "db"
_LOCKS = Path("/run/lock")


class NoNetworks(Exception):
    """This machine lets us make no networks; the message says why."""


@dataclass
class Network:
    """`prefix` tells the namespaces of one test run from those of another."""

    prefix: str
    addresses: dict[str, str] = field(default_factory=dict)

    def address(self, host: str) -> str:
        """Its IPv4 address."""
        return self.addresses[host]

    def within(self, host: str) -> list[str]:
        """The beginning of a command that runs in the host's network."""
        return ["ip", "netns", "exec", f"{self.prefix}{host}"]

    def on(self, host: str, disk: Path) -> list[str]:
        """The beginning of a command that runs on the host, where the folder `disk` is a file system of its own."""
        mounts = " && ".join(f"mount -t tmpfs none {shlex.quote(str(path))}" for path in (_LOCKS, disk))
        # The program is not the first process of the host, which the kernel spares signals, but its child.
        begin = f'hostname {host} && {mounts} && "$@"; exit $?'
        alone = ["unshare", "--uts", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child"]
        return [*self.within(host), *alone, "bash", "-c", begin, "host"]

    def cut(self, host: str) -> None:
        """From now on packets to and from the host vanish."""
        _ip("-n", f"{self.prefix}switch", "link", "set", f"port-{host}", "down")

    def mend(self, host: str) -> None:
        """Its packets arrive again."""
        _ip("-n", f"{self.prefix}switch", "link", "set", f"port-{host}", "up")

    def processes(self, host: str) -> list[psutil.Process]:
        """Everything that runs in the host's network."""
        inode = Path("/run/netns", f"{self.prefix}{host}").stat().st_ino
        found = []
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                if Path(f"/proc/{process.pid}/ns/net").stat().st_ino == inode:
                    found.append(process)
        return found


@contextmanager
def network(hosts: Sequence[str]) -> Iterator[Network]:
    """A switch with `hosts` and the host of a database. Raises NoNetworks."""
    if os.geteuid() != 0:
        raise NoNetworks("only root may make network namespaces")
    for program in ("ip", "unshare", "mount", "hostname"):
        if shutil.which(program) is None:
            raise NoNetworks(f"not on PATH: {program}")
    made = Network(f"rushes-{os.getpid()}-")
    names = [DATABASE, *hosts]
    try:
        switch = f"{made.prefix}switch"
        _ip("netns", "add", switch)
        _ip("-n", switch, "link", "add", "name", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "dev", "bridge", "up")
        for number, name in enumerate(names, start=1):
            made.addresses[name] = f"10.213.0.{number}"
            here, port = f"{made.prefix}{name}", f"port-{name}"
            _ip("netns", "add", here)
            peer = ("type", "veth", "peer", "name", "eth0", "netns", here)
            _ip("-n", switch, "link", "add", "name", port, *peer)
            _ip("-n", switch, "link", "set", "dev", port, "master", "bridge", "up")
            _ip("-n", here, "address", "add", f"{made.addresses[name]}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", here, "link", "set", "dev", device, "up")
        yield made
    finally:
        for name in ("switch", *names):
            subprocess.run(
                ["ip", "netns", "delete", f"{made.prefix}{name}"], capture_output=True, check=False
            )


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoNetworks(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
