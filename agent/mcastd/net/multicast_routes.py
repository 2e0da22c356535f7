"""Streams that this host sends on as a multicast router: what the kernel's own table says."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

from mcastd.net.host_counters import text_of

PROC = Path("/proc/net")

MOST_ROUTES = 16384
"""Of a family; what is beyond is not looked at."""


class Outgoing(NamedTuple):
    """The kernel sends by `interface` what has a TTL (hop limit) above `threshold`."""

    interface: str
    threshold: int


class Incoming(NamedTuple):
    """What comes by an interface; addresses are packed. `source`: zeros for any."""

    interface: str
    source: bytes
    group: bytes


Routes = Mapping[Incoming, tuple[Outgoing, ...]]


def multicast_routes(proc: Path = PROC) -> Routes:
    """Both families' default tables; nothing where multicast is not routed."""
    found: dict[Incoming, tuple[Outgoing, ...]] = {}
    for prefix, family in (("ip", AF_INET), ("ip6", AF_INET6)):
        names = dict(interfaces(text_of(proc / f"{prefix}_mr_vif")))
        if names:
            read = routes(text_of(proc / f"{prefix}_mr_cache"), names, family)
            found.update(islice(read, MOST_ROUTES))
    return found


def interfaces(text: str) -> Iterator[tuple[int, str]]:
    """Of ip_mr_vif and ip6_mr_vif: number and name of each interface of the router."""
    for line in text.splitlines()[1:]:
        number, name = (*line.split()[:2], "", "")[:2]
        if number.isdigit():
            yield int(number), name


def routes(
    text: str, names: Mapping[int, str], family: int
) -> Iterator[tuple[Incoming, tuple[Outgoing, ...]]]:
    """Of ip_mr_cache and ip6_mr_cache. A line that is not understood is passed over."""
    for line in text.splitlines()[1:]:
        columns = line.split()
        try:
            group, source = (packed(each, family) for each in columns[:2])
            by = names.get(int(columns[2]))
            # The three numbers behind that are packets, bytes and those that came by the wrong way.
            ways = [
                each.partition(":") for each in " ".join(columns[6:]).replace(": ", ":").split()
            ]
            outgoing = tuple(
                Outgoing(names[int(number)], int(threshold)) for number, _, threshold in ways
            )
        except (ValueError, OSError, LookupError):
            continue
        if by is not None:
            yield Incoming(by, source, group), outgoing


def packed(text: str, family: int) -> bytes:
    """IPv4 addresses stand there as one number of this machine, IPv6 ones as they are written."""
    if family == AF_INET6:
        return inet_pton(AF_INET6, text)
    return int(text, 16).to_bytes(4, sys.byteorder)
