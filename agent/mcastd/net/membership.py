"""Joins a group by sockets: the kernel then receives the group, and reports it.

A socket takes only so many sources (igmp_max_msf, 10 by default; mld_max_msf); a list of any length
goes over several.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from struct import pack

JOIN_GROUP, JOIN_SOURCE_GROUP, MSFILTER = 42, 46, 48
"""Of RFC 3678 §5, by Linux's numbers."""

IP_MULTICAST_ALL, IPV6_MULTICAST_ALL = 49, 29
EXCLUDE = 0

NO_IP_SOCKETS = (
    "no IP socket can be made here, by which the kernel would join "
    "(RestrictAddressFamilies= of the unit)"
)

SOURCES_OF_ONE = 10
"""As many as a socket takes, unless that was made less."""


class SocketMembership:
    """Joined as long as it is not closed, and this process lives."""

    def __init__(
        self, index: int, group: bytes, sources: Sequence[bytes], *, exclude: bool
    ) -> None:
        """Receives from these `sources`, or from all but these. OSError if the kernel refuses."""
        self._sockets: list[socket.socket] = []
        with ExitStack() as undone:
            undone.callback(self.close)
            if exclude:
                self._exclude(index, group, sources)
            else:
                for some in parts(sources):
                    sock = self._socket(group)
                    for source in some:
                        self._set(sock, JOIN_SOURCE_GROUP, index, group, source)
            undone.pop_all()

    def _exclude(self, index: int, group: bytes, sources: Sequence[bytes]) -> None:
        sock = self._socket(group)
        self._set(sock, JOIN_GROUP, index, group)
        if not sources:
            return
        head = pack("@I4x", index) + storage(group) + pack("@II", EXCLUDE, len(sources))
        try:
            sock.setsockopt(level_of(group), MSFILTER, head + b"".join(map(storage, sources)))
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            raise OSError(
                errno.ENOBUFS,
                f"{len(sources)} sources cannot be excluded by one socket: raise "
                "net.ipv4.igmp_max_msf or net.ipv6.mld_max_msf",
            ) from None

    def _socket(self, group: bytes) -> socket.socket:
        """It is not bound, so that nothing is delivered to it."""
        family = socket.AF_INET if len(group) == 4 else socket.AF_INET6
        try:
            sock = socket.socket(family, socket.SOCK_DGRAM)
        except OSError as error:
            if error.errno != errno.EAFNOSUPPORT:
                raise
            raise OSError(error.errno, NO_IP_SOCKETS) from None
        self._sockets.append(sock)
        option = IP_MULTICAST_ALL if len(group) == 4 else IPV6_MULTICAST_ALL
        sock.setsockopt(level_of(group), option, 0)
        return sock

    @staticmethod
    def _set(sock: socket.socket, option: int, index: int, *addresses: bytes) -> None:
        request = pack("@I4x", index) + b"".join(map(storage, addresses))
        try:
            sock.setsockopt(level_of(addresses[0]), option, request)
        except OSError as error:
            text = os.strerror(error.errno or 0)
            raise OSError(error.errno, f"the kernel does not join: {text}") from None

    def close(self) -> None:
        for each in self._sockets:
            each.close()
        self._sockets.clear()


def parts(sources: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (sources[i : i + SOURCES_OF_ONE] for i in range(0, len(sources), SOURCES_OF_ONE))


def level_of(group: bytes) -> int:
    return socket.IPPROTO_IP if len(group) == 4 else socket.IPPROTO_IPV6


def storage(address: bytes) -> bytes:
    """struct sockaddr_storage, which is 128 bytes whatever is in it."""
    if len(address) == 4:
        return (pack("@HH", socket.AF_INET, 0) + address).ljust(128, b"\0")
    return (pack("@HHI", socket.AF_INET6, 0, 0) + address).ljust(128, b"\0")
