"""UDP sockets of this network namespace: where they are bound, and what they had no room for."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mcastd.net.host_counters import text_of

PROC = Path("/proc")

IP_MULTICAST_ALL, IPV6_MULTICAST_ALL = 49, 29

SOCKET_LINK = "socket:["


class UdpSocket(NamedTuple):
    """A line of /proc/net/udp or udp6. `drops`: datagrams, since the socket was made."""

    address: bytes
    port: int
    uid: int
    inode: int
    drops: int

    @property
    def is_wildcard(self) -> bool:
        """Whether it is bound to no address."""
        return not any(self.address)


class Owner(NamedTuple):
    """A process that holds a socket. `takes_all`: it is handed what any socket of the host has
    joined (IP_MULTICAST_ALL); None if that may not be asked.
    """

    pid: int
    takes_all: bool | None


def udp_sockets(proc: Path = PROC) -> list[UdpSocket]:
    """All of this network namespace, both families."""
    return [each for name in ("udp", "udp6") for each in sockets_in(text_of(proc / "net" / name))]


def sockets_in(text: str) -> Iterator[UdpSocket]:
    """Of /proc/net/udp: addresses are words in the order of the host, ports are not."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        with suppress(ValueError, IndexError):
            address, _, port = fields[1].partition(":")
            yield UdpSocket(
                packed(address), int(port, 16), int(fields[7]), int(fields[9]), int(fields[12])
            )


def packed(words: str) -> bytes:
    """An address of 8 or 32 hexadecimal digits."""
    return b"".join(
        struct.pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8)
    )


def owners(pids: Iterable[int], proc: Path = PROC) -> dict[int, Owner]:
    """By inode, the sockets of these processes; of those that may not be looked into, none."""
    found = {}
    for pid in pids:
        with suppress(OSError):
            for entry in os.scandir(proc / str(pid) / "fd"):
                with suppress(OSError):
                    target = os.readlink(entry.path)
                    if target.startswith(SOCKET_LINK):
                        inode = int(target[len(SOCKET_LINK) : -1])
                        found[inode] = Owner(pid, takes_all(pid, int(entry.name)))
    return found


def takes_all(pid: int, number: int) -> bool | None:
    """The option of another process's UDP socket; None without the right to look."""
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return None
    try:
        copied = pidfd_getfd(process, number)
    except OSError:
        return None
    finally:
        os.close(process)
    with socket.socket(fileno=copied) as sock:
        if sock.type != socket.SOCK_DGRAM:
            return None
        v6 = sock.family == socket.AF_INET6
        level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
        try:
            return bool(sock.getsockopt(level, IPV6_MULTICAST_ALL if v6 else IP_MULTICAST_ALL))
        except OSError:
            return None


def pidfd_getfd(process: int, number: int) -> int:
    """The system call, which the standard library lacks. OSError."""
    import ctypes  # noqa: PLC0415 (half a millisecond of the start, for what is asked seldom)

    libc = ctypes.CDLL(None, use_errno=True)
    copied = libc.syscall(SYS_PIDFD_GETFD, process, number, 0)
    if copied < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return int(copied)


SYS_PIDFD_GETFD = 438
"""The same number on all architectures."""
