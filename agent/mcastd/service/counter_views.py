"""The counters of each interface as JSON documents."""

from __future__ import annotations

from collections.abc import Iterator

from mcastd.fastpath.counters import DIRECTIONS, PROTOCOLS, RINGS, Counters
from mcastd.service.agent import Agent
from mcastd.service.documents import JsonObject
from mcastd.service.floods import FLOODED
from mcastd.service.losses import lost_events
from mcastd.service.statistics import statistics
from mcastd.wire import Kind, Reason


def counters(agent: Agent, name: str | None = None) -> Iterator[JsonObject]:
    """All counters of each interface, also the zero ones."""
    return (
        {
            "interface": each,
            "messages": messages(values),
            "rejected": rejected(values),
            "events": dict(zip(RINGS, values.events, strict=True)),
            "lost": lost_events(values),
            "host_mode": host_mode(values),
            "discarded": discarded(values),
            "statistics": netstat(agent, each, values),
        }
        for each, values in agent.fast_path.counters().items()
        if name in (None, each)
    )


def netstat(agent: Agent, name: str, values: Counters) -> dict[str, dict[str, int]]:
    """By protocol, the counters that other systems' `netstat` shows, under their names."""
    interface = agent.interfaces.get(name)
    observers = interface.observers.values() if interface else ()
    return {
        each.family.name: statistics(each.family, each.host.statistics, values)
        for each in observers
    }


def host_mode(values: Counters) -> dict[str, dict[str, int]]:
    """What was kept from the wire and from the kernel, by protocol."""
    return {
        "kernel_reports_held_back": dict(zip(PROTOCOLS, values.held_back, strict=True)),
        "older_queries_consumed": dict(zip(PROTOCOLS, values.consumed, strict=True)),
        "passing_reports": dict(zip(PROTOCOLS, values.passing, strict=True)),
    }


def discarded(values: Counters) -> dict[str, dict[str, int]]:
    """What was kept from the kernel beyond the limits, by ring and protocol."""
    return {
        ring: dict(zip(PROTOCOLS, counts, strict=True))
        for ring, counts in zip(FLOODED, values.discarded, strict=True)
    }


def messages(values: Counters) -> dict[str, dict[str, int]]:
    """Accepted ones by direction and kind, such as "igmp query 3"."""
    return {
        direction: {kind.label: values.accepted[index][kind] for kind in Kind}
        for index, direction in enumerate(DIRECTIONS)
    }


def rejected(values: Counters) -> dict[str, dict[str, dict[str, int]]]:
    """By direction, protocol and reason."""
    return {
        direction: {
            protocol: {reason.label: values.rejected[index][place][reason] for reason in Reason}
            for place, protocol in enumerate(PROTOCOLS)
        }
        for index, direction in enumerate(DIRECTIONS)
    }
