"""Reads what the multicast snooping of an interface's bridge knows."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

from mcastd.net.asking import IFINFOMSG, ask, ask_for_link, attributes, request

RTM_GETMDB = 86
BR_PORT_MSG = struct.Struct("=BBHI")
"""struct br_port_msg: family, index."""

IFLA_IFNAME, IFLA_MASTER, IFLA_LINKINFO = 3, 10, 18
INFO_KIND, INFO_DATA, INFO_SLAVE_KIND = 1, 2, 4
BR_MCAST_ROUTER, BR_MCAST_SNOOPING, BR_MCAST_QUERIER = 22, 23, 25
BR_MCAST_IGMP_VERSION, BR_MCAST_MLD_VERSION = 43, 44
BR_MCAST_QUERIER_STATE = 47
QUERIER_ADDRESS = {1: "igmp", 5: "mld"}
"""BRIDGE_QUERIER_IP_ADDRESS and BRIDGE_QUERIER_IPV6_ADDRESS."""

MDBA_MDB, MDBA_ROUTER = 1, 2

ENTRY = struct.Struct("=IBBH16s2s2x")
"""struct br_mdb_entry: port, state, flags, VLAN, address, protocol."""

ETH_P = {b"\x08\x00": 4, b"\x86\xdd": 16}
"""Protocols in the order of the network, and the width of their addresses."""


class Bridge(NamedTuple):
    """`is_port`: the interface is a port of it, and not itself. `groups`: by port's index.

    `versions`: of the queries that it asks, by "igmp" and "mld". `knows_querier`: in
    which families it has one. `router_ports`: their indices.
    """

    ifindex: int
    name: str
    is_port: bool
    snooping: bool
    querier: bool
    versions: dict[str, int]
    knows_querier: frozenset[str]
    router_ports: frozenset[int] = frozenset()
    groups: frozenset[tuple[int, bytes]] = frozenset()


class LinkInfo(NamedTuple):
    name: str
    master: int
    kind: str
    master_kind: str
    data: dict[int, bytes]


def bridge_of(index: int) -> Bridge | None:
    """None if the interface is neither a bridge nor a port of one, or is gone."""
    try:
        link = link_info(index)
        is_port = link.master_kind == "bridge"
        if not is_port and link.kind != "bridge":
            return None
        bridge = link_info(link.master) if is_port else link
        number = link.master if is_port else index
        body = BR_PORT_MSG.pack(socket.AF_BRIDGE, 0, 0, 0)
        dump = [m.data[16:] for m in ask(request(RTM_GETMDB, body, dump=True), dump=True)]
    except OSError:
        return None
    routers, groups = table_of(dump, number)
    return Bridge(
        number,
        bridge.name,
        is_port,
        flag(bridge.data, BR_MCAST_SNOOPING),
        flag(bridge.data, BR_MCAST_QUERIER),
        {
            "igmp": (bridge.data.get(BR_MCAST_IGMP_VERSION) or b"\2")[0],
            "mld": (bridge.data.get(BR_MCAST_MLD_VERSION) or b"\1")[0],
        },
        known_queriers(bridge.data.get(BR_MCAST_QUERIER_STATE, b"")),
        routers,
        groups,
    )


def known_queriers(state: bytes) -> frozenset[str]:
    """The families of which the bridge knows a querier: itself, or one that it has heard."""
    found = dict(attributes(state))
    return frozenset(name for kind, name in QUERIER_ADDRESS.items() if any(found.get(kind, b"")))


def flag(data: dict[int, bytes], number: int) -> bool:
    return any(data.get(number, b""))


def link_info(index: int) -> LinkInfo:
    """OSError if there is no such interface."""
    found = dict(attributes(ask_for_link(index).data[16 + IFINFOMSG.size :]))
    info = dict(attributes(found.get(IFLA_LINKINFO, b"")))
    return LinkInfo(
        text(found.get(IFLA_IFNAME, b"")),
        number(found.get(IFLA_MASTER, b"")),
        text(info.get(INFO_KIND, b"")),
        text(info.get(INFO_SLAVE_KIND, b"")),
        dict(attributes(info.get(INFO_DATA, b""))),
    )


def text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode(errors="replace")


def number(data: bytes) -> int:
    return int.from_bytes(data, sys.byteorder)


def table_of(dump: list[bytes], bridge: int) -> tuple[frozenset[int], frozenset[tuple[int, bytes]]]:
    """Router ports, and groups by port, of one bridge, from the bodies of an RTM_GETMDB dump."""
    routers: set[int] = set()
    groups: set[tuple[int, bytes]] = set()
    for body in dump:
        if len(body) < BR_PORT_MSG.size or BR_PORT_MSG.unpack_from(body)[3] != bridge:
            continue
        for kind, data in attributes(body[BR_PORT_MSG.size :]):
            if kind == MDBA_ROUTER:
                routers.update(number(port[:4]) for _, port in attributes(data))
            elif kind == MDBA_MDB:
                groups.update(entries(data))
    return frozenset(routers), frozenset(groups)


def entries(data: bytes) -> Iterator[tuple[int, bytes]]:
    """MDBA_MDB: entries, each of several pieces of information."""
    for _, entry in attributes(data):
        for _, info in attributes(entry):
            if len(info) < ENTRY.size:
                continue
            port, _, _, _, address, protocol = ENTRY.unpack_from(info)
            if protocol in ETH_P:
                yield port, address[: ETH_P[protocol]]
