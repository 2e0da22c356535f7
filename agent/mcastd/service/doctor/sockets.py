"""What becomes of multicast at the sockets: no room, and what others have joined. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from mcastd.fastpath import SocketPart
from mcastd.net.udp_sockets import Owner, UdpSocket
from mcastd.service.doctor.finding import Evidence, Finding, Severity
from mcastd.service.host_history import Growth
from mcastd.service.namespaces.inside import command


class Process(NamedTuple):
    """That has joined groups, and those."""

    pid: int
    name: str
    groups: frozenset[bytes]


def processes(parts: Iterable[SocketPart]) -> dict[int, Process]:
    groups: defaultdict[int, set[bytes]] = defaultdict(set)
    names = {}
    for each in parts:
        groups[each.pid].add(each.group)
        names[each.pid] = each.name
    return {pid: Process(pid, names[pid], frozenset(found)) for pid, found in groups.items()}


def is_multicast(address: bytes) -> bool:
    return ip_address(address).is_multicast


def overflows(
    sockets: Iterable[UdpSocket],
    owners: Mapping[int, Owner],
    members: Mapping[int, Process],
    growth: Growth,
) -> Iterator[Finding]:
    """Sockets that take multicast, and lately had no room for some."""
    for each in sockets:
        lately = growth.drops.get(each.inode, 0)
        if not lately or growth.seconds is None:
            continue
        owner = owners.get(each.inode)
        process = members.get(owner.pid) if owner is not None else None
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


def shared_ports(
    sockets: Iterable[UdpSocket], owners: Mapping[int, Owner], members: Mapping[int, Process]
) -> Iterator[Finding]:
    """Sockets that are handed groups of others: bound to no address, on a port with others."""
    by_port: defaultdict[tuple[int, int], list[tuple[Process, Owner]]] = defaultdict(list)
    for each in sockets:
        owner = owners.get(each.inode)
        process = members.get(owner.pid) if owner is not None else None
        if owner is not None and process is not None and each.is_wildcard:
            by_port[each.port, len(each.address)].append((process, owner))
    for (port, width), held in by_port.items():
        yield from of_port(port, width, held)


def of_port(port: int, width: int, held: list[tuple[Process, Owner]]) -> Iterator[Finding]:
    told: set[int] = set()
    for process, owner in held:
        own = {each for each in process.groups if len(each) == width}
        others = {
            group: other
            for other, _ in held
            for group in other.groups
            if len(group) == width and group not in own
        }
        if owner.takes_all is False or not others or process.pid in told:
            continue
        told.add(process.pid)
        group, other = min(others.items())
        option = "IP_MULTICAST_ALL" if width == 4 else "IPV6_MULTICAST_ALL"
        certain = owner.takes_all is True
        yield Finding(
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
            protocol="igmp" if width == 4 else "mld",
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
                "have senders send no more than the MTU of the way allows (1472 bytes of UDP over "
                "IPv4 and Ethernet), or look for what drops fragments: switches, firewalls, "
                f"{command('sysctl net.ipv4.ipfrag_high_thresh')}",
                why="one lost fragment is a lost datagram, and firewalls often drop all but the "
                "first",
                evidence=(
                    Evidence(f"{counter} grew by {lately}", command(f"nstat -az {counter}")),
                ),
                protocol=protocol,
            )
