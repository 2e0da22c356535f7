"""Checks whether the bridge of an interface lets its groups through. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from mcastd.net.bridges import Bridge
from mcastd.net.names import word
from mcastd.service.doctor.finding import Evidence, Finding
from mcastd.service.namespaces.inside import command

MOST = 8
"""Groups that are named; of more, how many there are."""


def judge(
    bridge: Bridge, protocol: str, groups: Iterable[bytes], *, heard: bool
) -> Iterator[Finding]:
    """Of one family. `groups`: joined on the interface, those of link scope left out; `heard`:
    whether a querier was heard there of late.
    """
    wanted = list(groups)
    if not bridge.snooping or not wanted:
        return
    has_querier = bridge.querier or protocol in bridge.knows_querier or heard
    if not has_querier:
        yield without_querier(bridge, protocol, len(wanted))
    elif not bridge.is_port:
        lacking = [each for each in wanted if (bridge.ifindex, each) not in bridge.groups]
        if lacking:
            yield lacks(bridge, protocol, lacking)


def shown(bridge: Bridge) -> Evidence:
    ports = len(bridge.router_ports)
    return Evidence(
        f"mcast_snooping {bridge.snooping:d}, mcast_querier {bridge.querier:d}, {ports} router "
        "ports",
        command(f"ip -d link show dev {word(bridge.name)}"),
    )


def without_querier(bridge: Bridge, protocol: str, count: int) -> Finding:
    return Finding(
        "bridge_without_querier",
        f"the bridge {bridge.name} snoops, and knows no {protocol.upper()} querier: nothing keeps "
        f"the {count} groups joined here alive",
        f"{command(f'ip link set dev {word(bridge.name)} type bridge mcast_querier 1')}, or enable "
        "a querier on a router or switch of this network; or, if nothing else snoops, "
        f"{command(f'ip link set dev {word(bridge.name)} type bridge mcast_snooping 0')}",
        why="snooping switches forget a group that nobody asks for after some minutes, and streams "
        "stop",
        evidence=(shown(bridge),),
        protocol=protocol,
    )


def lacks(bridge: Bridge, protocol: str, lacking: list[bytes]) -> Finding:
    names = [str(ip_address(each)) for each in sorted(lacking)]
    listed = ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if names[MOST:] else "")
    name = word(bridge.name)
    add = f"bridge mdb add dev {name} port {name} grp {names[0]}"
    return Finding(
        "bridge_lacks_group",
        f"the bridge {bridge.name} snoops, and has no entry for {listed}, which this host has "
        "joined on it: what comes by its ports does not reach the host",
        "see why it heard no report of this host (a firewall? mcastctl doctor says); until then: "
        f"{command(add)}",
        why="where there is a querier, a snooping bridge gives a group only to those whose "
        "reports it heard",
        evidence=(
            Evidence(f"no entry with port {bridge.name}", command(f"bridge mdb show dev {name}")),
            shown(bridge),
        ),
        protocol=protocol,
        group=names[0] if len(names) == 1 else None,
    )
