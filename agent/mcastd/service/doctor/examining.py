"""One examination: what the host is asked in a thread, and all findings in bounded pieces."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Iterator

from mcastd.gmp.family import FAMILIES
from mcastd.gmp.filters import FilterMode
from mcastd.gmp.time import in_seconds
from mcastd.service import coexistence, views
from mcastd.service.agent import Agent
from mcastd.service.clock import now
from mcastd.service.doctor import (
    bridges,
    firewall,
    forwarding,
    groups,
    interface,
    limits,
    queriers,
    reverse_path,
    sockets,
    streams,
    whole,
)
from mcastd.service.doctor.finding import Evidence, Finding, FindingObject, note
from mcastd.service.doctor.reverse_path import Filter, Sender, Ways
from mcastd.service.doctor.sights import Sights, Wanted, look
from mcastd.service.gradual import Gradual, Steps, gradually
from mcastd.service.interface import Interface
from mcastd.service.namespaces.inside import command
from mcastd.service.observer import Observer
from mcastd.streams.states import Watched

MOST_SENDERS = 256
"""Sources of one interface whose routes are asked for."""

MOST_STREAMS = 1024
"""Streams, or groups, of one interface that are held against the rules of the firewall."""

Findings = list[FindingObject]

Examination = Coroutine[object, None, Gradual[Findings]]


class Doctor:
    """Examines an agent and its host. Who asks while the host is looked at waits for that look."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._looking: asyncio.Task[Sights] | None = None

    def examine(
        self, _agent: Agent, name: str | None = None, group: str | None = None
    ) -> Examination:
        """All findings. ValueError for what is no address, at once."""
        if group is not None:
            family = FAMILIES["mld" if ":" in group else "igmp"]
            group = family.format(family.parse(group))
        return self._examined(name, group)

    async def _examined(self, name: str | None, group: str | None) -> Gradual[Findings]:
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._looked)
        sights = await asyncio.shield(self._looking)
        return examine(self._agent, sights, name, group)

    def _looked(self, _task: asyncio.Task[Sights]) -> None:
        self._looking = None

    async def _look(self) -> Sights:
        sights = await asyncio.to_thread(look, wanted(self._agent))
        self._agent.host_history.keep(sights.reading)
        return sights


def wanted(agent: Agent) -> Wanted:
    """What the host is to be asked."""
    here = dict(agent.by_index)
    sources = {each.source for of in here.values() for each in senders(agent, of)}
    iterator = agent.fast_path.sockets
    return Wanted(
        {index: each.name for index, each in here.items()},
        frozenset(sources),
        None if iterator is None else iterator.read,
        agent.machine.agents_on,
        agent.host_history.since(now()),
    )


def senders(agent: Agent, of: Interface) -> list[Sender]:
    """IPv4 sources that send to an interface, or from which it wants groups."""
    return list(itertools.islice(distinct(all_senders(agent, of)), MOST_SENDERS))


def distinct(found: Iterator[Sender]) -> Iterator[Sender]:
    """The first of each source."""
    known: set[bytes] = set()
    for each in found:
        if each.source not in known and any(each.source):
            known.add(each.source)
            yield each


def all_senders(agent: Agent, of: Interface) -> Iterator[Sender]:
    family = FAMILIES["igmp"]
    observer = of.observers[family.name]
    for watched in list(agent.streams.watch.streams.values()):
        key = watched.key
        if key.ifindex == of.index and watched.joined and len(key.group) == family.address_width:
            group = family.format(key.group)
            yield Sender(key.source, f"sends to {group}", group)
    for view in list(observer.queriers.by_address.values()):
        yield Sender(view.address, "asks as the querier")
    for address, held in list(observer.received.groups.items()):
        if held.mode is FilterMode.INCLUDE:
            group = family.format(address)
            for source in held.sources:
                yield Sender(bytes(source), f"is a source of {group}", group)


@gradually
def examine(
    agent: Agent, sights: Sights, name: str | None = None, group: str | None = None
) -> Steps[Findings]:
    """All findings, made interface by interface."""
    found: list[Finding] = [] if group is None else list(groups.of_group(agent, name, group))
    seen = list(agent.streams.objects(name))
    if group is not None:
        found += streams.silent(seen, group)
    host = coexistence.Host.now()
    for each in list(views.chosen(agent, name)):
        for piece in of_one(agent, each, sights, host):
            found += piece
            yield
    found += streams.judge(seen)
    yield
    found += of_everything(sights, found, agent)
    found += whole.of_agent(agent)
    found += (unseen(each) for each in sights.problems)
    return [each.as_object() for each in unique(found)]


