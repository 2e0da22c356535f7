"""Checks an interface itself: its link, hook, floods, losses, and forced versions."""

from __future__ import annotations

from collections.abc import Iterator

from mcastd.fastpath.hooks import Hook
from mcastd.gmp.time import in_seconds
from mcastd.net.names import word
from mcastd.service import coexistence, passing
from mcastd.service.agent import Agent
from mcastd.service.clock import now
from mcastd.service.doctor.finding import Evidence, Finding, Severity, note
from mcastd.service.floods import FLOODED
from mcastd.service.interface import Interface
from mcastd.service.mode import Mode
from mcastd.service.namespaces.inside import command, qualified

PLURALS = {"query": "queries", "report": "reports"}
"""Of what comes by each ring from others."""

FLOOD_SECONDS = 3600.0
"""In which a flood that is over, or events that were lost, are still worth a word."""

LOSING_SECONDS = 10.0
"""After the last event that was lost, losing has ended: a note is left of it."""


def of_interface(agent: Agent, interface: Interface, host: coexistence.Host) -> Iterator[Finding]:
    if interface.problem is not None:
        yield problem(interface)
        if interface.attachment is None:
            return
    if interface.run_as is not None:
        yield renamed(interface.name, interface.run_as)
    yield from of_link(interface)
    yield from of_hook(interface)
    yield from of_floods(agent, interface)
    yield from of_losses(agent, interface)
    yield from of_versions(interface, host)
    if interface.is_holding:
        for text, remedy in passing.findings(interface, agent.fast_path.passers()):
            yield Finding("speaks_above_cap", text, remedy)
    if interface.mode is Mode.HOST and agent.host_mode.lapses:
        yield Finding(
            "agent_stood_still",
            f"the agent did not run for more than two seconds, {agent.host_mode.lapses} times: "
            "the kernel reported by itself meanwhile",
            "give it more CPU: raise CPUWeight or lower Nice in its unit",
        )


def problem(interface: Interface) -> Finding:
    """Why it is not run as it should be."""
    assert interface.problem is not None
    link = interface.link
    if link is not None and not link.has_multicast:
        name = word(interface.name)
        return Finding(
            "multicast_off",
            interface.problem,
            command(f"ip link set dev {name} multicast on"),
            why="the kernel gives such an interface no route for multicast: programs cannot "
            "join or send by it unless they name it",
            evidence=(
                Evidence("no MULTICAST among its flags", command(f"ip link show dev {name}")),
            ),
        )
    name, shown = word(interface.name), word(qualified(interface.name))
    if interface.attachment is None:
        return Finding(
            "not_run",
            interface.problem,
            "fix that; mcastd then tries again by itself. This command shows what occupies the "
            f"hook: {command(f'ip -d link show dev {name}')}; to use another one, set hook in "
            f"[interface.{name}] (mcastd.toml), then: mcastctl reload",
            why="mcastd neither receives nor sends on this interface until this is fixed",
            evidence=(
                Evidence("its problem", "mcastctl status"),
                Evidence("other programs on it", command(f"ip -d link show dev {name}")),
            ),
        )
    return Finding(
        "not_run_as_configured",
        interface.problem,
        "fix that, and mcastd runs the interface as it is configured; or only observe it: "
        f"mcastctl mode {shown} observe",
        why="until then only the kernel sends reports there: mcastd's own memberships and a "
        "version cap have no effect",
        evidence=(Evidence("its problem", "mcastctl status"),),
    )


def renamed(name: str, configured: str) -> Finding:
    """The device has another name than the one that is configured."""
    return Finding(
        "renamed",
        coexistence.as_before(name, configured),
        f"write [interface.{word(name)}] into mcastd.toml, then: mcastctl reload",
        why="the next agent does not run it, and what was joined on it waits for its section",
        evidence=(Evidence(f"{configured} is missing", "mcastctl status"),),
    )


def of_link(interface: Interface) -> Iterator[Finding]:
    if interface.link is not None and not interface.link.is_running:
        name = word(interface.name)
        yield Finding(
            "link_down",
            "the link is down",
            f"plug it in, or: {command(f'ip link set dev {name} up')}",
            why="no packet can arrive or leave",
            evidence=(Evidence("its flags and carrier", command(f"ip link show dev {name}")),),
        )


