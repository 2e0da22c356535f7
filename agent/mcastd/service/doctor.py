"""What usually goes wrong with multicast on a host, looked for in what the agent knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mcastd.fastpath import Counters, Hook
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.filters import FilterMode
from mcastd.gmp.time import in_seconds
from mcastd.net.names import word
from mcastd.service import coexistence, passing, views
from mcastd.service.agent import Agent
from mcastd.service.clock import now, wall_now
from mcastd.service.faults import REMEDIES, Fault
from mcastd.service.floods import FLOODED
from mcastd.service.gradual import Steps, gradually
from mcastd.service.interface import Interface
from mcastd.service.mode import Mode
from mcastd.service.namespaces.inside import command, qualified
from mcastd.service.observer import Observer

FIRST_QUERY_SECONDS = 260.0
"""Two query intervals and a response interval (RFC 9776 §8.5): by then a querier has been heard."""

PLURALS = {"query": "queries", "report": "reports"}
"""Of what comes by each ring from others."""

Finding = tuple[str, str]
"""What was found, and what to do."""


@gradually
def examine(
    agent: Agent, name: str | None = None, group: str | None = None
) -> Steps[list[dict[str, Any]]]:
    """All findings, made interface by interface; ValueError for what is no address."""
    found = [] if group is None else of_group(agent, name, group)
    counted, host = agent.fast_path.counters(), coexistence.Host.now()
    for interface in list(views.chosen(agent, name)):
        for text, remedy in of_interface(agent, interface, counted.get(interface.name), host):
            found.append(finding(interface, None, text, remedy))
        for protocol, observer in interface.observers.items():
            for text, remedy in of_family(agent, observer):
                found.append(finding(interface, protocol, text, remedy))
        yield
    for text, remedy in of_agent(agent):
        found.append(finding(None, None, text, remedy))
    return found


def finding(
    interface: Interface | None, protocol: str | None, text: str, remedy: str
) -> dict[str, Any]:
    name = interface.name if interface else None
    return {"interface": name, "protocol": protocol, "text": text, "remedy": remedy}


RECENTLY = 3600.0
"""Seconds, in which a fault is still worth a finding."""


def of_agent(agent: Agent) -> Iterator[Finding]:
    """What concerns no interface: state that is not kept, and faults of others."""
    for problem in (agent.owned.problem, agent.known_queriers.problem):
        if problem:
            yield problem, REMEDIES[Fault.STATE_FILE]
    for fault, (at, text) in agent.faults.last.items():
        if fault is not Fault.STATE_FILE and wall_now() - at < RECENTLY:
            times = agent.faults.counts[fault]
            ago = max(0.0, wall_now() - at)
            kind = fault.value.replace("_", " ")
            yield f"{times} faults ({kind}); the last, {ago:.0f} s ago: {text}", REMEDIES[fault]


def of_interface(
    agent: Agent, interface: Interface, values: Counters | None, host: coexistence.Host
) -> Iterator[Finding]:
    if interface.problem is not None:
        if interface.attachment is None:
            yield (
                interface.problem,
                "mcastd neither receives nor sends on this interface until this is fixed",
            )
            return
        yield interface.problem, "once that is over the interface is run as it should be, by itself"
    if interface.link is not None and not interface.link.is_running:
        remedy = command(f"ip link set dev {word(interface.name)} up")
        yield "the link is down", f"plug it in, or: {remedy}"
    attachment = interface.attachment
    if attachment is not None and attachment.ingress is not Hook.XDP_NATIVE:
        yield (
            f"{attachment.ingress.value} instead of native XDP: {'; '.join(attachment.reasons)}",
            "works the same, but floods cost more CPU",
        )
    lost = views.lost_events(values) if values else {}
    yield from of_floods(agent, interface)
    for ring, causes in lost.items():
        for cause, count in causes.items():
            if count and not (ring in FLOODED and cause == "rate_limited"):
                yield (
                    f"{count} {ring} events were lost ({cause.replace('_', ' ')})",
                    "a flood, or the agent was starved of CPU: mcastctl counters",
                )
    for text in coexistence.of_interface(interface, host):
        yield text, "do what the finding names"
    if interface.is_holding:
        yield from passing.findings(interface, agent.fast_path.passers())
    if interface.mode is Mode.HOST and agent.host_mode.lapses:
        yield (
            f"the agent stood still for over two seconds, {agent.host_mode.lapses} times: the "
            "kernel spoke meanwhile",
            "give it CPU: the unit's CPUWeight and Nice",
        )


def of_floods(agent: Agent, interface: Interface) -> Iterator[Finding]:
    """What was refused for its number: the present flood, or how many there were."""
    for ring, history in agent.floods.of(interface.name).items():
        flood, messages = history.last, PLURALS[ring]
        if flood is None:
            continue
        sizes = (
            f"{flood.refused.messages} refused in {in_seconds(flood.duration):.0f} s, up to "
            f"{flood.rate:.0f} a second, {flood.refused.discarded} of them kept from the kernel"
        )
        remedy = (
            f"find who sends them: mcastctl watch --type {ring} --interface "
            f"{word(qualified(interface.name))}; keep "
            f"them out at the switch; if they are wanted, raise {ring}_limit (mcastd.toml)"
        )
        if history.is_active:
            yield f"a flood of {messages}: {sizes}", remedy
        else:
            ended = in_seconds(now() - flood.until)
            times = f"{history.count} times" if history.count > 1 else "once"
            yield f"a flood of {messages}, {times}; the last, {ended:.0f} s ago: {sizes}", remedy


def of_family(agent: Agent, observer: Observer) -> Iterator[Finding]:
    yield from of_queriers(agent, observer)
    yield from of_strangers(observer)
    yield from of_kernels_groups(observer)
    for older in views.older_queriers(observer):
        yield (
            f"an older querier, version {older['version']}, {older['address']}, is believed for "
            f"{older['forgotten_in']:.0f} s more: sources are not told while it is",
            "configure that router for the newest version; compat_enable = false ignores it",
        )
    if observer.responses.unanswered:
        yield (
            f"{observer.responses.unanswered} queries were not answered in time",
            "what the kernel says: mcastctl watch --type report",
        )


def of_kernels_groups(observer: Observer) -> Iterator[Finding]:
    """What sockets do that harms others, or that cannot be seen."""
    family, unseen = observer.family, 0
    for group, joined in observer.received.kernel.items():
        if not family.is_reportable(group):
            continue
        unseen += not joined.is_exact and not is_kernels_own(family, group)
        strays = [each for each in joined.holders if each.filter.mode is FilterMode.EXCLUDE]
        if strays and observer.config.is_source_specific(group):
            who = ", ".join(sorted({f"{each.name} (pid {each.pid})" for each in strays}))
            yield (
                f"{family.format(group)} is source-specific, and joined from any source by {who}",
                "routers ignore such a join, or send the sources of nobody: name the sources there",
            )
    if unseen:
        yield (
            f"of {unseen} groups it is not known which processes have joined them, or with what "
            "sources",
            "sockets on their way between processes and users in the kernel are not seen; an agent "
            "in a container needs the host's pid namespace (--pid=host)",
        )


def is_kernels_own(family: ProtocolFamily, group: Address) -> bool:
    """A group that the kernel joins by itself: of solicited nodes, and the like of link scope."""
    return family.link_local_groups.matches(group)


def of_strangers(observer: Observer) -> Iterator[Finding]:
    """Queriers that are none of those named."""
    if observer.unlisted is None:
        return
    at, address = observer.unlisted
    ago = in_seconds(now() - at)
    if ago < RECENTLY:
        yield (
            f"{observer.family.format(address)} asks, and is none of the queriers that are named "
            f"(told {ago:.0f} s ago)",
            "if it is this network's querier, add it to queriers (mcastd.toml) and reload; if not, "
            "find who forges queries",
        )


def of_queriers(agent: Agent, observer: Observer) -> Iterator[Finding]:
    current = observer.queriers.current
    if current is None:
        if in_seconds(now() - agent.started) > FIRST_QUERY_SECONDS and observer.received.groups:
            yield (
                "no querier was ever heard",
                "switches that snoop forget groups without one: enable a querier on a router or "
                "switch of this network",
            )
        return
    interval = current.interval or observer.host.query_interval
    silent = now() - (current.last_general or current.last_heard)
    if silent > 2 * interval:
        yield (
            f"{observer.family.format(current.address)} has not asked for "
            f"{in_seconds(silent):.0f} s, where {in_seconds(interval):.0f} s are announced",
            "switches that snoop forget groups soon: look after that querier",
        )
    recent = [
        observer.family.format(view.address)
        for view in observer.queriers.by_address.values()
        if now() - view.last_heard < 2 * interval and view.last_general is not None
    ]
    if len(recent) > 1:
        yield (
            f"{len(recent)} queriers ask at once: {', '.join(sorted(recent))}",
            "one of them should have won: look for a split network, or for versions that differ",
        )
    if current.without_router_alert:
        yield (
            f"{current.without_router_alert} queries of "
            f"{observer.family.format(current.address)} came without Router Alert",
            "routers and switches may not see them: it is a fault of that querier",
        )


def of_group(agent: Agent, name: str | None, group: str) -> list[dict[str, Any]]:
    """Why a group does not arrive, as far as this host can tell."""
    held = list(views.groups(agent, name, group))
    if not held:
        where = name or "any interface"
        text = f"{group} is not joined on {where}"
        return [
            {
                "interface": name,
                "protocol": None,
                "text": text,
                "remedy": "no application asks for it (or only on another interface)",
            }
        ]
    found = []
    for each in held:
        interface = agent.interfaces[each["interface"]]
        observer = interface.observers[each["protocol"]]
        current = observer.queriers.current
        asked = current.last_general if current else None
        patience = 2 * current.max_response if current else 0
        reported = observer.reported(observer.family.parse(each["group"]))
        if not each["reported"]:
            text, remedy = "is never reported: all hosts have it", "nothing is to be done"
        elif reported is None:
            text, remedy = "has not been reported yet", "wait for the next query, or join it anew"
        elif asked and asked > reported and now() - asked > patience:
            text, remedy = (
                "was not reported since the last query",
                "see whether this host's reports leave: mcastctl watch --type report",
            )
        else:
            continue
        found.append(finding(interface, each["protocol"], f"{each['group']} {text}", remedy))
    return found
