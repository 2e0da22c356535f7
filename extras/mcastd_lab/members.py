"""Applications that receive multicast: sockets that join, change their sources and leave."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import pack

from mcastd_lab.namespaces import Namespace

Group = IPv4Address | IPv6Address


class Option(IntEnum):
    """Socket options of RFC 3678 §5, by Linux's numbers."""

    JOIN_GROUP = 42
    LEAVE_GROUP = 45
    JOIN_SOURCE_GROUP = 46
    LEAVE_SOURCE_GROUP = 47
    MSFILTER = 48


class Mode(IntEnum):
    """MCAST_EXCLUDE and MCAST_INCLUDE."""

    EXCLUDE = 0
    INCLUDE = 1


class Member:
    """One application on one interface: a socket for each family, made when it is needed."""

    def __init__(self, namespace: Namespace, interface: str) -> None:
        self._namespace = namespace
        self._index = namespace.index(interface)
        self._sockets: dict[int, socket.socket] = {}

    def join(self, group: str) -> None:
        """From any source."""
        self._set(Option.JOIN_GROUP, group)

    def leave(self, group: str) -> None:
        """Whatever the sources."""
        self._set(Option.LEAVE_GROUP, group)

    def join_source(self, group: str, source: str) -> None:
        self._set(Option.JOIN_SOURCE_GROUP, group, source)

    def leave_source(self, group: str, source: str) -> None:
        self._set(Option.LEAVE_SOURCE_GROUP, group, source)

    def only_from(self, group: str, sources: Iterable[str]) -> None:
        """INCLUDE; the group has been joined."""
        self._filter(group, Mode.INCLUDE, sources)

    def not_from(self, group: str, sources: Iterable[str]) -> None:
        """EXCLUDE; the group has been joined."""
        self._filter(group, Mode.EXCLUDE, sources)

    def close(self) -> None:
        for each in self._sockets.values():
            each.close()

    def _set(self, option: Option, group: str, *source: str) -> None:
        addresses = b"".join(_storage(each) for each in (group, *source))
        sock, level = self._socket(ip_address(group))
        sock.setsockopt(level, option, pack("@I4x", self._index) + addresses)

    def _filter(self, group: str, mode: Mode, sources: Iterable[str]) -> None:
        """struct group_filter."""
        listed = [_storage(each) for each in sources]
        head = pack("@I4x", self._index) + _storage(group) + pack("@II", mode, len(listed))
        sock, level = self._socket(ip_address(group))
        sock.setsockopt(level, Option.MSFILTER, head + b"".join(listed))

    def _socket(self, group: Group) -> tuple[socket.socket, int]:
        """The family's socket, and the level of its options."""
        family = socket.AF_INET if group.version == 4 else socket.AF_INET6
        if family not in self._sockets:
            with self._namespace.entered():
                self._sockets[family] = socket.socket(family, socket.SOCK_DGRAM)
        level = socket.IPPROTO_IP if group.version == 4 else socket.IPPROTO_IPV6
        return self._sockets[family], level


def _storage(text: str) -> bytes:
    """struct sockaddr_storage, which is 128 bytes whatever is in it."""
    address = ip_address(text)
    if address.version == 4:
        head = pack("@HH", socket.AF_INET, 0) + address.packed
    else:
        head = pack("@HHI", socket.AF_INET6, 0, 0) + address.packed
    return head.ljust(128, b"\0")
