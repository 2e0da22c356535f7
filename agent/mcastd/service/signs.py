"""Shows other agents that this one runs an interface, by an abstract socket.

Names are of the network namespace, so that agents in containers and on the host see one another.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from mcastd.service.lock import is_trusted, owner

PREFIX = "mcastd/agent/"

AT_ONCE = 64
"""Connections that are ended together."""

MOST = 256
"""Interfaces of which it is said: descriptors are for others, too."""

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
            if index not in self._sockets and len(self._sockets) < MOST:
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


def agents_on(indices: Collection[int], table: Path = UNIX) -> dict[int, int]:
    """How many agents run each interface: of root's, and of this process's own user."""
    try:
        names = set(signs(table.read_text(errors="replace")))
    except OSError:
        return {}
    found = Counter(index for index, name in names if index in indices and is_of_an_agent(name))
    return dict(found)


def signs(table: str) -> Iterator[tuple[int, str]]:
    """Interfaces and names in /proc/net/unix, where the zero of abstract ones is an "@"; those of
    connections are there, too.
    """
    start = f"@{PREFIX}"
    for line in table.splitlines():
        name = line.rpartition(" ")[2]
        if name.startswith(start):
            index = name[len(start) :].partition("/")[0]
            if index.isascii() and index.isdigit():
                yield int(index), "\0" + name[1:]


def is_of_an_agent(name: str) -> bool:
    """Anybody may take such a name."""
    try:
        return is_trusted(owner(name)[1])
    except OSError:
        return False