def of_one(
    agent: Agent, each: Interface, sights: Sights, host: coexistence.Host
) -> Iterator[list[Finding]]:
    """All findings of an interface, in two pieces."""
    yield [e.about(each.name) for e in of_host(agent, each, sights)]
    found = [e.about(each.name) for e in interface.of_interface(agent, each, host)]
    growing = agent.streams.growing.of(each.name)
    found += (e.about(each.name) for e in streams.rests(each.name, growing, now()))
    bridge = sights.bridges.get(each.index or 0)
    asks = bridge is not None and bridge.querier and not bridge.is_port
    for protocol, observer in each.observers.items():
        of_queriers = queriers.of_family(agent, each, observer, bridge_asks=asks)
        found += (e.about(each.name, protocol) for e in of_queriers)
        found += (e.about(each.name, protocol) for e in groups.of_family(agent, each, observer))
    yield found


def unseen(problem: str) -> Finding:
    return note(
        "not_looked_at",
        f"not looked at: {problem}",
        "install what is missing (the packages nftables and iptables), and look as root: "
        f"{command('nft list ruleset')}, {command('iptables-save')}",
        why="a rule that drops IGMP, MLD or a stream would not be found",
        evidence=(Evidence("what it says", command("nft list ruleset")),),
    )


def unique(found: list[Finding]) -> list[Finding]:
    """Each once: one trouble may be met on several ways."""
    return list(dict.fromkeys(found))


def of_host(agent: Agent, each: Interface, sights: Sights) -> Iterator[Finding]:
    """What the host does with what comes by an interface, and with what is to leave."""
    index = each.index
    if index is None or index not in sights.reverse_path:
        return
    names = {number: other.name for number, other in agent.by_index.items()}
    ways = Ways(sights.routes, names, sights.growth)
    how = Filter(*sights.reverse_path[index])
    yield from reverse_path.judge(index, each.name, senders(agent, each), how, ways)
    yield from forwarding.judge(each.name, arriving(agent, index), sights.forwarded)
    for protocol, observer in each.observers.items():
        if observer.received.groups:
            yield from of_firewall(agent, each, observer, sights)
        bridge = sights.bridges.get(index)
        if bridge is not None:
            joined = [each for each in observer.received.groups if groups.is_told(observer, each)]
            heard = was_heard(observer)
            yield from bridges.judge(bridge, protocol, joined, heard=heard)
    yield from whole.second_agent(each.name, sights.agents.get(index, 0))


def arriving(agent: Agent, index: int) -> Iterator[Watched]:
    """Streams that come by an interface now."""
    for each in list(agent.streams.watch.streams.values()):
        if each.key.ifindex == index and each.state.value in streams.COMING:
            yield each


def was_heard(observer: Observer) -> bool:
    """Whether a querier was, of late."""
    current = observer.queriers.current
    return current is not None and (
        in_seconds(now() - current.last_heard) < queriers.FIRST_QUERY_SECONDS
    )


def of_firewall(
    agent: Agent, each: Interface, observer: Observer, sights: Sights
) -> Iterator[Finding]:
    protocol, name, rules = observer.family.name, each.name, sights.rules
    asking = [view.address for view in observer.queriers.by_address.values()]
    speaks = bool(observer.received.kernel) and not observer.is_holding
    yield from firewall.messages(name, protocol, rules, asking, kernel_speaks=speaks)
    wanted = itertools.islice(coming(agent, each, observer), MOST_STREAMS)
    yield from firewall.streams(name, protocol, rules, wanted)


def coming(agent: Agent, each: Interface, observer: Observer) -> Iterator[firewall.Stream]:
    """Streams that come, and groups of which none is known to."""
    family, known = observer.family, set()
    for watched in list(agent.streams.watch.streams.values()):
        key = watched.key
        if key.ifindex == each.index and watched.joined and len(key.group) == family.address_width:
            known.add(key.group)
            yield firewall.Stream(key.group, key.source, key.port)
    for group in list(observer.received.groups):
        if group not in known and family.is_reportable(group):
            yield firewall.Stream(group)


def of_everything(sights: Sights, found: list[Finding], agent: Agent) -> Iterator[Finding]:
    """What concerns sockets of the host, whatever the interface."""
    yield from limits.judge(sights.parts, sights.limits)
    joined = sockets.members(sights.parts)
    yield from sockets.overflows(sights.udp, joined, sights.growth)
    yield from sockets.shared_ports(sights.udp, joined)
    yield from sockets.fragments(sights.growth)
    filtering = [
        agent.by_index[index].name
        for index, how in sights.reverse_path.items()
        if any(how) and index in agent.by_index
    ]
    yield from reverse_path.by_unknown(sights.growth, found, filtering)
