"""Locks an interface for one agent, by an abstract socket that ends with its process.

Its name is of the network namespace, so that agents in containers and on the host see one another.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable

CREDENTIALS = struct.Struct("3i")
"""struct ucred: process, user, group."""


class Locks:
    """The interfaces that this process speaks for."""

    def __init__(self) -> None:
        self._sockets: dict[int, socket.socket] = {}

    def take(self, index: int, is_agent: Callable[[int], bool] = lambda user: False) -> int | None:
        """Takes the interface; or the process that has it: 0 if it is in another container.

        Who is neither root nor the agent's own user may hold the name and keeps nobody away, unless
        `is_agent` says of that user that one of its agents is on the interface.
        """
        if index in self._sockets:
            return None
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            lock.bind(name_of(index))
            lock.listen()
        except OSError as error:
            lock.close()
            if error.errno != errno.EADDRINUSE:
                raise
            return holder(index, is_agent)
        self._sockets[index] = lock
        return None

    def leave(self, index: int) -> None:
        lock = self._sockets.pop(index, None)
        if lock is not None:
            lock.close()


def holder(index: int, is_agent: Callable[[int], bool]) -> int | None:
    """The process that has the interface; None if it may be ignored, or has just gone."""
    try:
        process, user = owner(name_of(index))
    except BlockingIOError:
        return 0  # somebody else is asking just now
    except OSError:
        return None
    return process if is_trusted(user) or is_agent(user) else None


def owner(name: str) -> tuple[int, int]:
    """Process and user that listen at an abstract socket, as the kernel says.

    OSError if nobody does; BlockingIOError if as many ask as may.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        sock.connect(name)
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    process, user, _ = CREDENTIALS.unpack(raw)
    return int(process), int(user)


def is_trusted(user: int) -> bool:
    """Root, or the user of this process: anybody may take a name."""
    return user in (0, os.geteuid())


def name_of(index: int) -> str:
    return f"\0mcastd/host-mode/{index}"
