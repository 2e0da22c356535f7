"""Checks how near sockets are to the kernel's limits of groups and sources. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from mcastd.fastpath.sockets import SocketPart
from mcastd.service.doctor.finding import Evidence, Finding, Severity
from mcastd.service.namespaces.inside import command

NEAR = 0.9

SYSCTLS = {
    "memberships": "net.ipv4.igmp_max_memberships",
    "igmp": "net.ipv4.igmp_max_msf",
    "mld": "net.ipv6.mld_max_msf",
}


class Used(NamedTuple):
    """By one socket of a process."""

    name: str
    pid: int
    number: int
    group: str | None = None


def judge(parts: Iterable[SocketPart], limits: Mapping[str, int]) -> Iterator[Finding]:
    """A finding for each process that is at a limit, or near one; the worst of its sockets."""
    listed = list(parts)
    for used in worst(groups_of(listed)):
        yield from of(
            used,
            "memberships",
            limits.get("memberships", 0),
            f"has joined {used.number} groups by one socket",
            "a socket that has joined so many is refused the next group (ENOBUFS), whatever the "
            "network",
        )
    for width, protocol in ((4, "igmp"), (16, "mld")):
        for used in worst(sources_of(each for each in listed if len(each.group) == width)):
            yield from of(
                used,
                protocol,
                limits.get(protocol, 0),
                f"names {used.number} sources for {used.group}",
                "a filter that is longer is refused (ENOBUFS), and the one before it stays",
            )


def groups_of(parts: Iterable[SocketPart]) -> Iterator[Used]:
    """IPv4 groups of each socket; of IPv6 there is no limit."""
    found: defaultdict[tuple[int, int], set[tuple[int, bytes]]] = defaultdict(set)
    names = {}
    for each in parts:
        if len(each.group) == 4:
            found[each.sock, each.pid].add((each.ifindex, each.group))
            names[each.pid] = each.name
    return (Used(names[pid], pid, len(groups)) for (_, pid), groups in found.items())


def sources_of(parts: Iterable[SocketPart]) -> Iterator[Used]:
    """The first part of a filter says how many sources it has."""
    for each in parts:
        if each.first == 0:
            yield Used(each.name, each.pid, each.total, str(ip_address(each.group)))


def worst(used: Iterable[Used]) -> list[Used]:
    """The largest of each process."""
    found: dict[int, Used] = {}
    for each in used:
        if each.pid not in found or found[each.pid].number < each.number:
            found[each.pid] = each
    return list(found.values())


def of(used: Used, which: str, limit: int, does: str, why: str) -> Iterator[Finding]:
    if limit <= 0 or used.number < NEAR * limit:
        return
    reached = used.number >= limit
    sysctl = SYSCTLS[which]
    more = "no more are allowed" if reached else f"the limit is {limit}"
    yield Finding(
        "memberships_limit" if which == "memberships" else "sources_limit",
        f"{used.name} (pid {used.pid}) {does}, and {more}",
        f"{command(f'sysctl -w {sysctl}={max(2 * limit, 1000)}')} (and in /etc/sysctl.d), then "
        "start the program again; or let it use more sockets",
        why=why,
        evidence=(
            Evidence(f"{sysctl} = {limit}", command(f"sysctl {sysctl}")),
            Evidence(f"{used.number} by one socket", "mcastctl groups"),
        ),
        severity=Severity.FAULT if reached else Severity.NOTE,
        protocol="igmp" if which == "memberships" else which,
        group=used.group,
    )
