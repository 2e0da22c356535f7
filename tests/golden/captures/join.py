"""Joins groups on an interface, changes their source lists, leaves: what a kernel then reports.

join.py INTERFACE any|sources
"""

from __future__ import annotations

import socket
import struct
import sys
import time

MCAST_JOIN_GROUP = 42
MCAST_LEAVE_GROUP = 45
MCAST_JOIN_SOURCE_GROUP = 46
MCAST_MSFILTER = 48
EXCLUDE, INCLUDE = 0, 1

FAMILIES = (
    (socket.AF_INET, socket.IPPROTO_IP, ["239.1.2.3", "232.1.1.1"], "198.51.100."),
    (socket.AF_INET6, socket.IPPROTO_IPV6, ["ff15::abcd", "ff35::1"], "2001:db8::"),
)


def sockaddr(family: int, address: str) -> bytes:
    """A `struct sockaddr_storage`."""
    packed = socket.inet_pton(family, address)
    before = b"\0\0" if family == socket.AF_INET else bytes(6)
    return (struct.pack("=H", family) + before + packed).ljust(128, b"\0")


def request(index: int, family: int, *addresses: str) -> bytes:
    """A `struct group_req` or `struct group_source_req`."""
    return struct.pack("=II", index, 0) + b"".join(sockaddr(family, each) for each in addresses)


def source_filter(index: int, family: int, group: str, mode: int, sources: list[str]) -> bytes:
    """A `struct group_filter`."""
    head = struct.pack("=II", index, 0) + sockaddr(family, group)
    listed = b"".join(sockaddr(family, source) for source in sources)
    return head + struct.pack("=II", mode, len(sources)) + listed


def pause() -> None:
    time.sleep(2.2)  # longer than the querier's interval


def listen(sockets: list[socket.socket], index: int, with_sources: bool) -> None:
    for connection, (family, level, (group, ssm_group), prefix) in zip(
        sockets, FAMILIES, strict=True
    ):
        connection.setsockopt(level, MCAST_JOIN_GROUP, request(index, family, group))
        if with_sources:
            sources = (f"{prefix}{number}" for number in (1, 2))
            for source in sources:
                joined = request(index, family, ssm_group, source)
                connection.setsockopt(level, MCAST_JOIN_SOURCE_GROUP, joined)


def change(sockets: list[socket.socket], index: int, mode: int, numbers: list[int]) -> None:
    for connection, (family, level, (group, _), prefix) in zip(sockets, FAMILIES, strict=True):
        sources = [f"{prefix}{number}" for number in numbers]
        wanted = source_filter(index, family, group, mode, sources)
        connection.setsockopt(level, MCAST_MSFILTER, wanted)


def main() -> None:
    interface, what = sys.argv[1:]
    index = socket.if_nametoindex(interface)
    sockets = [socket.socket(family, socket.SOCK_DGRAM) for family, *_ in FAMILIES]
    listen(sockets, index, what == "sources")
    pause()
    if what == "sources":
        change(sockets, index, EXCLUDE, [3, 4])
        pause()
        change(sockets, index, EXCLUDE, [4, 5])
        pause()
        change(sockets, index, INCLUDE, [6, 7, 8])
        pause()
    for connection in sockets:
        connection.close()
    pause()


if __name__ == "__main__":
    main()
