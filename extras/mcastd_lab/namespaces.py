"""Network namespaces that go with the process that made them.

Their names carry its identifier, by which leftovers are told.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from mcastd.net import namespaces

from mcastd_lab.errors import LabError
from mcastd_lab.iproute2 import ip

DIRECTORY = Path("/run/netns")
PREFIX = "mcastd-lab"
"""Of all that a lab leaves where others see it; its owner follows."""


def owner() -> str:
    """This process, as it stands in names: its identifier, and where that is one.

    The same number may be another process, or none, in another container that sees the name too.
    """
    return f"{os.getpid()}-{os.stat('/proc/self/ns/pid').st_ino:x}"


_numbers = count(1)


class Namespace:
    """A network namespace with its loopback up; IPv6 addresses are usable at once."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.name = f"{PREFIX}-{owner()}-{next(_numbers)}-{label}"
        ip("netns", "add", self.name)
        self.ip("link", "set", "lo", "up")
        self.sysctl({"ipv6.conf.all.accept_dad": 0, "ipv6.conf.default.accept_dad": 0})

    def ip(self, *arguments: str) -> str:
        return ip("-n", self.name, *arguments)

    def batch(self, commands: Iterable[Sequence[str]]) -> None:
        """Many commands of ip(8) by one process, which ends at the first that fails: LabError."""
        lines = "\n".join(map(" ".join, commands))
        ip("-n", self.name, "-batch", "-", given=f"{lines}\n")

    @contextmanager
    def entered(self) -> Iterator[None]:
        """What this thread opens and starts meanwhile is in the namespace, and stays in it."""
        with (
            open("/proc/thread-self/ns/net", "rb") as before,
            open(DIRECTORY / self.name, "rb") as there,
        ):
            namespaces.enter(there.fileno())
            try:
                yield
            finally:
                namespaces.enter(before.fileno())

    def sysctl(self, settings: Mapping[str, object]) -> None:
        """Keys below net., with dots."""
        with self.entered():
            for key, value in settings.items():
                Path("/proc/sys/net", *key.split(".")).write_text(f"{value}\n")

    def index(self, interface: str) -> int:
        with self.entered():
            return socket.if_nametoindex(interface)

    def close(self) -> None:
        """Ends the processes that are in it, and removes it."""
        remove(self.name)


def remove(name: str) -> None:
    """Ends the processes in the namespace, and removes it."""
    with suppress(LabError):
        for process in ip("netns", "pids", name).split():
            if int(process) != os.getpid():
                with suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)
        ip("netns", "del", name)