def of_hook(interface: Interface) -> Iterator[Finding]:
    attachment = interface.attachment
    if attachment is not None and attachment.ingress is not Hook.XDP_NATIVE:
        name = word(interface.name)
        reasons = "; ".join(attachment.reasons) or "hook says so (mcastd.toml)"
        shows = command(f"ip -d link show dev {name}")
        yield note(
            "generic_hook",
            f"{attachment.ingress.value} instead of native XDP: {reasons}",
            "nothing, unless you expect floods; to use native XDP, fix that and attach again: "
            "systemctl stop mcastd; systemctl start mcastd",
            why="it works the same, but floods cost more CPU",
            evidence=(Evidence("what is on the interface", shows),),
        )


def of_floods(agent: Agent, interface: Interface) -> Iterator[Finding]:
    """What was refused for its number: the present flood, or how many there were."""
    for ring, history in agent.look.floods.of(interface.name).items():
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
        why = "refused messages do not reach the agent, and the flood takes CPU from other programs"
        counted = f"mcastctl counters {word(qualified(interface.name))}"
        evidence = (Evidence("lost: rate limited, and discarded", counted),)
        if history.is_active:
            text = f"a flood of {messages}: {sizes}"
            yield Finding("flood", text, remedy, why=why, evidence=evidence)
            continue
        ended = in_seconds(now() - flood.until)
        if ended < FLOOD_SECONDS:
            times = f"{history.count} times" if history.count > 1 else "once"
            text = f"a flood of {messages}, {times}; the last, {ended:.0f} s ago: {sizes}"
            yield note("flood_before", text, remedy, why=why, evidence=evidence)


def of_losses(agent: Agent, interface: Interface) -> Iterator[Finding]:
    """Events that could not be handed over, other than by a flood."""
    shows = f"mcastctl counters {word(qualified(interface.name))}"
    for (ring, cause), lost in agent.look.losing.of(interface.name).items():
        ago = in_seconds(now() - lost.at)
        if ago > FLOOD_SECONDS or (ring in FLOODED and cause == "rate_limited"):
            continue
        why_so = cause.replace("_", " ")
        yield Finding(
            "events_lost",
            f"{lost.number} {ring} events were lost ({why_so}), the last {ago:.0f} s ago",
            "a flood, or the agent had too little CPU: give it more (CPUWeight and Nice of its "
            f"unit), or refuse more: {'query' if ring == 'egress' else ring}_limit (mcastd.toml)",
            why="the agent reads the state again, but these events are missing in watch and in "
            "the history of the queriers",
            evidence=(Evidence(f"lost: {ring}, {why_so}", shows),),
            severity=Severity.FAULT if ago < LOSING_SECONDS else Severity.NOTE,
        )


def of_versions(interface: Interface, host: coexistence.Host) -> Iterator[Finding]:
    """An older version: forced by somebody, or since an older query was heard."""
    forced = set()
    for protocol in interface.observers:
        found = coexistence.forced_version(protocol, interface.name)
        if found is not None:
            forced.add(protocol)
            yield version_forced(protocol, *found)
    for protocol, older in coexistence.kept_older(interface).items():
        if protocol not in forced:
            told = interface.observers[protocol].is_holding
            yield Finding(
                "kernel_fell_back",
                coexistence.fallen_back(protocol, older, told=told),
                "find who sends such queries: mcastctl querier "
                f"{word(qualified(interface.name))}; have that router speak the newest version",
                protocol=protocol,
            )
    index = interface.index
    if index is not None:
        link = coexistence.read(f"{coexistence.NETWORKD_LINKS}/{index}")
        for text in coexistence.networkd(interface.name, link):
            yield Finding(
                "version_forced_by_networkd",
                text,
                "remove MulticastIGMPVersion from that file, then: networkctl reload; set "
                "igmp_max_version (mcastd.toml) instead",
                why="older versions carry no sources, and the kernel ignores newer queries",
                evidence=(
                    Evidence("the file that holds", f"networkctl status {word(interface.name)}"),
                ),
                protocol="igmp",
            )


def version_forced(protocol: str, version: int, sysctl: str) -> Finding:
    return Finding(
        "version_forced",
        f"the kernel is forced to {protocol.upper()} version {version}: {sysctl} = {version}",
        f"{command(f'sysctl -w {word(sysctl)}=0')}; to allow this version at "
        f"most, use host mode and {protocol}_max_version = {version} (mcastd.toml)",
        why="older versions carry no sources, and the kernel ignores newer queries meanwhile",
        evidence=(Evidence(f"{sysctl} = {version}", command(f"sysctl {word(sysctl)}")),),
        protocol=protocol,
    )
