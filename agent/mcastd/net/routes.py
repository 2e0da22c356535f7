"""Asks by which interface the kernel would answer an address: reverse path filtering needs it."""

from __future__ import annotations

import socket
import struct
import sys
from pathlib import Path
from typing import NamedTuple

from mcastd.net.asking import ask, attributes, request
from mcastd.net.host_counters import text_of
from mcastd.net.names import raw

RTM_GETROUTE = 26
RTMSG = struct.Struct("=BBBBBBBBI")
"""struct rtmsg: family, lengths of destination and source, TOS, table, protocol, scope, type."""
RTA_DST, RTA_OIF, RTA_GATEWAY = 1, 4, 5
RTN_UNICAST = 1

PROC = Path("/proc/sys/net/ipv4/conf")


class Route(NamedTuple):
    """`ifindex`: of the interface, None if there is no route; `gateway`: None if it is on the link.

    `is_unicast`: not to this host itself, nor to nowhere.
    """

    ifindex: int | None
    gateway: str | None = None
    is_unicast: bool = True


def route_to(address: bytes) -> Route:
    """The route to an IPv4 address. No route is an answer, too."""
    body = RTMSG.pack(socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0)
    body += struct.pack("=HH", 8, RTA_DST) + address
    try:
        (answer,) = ask(request(RTM_GETROUTE, body))
    except OSError:
        return Route(None)
    return route_of(answer.data[16:])


def route_of(data: bytes) -> Route:
    """An RTM_NEWROUTE, without the header."""
    kind = RTMSG.unpack_from(data)[7]
    found = dict(attributes(data[RTMSG.size :]))
    number = int.from_bytes(found.get(RTA_OIF, b""), sys.byteorder)
    gateway = found.get(RTA_GATEWAY)
    text = None if gateway is None else socket.inet_ntop(socket.AF_INET, gateway)
    return Route(number or None, text, kind == RTN_UNICAST)


def reverse_path_filter(name: str, proc: Path = PROC) -> tuple[int, int]:
    """rp_filter of the interface, and of "all"; the kernel goes by the larger one."""
    return value_of(proc / "all" / "rp_filter"), value_of(device(proc, name) / "rp_filter")


def device(folder: Path, name: str) -> Path:
    """The interface's own folder, whatever bytes its name has."""
    return folder / raw(name).decode(errors="surrogateescape")


def value_of(path: Path) -> int:
    """A number of sysctl(8); 0 if it cannot be read."""
    text = text_of(path).strip()
    return int(text) if text.lstrip("-").isdigit() else 0
