"""Checks the queriers of a link, and whether this host answers them in time."""

from __future__ import annotations

from collections.abc import Iterator

from mcastd.gmp.family import Address
from mcastd.gmp.time import Duration, in_seconds
from mcastd.net.names import word
from mcastd.service import views
from mcastd.service.agent import Agent
from mcastd.service.answer_documents import OlderQuerier
from mcastd.service.clock import now
from mcastd.service.doctor.finding import Evidence, Finding, note
from mcastd.service.interface import Interface
from mcastd.service.namespaces.inside import command, qualified
from mcastd.service.observer import Observer

FIRST_QUERY_SECONDS = 260.0
"""Two query intervals and a response interval (RFC 9776 §8.5): by then a querier has been heard."""

RECENTLY = 3600.0
"""Seconds, in which a stranger's query is still worth a finding."""


def of_family(
    agent: Agent, interface: Interface, observer: Observer, *, bridge_asks: bool = False
) -> Iterator[Finding]:
    """`bridge_asks`: the interface is a bridge, and asks for the host."""
    shows = f"mcastctl querier {word(qualified(interface.name))}"
    if bridge_asks or asks_itself(agent, interface, observer):
        yield host_is_querier(interface, observer)
    yield from of_queriers(agent, interface, observer)
    yield from of_strangers(observer)
    for older in views.older_queriers(observer):
        yield older_querier(observer, older, shows)
    current = observer.queriers.current
    if (
        observer.responses.is_failing
        and current is not None
        and is_own(agent, interface, current.address)
    ):
        yield own_query_refused(interface, observer)
    elif observer.responses.is_failing:
        yield Finding(
            "queries_unanswered",
            f"{observer.responses.unanswered} queries were not answered in time, the last ones "
            "among them",
            "see what the kernel reports: mcastctl watch --type report --interface "
            f"{word(qualified(interface.name))}; usual reasons are a firewall, rp_filter or a "
            "forced version, which doctor shows if it can see them",
            why="routers and switches forget a host that does not answer",
            evidence=(Evidence("unanswered queries", "mcastctl status --json"),),
        )


def older_querier(observer: Observer, older: OlderQuerier, shows: str) -> Finding:
    who = older["address"]
    own = observer.own_query
    rest = (
        f"is in force for {older['forgotten_in']:.0f} s more: reports carry no sources until then"
    )
    if who is None and own is not None and own[1] == older["version"]:
        return Finding(
            "older_querier",
            f"this host itself asks in version {older['version']}, which {rest}",
            "have its router or bridge ask in the newest version: "
            f"{command('ip link set dev BRIDGE type bridge mcast_igmp_version 3')}",
            evidence=(Evidence("queries that leave this host", "mcastctl watch --type query"),),
        )
    named = f", {who}," if who is not None else " of an address that is no longer known"
    return Finding(
        "older_querier",
        f"an older querier, version {older['version']}{named} {rest}",
        "configure that router for the newest version; compat_enable = false ignores it",
        evidence=(Evidence("its queries", shows),),
    )


def of_strangers(observer: Observer) -> Iterator[Finding]:
    """Queriers that are none of those named."""
    if observer.unlisted is None:
        return
    at, address = observer.unlisted
    ago = in_seconds(now() - at)
    if ago < RECENTLY:
        yield Finding(
            "unlisted_querier",
            f"{observer.family.format(address)} sends queries, and is none of the configured "
            f"queriers (noted {ago:.0f} s ago)",
            "if it is this network's querier, add it to queriers (mcastd.toml) and reload; if not, "
            "find who forges queries",
        )


def asks_itself(agent: Agent, interface: Interface, observer: Observer) -> bool:
    """Whether this host is the querier: by a daemon, or its bridge, whose queries come to it."""
    own = observer.own_query
    if own is not None and in_seconds(now() - own[0]) < FIRST_QUERY_SECONDS:
        return True
    current = observer.queriers.current
    return current is not None and is_own(agent, interface, current.address)


def is_own(agent: Agent, interface: Interface, address: Address) -> bool:
    return interface.index is not None and address in agent.addresses.usable(interface.index)


