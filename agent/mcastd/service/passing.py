"""Finds guests and programs with raw sockets that speak a version above the cap.

They are never held back. An operator who has set a cap is told of them, by name as far as this
network namespace knows one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mcastd.fastpath.passers import Passer
from mcastd.gmp.time import Instant, in_seconds, seconds
from mcastd.net.presence import Present, present
from mcastd.service.clock import now
from mcastd.service.interface import Interface
from mcastd.wire import Kind

RECENTLY = seconds(600)
"""Several query intervals: who still speaks has spoken."""


class Above(NamedTuple):
    """Somebody who speaks a version above the cap of a family, and when it last did."""

    protocol: str
    version: int
    who: str
    at: Instant


def above(interface: Interface, passers: Iterable[Passer]) -> Iterator[Above]:
    """Those of the interface, and of late."""
    there: list[Present] | None = None
    for passer in passers:
        kind = Kind(passer.kind)
        version, family = kind.version, kind.family
        if passer.ifindex != interface.index or now() - passer.at > RECENTLY or version is None:
            continue
        if version <= interface.configs[family.name].max_version:
            continue
        if there is None:
            there = present()
        source = passer.source[: family.address_width]
        who = name_of(passer.hardware, source, interface.name, there)
        where = f"{passer.hardware.hex(':')}, {family.format(source)}"
        yield Above(family.name, version, f"{who} ({where})", Instant(passer.at))


def name_of(hardware: bytes, source: bytes, parent: str, there: Iterable[Present]) -> str:
    """The device of this namespace that has the address; else what can be said of its owner."""
    own = False
    for each in there:
        if each.name == parent:
            own = each.hardware == hardware
        elif each.hardware == hardware or source in each.addresses:
            return each.name
    if own:
        return "a program's own socket, or a guest behind ipvlan"
    return "a guest in another network namespace or machine"


def findings(interface: Interface, passers: Iterable[Passer]) -> Iterator[tuple[str, str]]:
    """What doctor says of them, and what to do."""
    for each in above(interface, passers):
        cap = interface.configs[each.protocol].max_version
        folder = "ipv4" if each.protocol == "igmp" else "ipv6"
        key = f"force_{each.protocol}_version"
        yield (
            f"{each.protocol.upper()} of version {each.version} leaves above the cap of {cap}, "
            f"of {each.who}; the last {in_seconds(now() - each.at):.0f} s ago",
            f"it is not this kernel's and is not held back: set net/{folder}/conf/all/{key}={cap} "
            "where it runs, or run mcastd there",
        )
