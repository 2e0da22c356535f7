"""The interfaces and addresses there are now, asked of the C library, which is there already.

Who wants to follow them asks `LinkWatcher`, which knows more.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

from mcastd._libbpf import ffi, lib
from mcastd.net.links import ARPHRD_ETHER, IFF_LOOPBACK, IFF_MULTICAST, IFF_RUNNING, IFF_UP, Link

INDEX_AND_TYPE = struct.Struct("=HHiH")
"""The head of struct sockaddr_ll: family, protocol, index, ARPHRD type."""

ADDRESS_AT = {socket.AF_INET: slice(4, 8), socket.AF_INET6: slice(8, 24)}
"""Where struct sockaddr_in and sockaddr_in6 have the address."""


def present() -> list[tuple[Link, list[bytes]]]:
    """All links and their unicast addresses, also those still being probed. OSError.

    Of a link nothing is known here but its name, index, flags and whether it is an Ethernet; those
    without a hardware address, which are none, are left out.
    """
    links: dict[str, Link] = {}
    addresses: dict[str, list[bytes]] = {}
    for name, flags, family, raw in interface_addresses():
        if family == socket.AF_PACKET:
            _, _, index, kind = INDEX_AND_TYPE.unpack_from(raw)
            links[name] = link_of(name, index, flags, is_ethernet=kind == ARPHRD_ETHER)
        elif family in ADDRESS_AT:
            label = name.partition(":")[0]  # an IPv4 address may have one, such as eth0:1
            addresses.setdefault(label, []).append(raw[ADDRESS_AT[socket.AddressFamily(family)]])
    return [(link, addresses.get(name, [])) for name, link in links.items()]


def interface_addresses() -> Iterator[tuple[str, int, int, bytes]]:
    """Name, flags, address family and socket address: getifaddrs(3)."""
    first = ffi.new("struct ifaddrs **")
    if lib.getifaddrs(first):
        raise OSError(ffi.errno, f"interfaces: {os.strerror(ffi.errno)}")
    try:
        entry: Any = first[0]
        while entry:
            if entry.ifa_addr:
                family = entry.ifa_addr.sa_family
                raw = bytes(ffi.buffer(ffi.cast("char *", entry.ifa_addr), SIZES.get(family, 2)))
                yield ffi.string(entry.ifa_name).decode(), entry.ifa_flags, family, raw
            entry = entry.ifa_next
    finally:
        lib.freeifaddrs(first[0])


SIZES = {socket.AF_PACKET: INDEX_AND_TYPE.size, socket.AF_INET: 8, socket.AF_INET6: 24}
"""As much of a socket address as is read, in bytes."""


def link_of(name: str, index: int, flags: int, *, is_ethernet: bool) -> Link:
    return Link(
        index=index,
        name=name,
        is_running=bool(flags & IFF_UP and flags & IFF_RUNNING),
        is_loopback=bool(flags & IFF_LOOPBACK),
        is_ethernet=is_ethernet,
        has_multicast=bool(flags & IFF_MULTICAST),
        mtu=0,
        hardware_address="",
        kind="",
        master_kind="",
    )
