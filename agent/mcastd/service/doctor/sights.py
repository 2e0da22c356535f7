"""Gathers in a thread what doctor needs of the host beside the agent's own knowledge."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from mcastd.fastpath.sockets import SocketPart
from mcastd.net.bridges import Bridge, bridge_of
from mcastd.net.firewall import FirewallText, firewall_text
from mcastd.net.multicast_routes import Routes, multicast_routes
from mcastd.net.routes import Route, reverse_path_filter, route_to, value_of
from mcastd.net.udp_sockets import UdpSocket, udp_sockets
from mcastd.service.doctor import iptables, nftables
from mcastd.service.doctor.ruleset import Ruleset
from mcastd.service.host_history import NOTHING, Growth, Reading, growth, read

SYSCTL = Path("/proc/sys/net")

LIMITS = {
    "memberships": "ipv4/igmp_max_memberships",
    "igmp": "ipv4/igmp_max_msf",
    "mld": "ipv6/mld_max_msf",
}
"""Of a socket: groups (IPv4 alone), and sources of a group by family."""


class Wanted(NamedTuple):
    """What is to be looked at. `interfaces`: names by index; `sources`: IPv4, that may send here.

    `parts`: reads the sockets' memberships; None where they cannot be read. `agents`: how many
    agents are on an interface.
    """

    interfaces: Mapping[int, str]
    sources: frozenset[bytes]
    parts: Callable[[], Sequence[SocketPart]] | None
    agents: Callable[[Collection[int]], Mapping[int, int]]
    earlier: Reading | None = None


class Sights(NamedTuple):
    """What was seen. `problems`: what could not be looked at, and why.

    `reverse_path`: rp_filter of "all" and of the interface, by index; `agents`: how many are on an
    interface; `forwarded`: what this host sends on as a router.
    """

    reading: Reading
    growth: Growth = NOTHING
    udp: tuple[UdpSocket, ...] = ()
    parts: tuple[SocketPart, ...] = ()
    routes: Mapping[bytes, Route] = {}
    reverse_path: Mapping[int, tuple[int, int]] = {}
    limits: Mapping[str, int] = {}
    rules: Ruleset = Ruleset()
    bridges: Mapping[int, Bridge] = {}
    agents: Mapping[int, int] = {}
    forwarded: Routes = MappingProxyType({})
    problems: tuple[str, ...] = ()


def look(wanted: Wanted) -> Sights:
    """Waits for the kernel and for other programs: not for the loop."""
    sockets = udp_sockets()
    reading = read(sockets)
    parts: Sequence[SocketPart] = ()
    if wanted.parts is not None:
        with suppress(OSError):
            parts = wanted.parts()
    text = firewall_text()
    rules, problems = rules_of(text)
    filters = {index: reverse_path_filter(name) for index, name in wanted.interfaces.items()}
    needs_routes = any(map(any, filters.values()))
    bridges = {index: bridge_of(index) for index in wanted.interfaces}
    agents = wanted.agents(wanted.interfaces)
    return Sights(
        reading,
        growth(wanted.earlier, reading),
        tuple(sockets),
        tuple(parts),
        {each: route_to(each) for each in wanted.sources} if needs_routes else {},
        filters,
        {name: value_of(SYSCTL / path) for name, path in LIMITS.items()},
        rules,
        {index: each for index, each in bridges.items() if each is not None},
        agents,
        multicast_routes(),
        (*text.problems, *problems),
    )


def rules_of(text: FirewallText) -> tuple[Ruleset, tuple[str, ...]]:
    """The rules of all tools, and what of them is not to be understood at all."""
    problems = []
    chains = [
        chain
        for family, command, shown in text.tables
        for chain in iptables.chains(family, command, shown)
    ]
    known = {(each.family, each.table) for each in chains}
    try:
        chains += nftables.chains(text.nft, known)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        problems.append(f"nft -j list ruleset: {error}")
    return Ruleset(tuple(chains)), tuple(problems)
