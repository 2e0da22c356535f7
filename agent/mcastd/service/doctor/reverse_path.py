"""Checks whether reverse path filtering drops a source's packets (RFC 3704). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address
from typing import NamedTuple

from mcastd.net.names import word
from mcastd.net.routes import Route
from mcastd.service.doctor.finding import Evidence, Finding
from mcastd.service.host_history import Growth
from mcastd.service.namespaces.inside import command

STRICT = 1
COUNTER = "TcpExtIPReversePathFilter"

WHY = (
    "the kernel drops a packet before any socket if its answer would leave by another interface; "
    "the NIC and captures still show the packet"
)


class Sender(NamedTuple):
    """A source that sends to an interface, or is to; `what`: it sends, and to which group."""

    source: bytes
    what: str
    group: str | None = None


class Filter(NamedTuple):
    """rp_filter of "all" and of the interface: the larger one counts."""

    of_all: int
    own: int

    @property
    def value(self) -> int:
        return max(self.of_all, self.own)


def is_refused(route: Route, ifindex: int, how: int) -> bool:
    """How a source's packets fare by an interface (fib_validate_source)."""
    if not route.is_unicast:
        return False
    return route.ifindex is None or (how == STRICT and route.ifindex != ifindex)


class Ways(NamedTuple):
    """What the kernel goes by. `routes`: to the sources; `names`: of interfaces, by index."""

    routes: Mapping[bytes, Route]
    names: Mapping[int, str]
    growth: Growth


def judge(
    ifindex: int, name: str, senders: Iterable[Sender], how: Filter, ways: Ways
) -> Iterator[Finding]:
    """A finding for each sender that is refused by the interface."""
    if not how.value:
        return
    for sender in senders:
        route = ways.routes.get(sender.source)
        if route is not None and is_refused(route, ifindex, how.value):
            yield refused(name, sender, route, how, ways)


def refused(name: str, sender: Sender, route: Route, how: Filter, ways: Ways) -> Finding:
    address, shell = str(IPv4Address(sender.source)), word(name)
    goes = "no route leads to it"
    if route.ifindex is not None:
        by = ways.names.get(route.ifindex, f"interface {route.ifindex}")
        goes = f"the route to it goes by {by}"
    evidence = [
        Evidence(
            f"rp_filter is {how.own} on {name}, {how.of_all} on all",
            command(f"sysctl net/ipv4/conf/all/rp_filter net/ipv4/conf/{shell}/rp_filter"),
        ),
        Evidence(goes, command(f"ip route get {address}")),
    ]
    if ways.growth.seconds is not None:
        evidence.append(dropped_lately(ways.growth))
    mends = f"ip route add {address}/32 dev {shell}"
    if route.ifindex is None:
        remedy = f"add the route that it needs: {command(mends)}"
    else:
        loose = f"sysctl -w net/ipv4/conf/{shell}/rp_filter=2"
        remedy = (
            f"add the route that it needs: {command(mends)}; or make the filter loose: "
            f"{command(loose)}"
        )
    return Finding(
        "rp_filter",
        f"{address} {sender.what}, and {goes}: rp_filter drops it",
        remedy,
        why=WHY,
        evidence=tuple(evidence),
        protocol="igmp",
        group=sender.group,
    )


def dropped_lately(growth: Growth) -> Evidence:
    return Evidence(
        f"{growth.of(COUNTER)} packets were dropped this way in the last {growth.seconds:.0f} s",
        command(f"nstat -az {COUNTER}"),
    )


def by_unknown(growth: Growth, found: Iterable[Finding], filtering: list[str]) -> Iterator[Finding]:
    """Packets are dropped, and none of the sources that are known explains it."""
    if not growth.of(COUNTER) or not filtering or any(e.kind == "rp_filter" for e in found):
        return
    name = word(filtering[0])
    yield Finding(
        "rp_filter",
        f"{growth.of(COUNTER)} packets were dropped by rp_filter in the last "
        f"{growth.seconds:.0f} s, from unknown sources (filtering: {', '.join(filtering)})",
        "see the source: streams = true (mcastd.toml) and mcastctl streams, or "
        f"{command(f'tcpdump -n -i {name} multicast')}; then give it a route by that interface",
        why=WHY,
        evidence=(dropped_lately(growth),),
        protocol="igmp",
    )
