"""Checks sockets that drop multicast, and sockets that get groups of others. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from mcastd.fastpath.sockets import SocketPart
from mcastd.net.udp_sockets import UdpSocket
from mcastd.service.doctor.finding import Evidence, Finding, Severity
from mcastd.service.host_history import Growth
from mcastd.service.namespaces.inside import command


class Member(NamedTuple):
    """A socket that has joined groups, and the process that holds it."""

    pid: int
    name: str
    groups: frozenset[bytes]
    takes_all: bool | None


def members(parts: Iterable[SocketPart]) -> dict[int, Member]:
    """By inode."""
    found: dict[int, Member] = {}
    for each in parts:
        known = found.get(each.inode)
        groups = frozenset({each.group}) | (known.groups if known else frozenset())
        found[each.inode] = Member(each.pid, each.name, groups, each.takes_all)
    return found


def is_multicast(address: bytes) -> bool:
    return ip_address(address).is_multicast


def overflows(
    sockets: Iterable[UdpSocket], joined: Mapping[int, Member], growth: Growth
) -> Iterator[Finding]:
    """Sockets that take multicast, and lately had no room for some."""
    for each in sockets:
        lately = growth.drops.get(each.inode, 0)
        process = joined.get(each.inode)
        if not lately or growth.seconds is None:
            continue
        if process is None and not is_multicast(each.address):
            continue
        who = f"{process.name} (pid {process.pid})" if process else f"a program of uid {each.uid}"
        bound = f"{ip_address(each.address)}, port {each.port}"
        yield Finding(
            "socket_overflow",
            f"{who} does not read fast enough: its UDP socket ({bound}) had no room for "
            f"{lately} packets in the last {growth.seconds:.0f} s",
            f"a larger buffer: {command('sysctl -w net.core.rmem_max=33554432')}, and SO_RCVBUF in "
            f"the program, or {command('sysctl -w net.core.rmem_default=8388608')} and start it "
            "again; or more CPU for it",
            why="these packets came to the host whole and are lost to the program alone",
            evidence=(
                Evidence(f"drops = {each.drops}, {lately} of them lately", "cat /proc/net/udp"),
                Evidence(
                    "its queue and buffer, and who has it",
                    command(f"ss -u -a -n -m -p 'sport = :{each.port}'"),
                ),
            ),
            protocol="igmp" if len(each.address) == 4 else "mld",
        )


def shared_ports(sockets: Iterable[UdpSocket], joined: Mapping[int, Member]) -> Iterator[Finding]:
    """Sockets that are handed groups of others: bound to no address, on a port with others."""
    by_port: defaultdict[tuple[int, int], list[Member]] = defaultdict(list)
    for each in sockets:
        member = joined.get(each.inode)
        if member is not None and each.is_wildcard:
            by_port[each.port, len(each.address)].append(member)
    for (port, width), held in by_port.items():
        yield from of_port(port, width, held)


def of_port(port: int, width: int, held: list[Member]) -> Iterator[Finding]:
    """One finding for each process: its sockets are likely alike."""
    by_group = {group: each for each in held for group in each.groups if len(group) == width}
    told: set[int] = set()
    for process in held:
        others = {group: other for group, other in by_group.items() if group not in process.groups}
        if process.takes_all is False or not others or process.pid in told:
            continue
        told.add(process.pid)
        yield shared_port(process, *min(others.items()), port)


def shared_port(process: Member, group: bytes, other: Member, port: int) -> Finding:
    """The process is handed data of a group that only another has joined."""
    option = "IP_MULTICAST_ALL" if len(group) == 4 else "IPV6_MULTICAST_ALL"
    certain = process.takes_all is True
    return Finding(
        "shared_port",
        f"{process.name} (pid {process.pid}) {'is' if certain else 'may be'} handed data of "
        f"{ip_address(group)}, too, which {other.name} (pid {other.pid}) has joined: both are "
        f"bound to port {port} and to no address",
        f"bind it to its group's address, or have it set {option} to 0; or use another port",
        why="a socket without an address gets all groups that any socket of the host joins",
        evidence=(
            Evidence(
                f"port {port} without an address, several times",
                command(f"ss -u -a -n -p 'sport = :{port}'"),
            ),
            Evidence("who has joined what", "mcastctl groups"),
        ),
        severity=Severity.FAULT if certain else Severity.NOTE,
        protocol="igmp" if len(group) == 4 else "mld",
        group=str(ip_address(group)),
    )


FRAGMENTS = {"igmp": "IpReasmFails", "mld": "Ip6ReasmFails"}


def fragments(growth: Growth) -> Iterator[Finding]:
    """Datagrams that were cut on the way, and of which a part never came."""
    for protocol, counter in FRAGMENTS.items():
        lately = growth.of(counter)
        if lately and growth.seconds is not None:
            yield Finding(
                "fragments_lost",
                f"{lately} datagrams could not be put together in the last {growth.seconds:.0f} s: "
                "fragments are missing",
                "have senders send no more than the path MTU allows (1472 bytes of UDP over "
                "IPv4 and Ethernet), or look for what drops fragments: switches, firewalls, "
                f"{command('sysctl net.ipv4.ipfrag_high_thresh')}",
                why="one lost fragment is a lost datagram, and firewalls often drop all but the "
                "first",
                evidence=(
                    Evidence(f"{counter} grew by {lately}", command(f"nstat -az {counter}")),
                ),
                protocol=protocol,
            )