def host_is_querier(interface: Interface, observer: Observer) -> Finding:
    return note(
        "host_is_querier",
        f"this host itself sends queries on this link ({observer.family.name.upper()}): its "
        "bridge, or a multicast router or proxy on it",
        "nothing, if you want that; otherwise see what sends the queries: "
        f"{command(f'ip -d link show dev {word(interface.name)}')} and "
        f"{command('ss -a -p --raw')}",
    )


def own_query_refused(interface: Interface, observer: Observer) -> Finding:
    """The kernel drops what comes to it from an address of its own."""
    name = word(interface.name)
    return Finding(
        "queries_unanswered",
        f"{observer.responses.unanswered} queries of this host's own bridge were not answered by "
        "its kernel, which takes them for forged: they come from an address of its own",
        command(f"ip link set dev {name} type bridge mcast_query_use_ifaddr 0"),
        why="the bridge forgets the groups of its own host, which then gets nothing of them",
        evidence=(
            Evidence("mcast_query_use_ifaddr 1", command(f"ip -d link show dev {name}")),
            Evidence("unanswered queries", "mcastctl status --json"),
        ),
    )


def of_queriers(agent: Agent, interface: Interface, observer: Observer) -> Iterator[Finding]:
    current, shows = (
        observer.queriers.current,
        f"mcastctl querier {word(qualified(interface.name))}",
    )
    if current is None:
        heard_nothing = in_seconds(now() - agent.started) > first_query_seconds(observer)
        if heard_nothing and observer.received.groups and observer.own_query is None:
            yield Finding(
                "no_querier",
                "no querier was ever heard",
                "enable a querier on a router or switch of this network; on a Linux bridge there: "
                "ip link set dev BRIDGE type bridge mcast_snooping 1 mcast_querier 1",
                why="switches that snoop forget groups without one",
                evidence=(Evidence("no querier", shows),),
            )
        return
    yield from of_current(interface, observer, shows)


def first_query_seconds(observer: Observer) -> float:
    """Until when a querier should have been heard, as `query_interval` and the like say."""
    config = observer.config
    interval = config.robustness * config.query_interval
    return in_seconds(Duration(interval + config.query_response_interval))


def of_current(interface: Interface, observer: Observer, shows: str) -> Iterator[Finding]:
    current = observer.queriers.current
    assert current is not None
    interval = current.interval or observer.host.query_interval
    silent = now() - (current.last_general or current.last_heard)
    address = observer.family.format(current.address)
    if silent > 2 * interval:
        yield querier_silent(interface, address, silent, interval, shows)
    yield from of_several(observer, interval, shows)
    if current.lacks_router_alert:
        yield Finding(
            "no_router_alert",
            f"the last query of {address} came without Router Alert, and "
            f"{current.without_router_alert} in all",
            f"it is a fault of that querier: configure or renew {address}; this host answers all "
            'the same, unless require_router_alert = "strict" (mcastd.toml)',
            why="routers and switches may not see such queries",
            evidence=(Evidence("without_router_alert", f"{shows} --json"),),
        )


def querier_silent(
    interface: Interface, address: str, silent: int, interval: int, shows: str
) -> Finding:
    reaches = command(f"ping -c 3 -I {word(interface.name)} {address}")
    return Finding(
        "querier_silent",
        f"{address} has not asked for "
        f"{in_seconds(silent):.0f} s, where {in_seconds(interval):.0f} s are announced",
        f"see whether it is still there: {reaches}; have it, or another router or switch, ask "
        "again",
        why="switches that snoop forget groups soon",
        evidence=(Evidence("its last query", shows),),
    )


def of_several(observer: Observer, interval: int, shows: str) -> Iterator[Finding]:
    """More than one querier that has asked of late."""
    recent = [
        observer.family.format(view.address)
        for view in observer.queriers.by_address.values()
        if view.last_general is not None
        and now() - view.last_heard < 2 * (view.interval or interval)
    ]
    if len(recent) > 1:
        yield Finding(
            "several_queriers",
            f"{len(recent)} queriers ask at once: {', '.join(sorted(recent))}",
            "one of them should have won: look for a split network, or for versions that differ; "
            "name the one that is meant: queriers (mcastd.toml)",
            why="the lowest address alone should ask (RFC 9776 §6.6.2): the others do not hear it, "
            "and switches may take the wrong port for the router's",
            evidence=(Evidence("their queries", shows),),
        )
