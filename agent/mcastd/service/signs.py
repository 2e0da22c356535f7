"""Which agents run an interface: each says so by an abstract socket, which goes with its process.

Names are of the network namespace, so that agents in containers and on the host see one another.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from mcastd.service.lock import CREDENTIALS

PREFIX = "mcastd/agent/"

AT_ONCE = 64
"""Connections that are ended together."""

UNIX = Path("/proc/net/unix")


class SignOnLink:
    """Says of one agent which interfaces it runs."""

    def __init__(self) -> None:
        self._mark = os.urandom(8).hex()
        self._sockets: dict[int, socket.socket] = {}

    def update(self, indices: Collection[int]) -> None:
        """It runs these now. What cannot be said is not: nobody depends on it."""
        for index in self._sockets.keys() - set(indices):
            self._sockets.pop(index).close()
        for sign in self._sockets.values():
            turn_away(sign)
        for index in indices:
            if index not in self._sockets:
                sign = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                sign.setblocking(False)
                try:
                    sign.bind(f"\0{PREFIX}{index}/{self._mark}")
                    sign.listen()
                except OSError:
                    sign.close()
                    continue
                self._sockets[index] = sign

    def close(self) -> None:
        self.update(())


def turn_away(sign: socket.socket) -> None:
    """Who has asked has his answer: whose the socket is."""
    with suppress(OSError):
        for _ in range(AT_ONCE):
            sign.accept()[0].close()


def agents_on(index: int, table: Path = UNIX) -> int:
    """How many agents run an interface: of root's, and of this process's own user."""
    with suppress(OSError):
        return sum(map(is_of_an_agent, set(signs(table.read_text(errors="replace"), index))))
    return 0


def signs(table: str, index: int) -> Iterator[str]:
    """The names in /proc/net/unix, where the zero of abstract ones is an "@"; those of connections
    are there, too.
    """
    start = f"@{PREFIX}{index}/"
    for line in table.splitlines():
        name = line.rpartition(" ")[2]
        if name.startswith(start):
            yield "\0" + name[1:]


def is_of_an_agent(name: str) -> bool:
    """Anybody may take such a name; who did is what the kernel says."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect(name)
        except OSError:
            return False
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    return CREDENTIALS.unpack(raw)[1] in (0, os.geteuid())
