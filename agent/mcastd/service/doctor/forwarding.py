"""Checks whether a stream that this host forwards has hops left (TTL above 1). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mcastd.net.multicast_routes import Incoming, Outgoing, Routes
from mcastd.net.names import word
from mcastd.service.doctor.finding import Evidence, Finding
from mcastd.service.namespaces.inside import command
from mcastd.streams.sample import Key, address_text
from mcastd.streams.states import Watched


def judge(name: str, streams: Iterable[Watched], routes: Routes) -> Iterator[Finding]:
    """A finding for each stream of an interface that the kernel does not send on for its TTL."""
    for each in streams:
        key, ttl = each.key, each.sample.ttl
        short = [way for way in ways(name, key, routes) if ttl <= way.threshold]
        if short:
            yield too_low(name, key, ttl, short)


def ways(name: str, key: Key, routes: Routes) -> tuple[Outgoing, ...]:
    """By its source's own route, or by that of any source."""
    anyone = bytes(len(key.source))
    for source in (key.source, anyone):
        found = routes.get(Incoming(name, source, key.group))
        if found is not None:
            return found
    return ()


def too_low(name: str, key: Key, ttl: int, short: list[Outgoing]) -> Finding:
    group, source, shell = address_text(key.group), address_text(key.source), word(name)
    is_mld = len(key.group) == 16
    what, option = ("hop limit", "IPV6_MULTICAST_HOPS") if is_mld else ("TTL", "IP_MULTICAST_TTL")
    where = "ip6[7]" if is_mld else "ip[8]"
    needed = max(way.threshold for way in short) + 1
    out = ", ".join(way.interface for way in short)
    dump = f"tcpdump -n -v -c 1 -i {shell} 'dst host {group} and {where} = {ttl}'"
    family = "-6 " if is_mld else ""
    return Finding(
        "ttl_too_low",
        f"{group} (port {key.port}) from {source} arrives with a {what} of {ttl}, and this host "
        f"is to send it on by {out}, which takes {needed} or more",
        f"have the sender ({source}) send with a {what} of {needed} or more: {option} of its "
        "socket, whose default is 1",
        why="each router takes one off, and drops what has none left: hosts behind this one "
        "get nothing, and no counter says why",
        evidence=(
            Evidence(f"{what} {ttl}", command(dump)),
            Evidence(f"by {out} too", command(f"ip {family}mroute show")),
        ),
        interface=name,
        protocol="mld" if is_mld else "igmp",
        group=group,
    )
