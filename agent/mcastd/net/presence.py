"""Lists the present interfaces and addresses by the C library, which is quick at the start.

Who wants to follow them asks `LinkWatcher`, which knows more.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from mcastd._libbpf import ffi, lib
from mcastd.net.fitness import IFF_LOOPBACK, IFF_MULTICAST, unfitness
from mcastd.net.names import shown

AF_INET, AF_INET6, AF_PACKET = 2, 10, 17
"""The module `socket` has them, too, and takes its time."""

INDEX_AND_TYPE = struct.Struct("=HHiHBB8s")
"""struct sockaddr_ll: family, protocol, index, ARPHRD type, kind of packet, length, address."""

ADDRESS_AT = {AF_INET: slice(4, 8), AF_INET6: slice(8, 24)}
"""Where struct sockaddr_in and sockaddr_in6 have the address."""


class Present(NamedTuple):
    """An interface. `unfit`: why it cannot be run, None if it can; `addresses`: unicast ones;
    `hardware`: the link's own, of six bytes."""

    name: str
    ifindex: int
    unfit: str | None
    addresses: tuple[bytes, ...]
    hardware: bytes = bytes(6)


def present() -> list[Present]:
    """All interfaces, and their addresses, also those still being probed. OSError.

    Those without a hardware address, which are no Ethernets, are left out.
    """
    found: dict[str, Present] = {}
    addresses: dict[str, list[bytes]] = {}
    for name, flags, family, raw in interface_addresses():
        if family == AF_PACKET:
            _, _, index, kind, _, _, address = INDEX_AND_TYPE.unpack_from(raw)
            unfit = unfitness(
                name,
                is_loopback=bool(flags & IFF_LOOPBACK),
                hardware_type=kind,
                has_multicast=bool(flags & IFF_MULTICAST),
            )
            found[name] = Present(name, index, unfit, (), address[:6])
        elif family in ADDRESS_AT:
            label = name.partition(":")[0]  # an IPv4 address may have one, such as eth0:1
            addresses.setdefault(label, []).append(raw[ADDRESS_AT[family]])
    return [each._replace(addresses=tuple(addresses.get(name, ()))) for name, each in found.items()]


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
                yield shown(ffi.string(entry.ifa_name)), entry.ifa_flags, family, raw
            entry = entry.ifa_next
    finally:
        lib.freeifaddrs(first[0])


SIZES = {AF_PACKET: INDEX_AND_TYPE.size, AF_INET: 8, AF_INET6: 24}
"""As much of a socket address as is read, in bytes."""
