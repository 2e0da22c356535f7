"""Twins: the same random story on two hosts, one with the kernel alone, one run by the agent.

Both are ports of one bridge, which asks and snoops. At quiet points it must hold the same for both;
and no packet may take away what a socket or a client wants at that moment, even if it heals.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from mcastd.client import AgentError, Client, NotThereError
from mcastd.lab import Lab, Member, Namespace, RunningAgent, Wire

from support.host_lab import Filter, HostLab, filter_of, host_lab, is_system
from support.queries import igmp_query, mld_query
from support.sniffer import Seen, Sniffer

SOCKETS, CLIENTS = 3, 2
STRAY, STRAY_6 = "192.0.2.66", "fe80::ffff:ffff:ffff:ffff"

GROUPS = {
    "igmp": ("239.1.1.1", "239.1.1.2", "232.1.1.1", "232.1.1.2"),
    "mld": ("ff1e::1:1", "ff1e::1:2", "ff3e::1:1", "ff3e::1:2"),
}
SOURCES = {
    "igmp": ("10.0.0.2", "10.0.0.3", "10.0.0.4"),
    "mld": ("2001:db8::2", "2001:db8::3", "2001:db8::4"),
}

SLACK = 0.25
"""Seconds in which what was wanted may just have come or gone: this machine is busy."""

FOLLOWS = 0.1
"""Seconds after a kernel's record in which the agent's filter must follow it; meant are 20 ms."""

QUIET_SECONDS = 30.0

Step = tuple[Any, ...]
"""A name, and what it needs: all of it plain values, so that a story can be kept and told again."""


@dataclass
class Wanted:
    """What one owner, a socket or a client, wants of each group, and since when: the history."""

    changes: dict[str, list[tuple[float, Filter | None]]] = field(default_factory=dict)

    def set(self, group: str, wanted: Filter | None) -> None:
        self.changes.setdefault(group, []).append((time.monotonic(), wanted))

    def now(self, group: str) -> Filter | None:
        return self.changes[group][-1][1] if group in self.changes else None

    def throughout(self, group: str, begin: float, end: float) -> list[Filter | None]:
        """All that was wanted in some of that time."""
        history = self.changes.get(group, [])
        before = [each for at, each in history if at <= begin]
        return [before[-1] if before else None, *(e for at, e in history if begin < at <= end)]


class Twin:
    """One host: its sockets, and what stands for the clients of the agent."""

    def __init__(self, lab: Lab, host: Namespace, sniffer: Sniffer, port: str) -> None:
        self.lab, self.host, self.sniffer, self.port = lab, host, sniffer, port
        self.members = [Member(host, "eth0") for _ in range(SOCKETS)]
        self.wanted = [Wanted() for _ in range(SOCKETS + CLIENTS)]
        self.guest: Member | None = None

    def say(self, owner: int, group: str, wanted: Filter | None) -> None:
        """The owner wants that of the group from now on."""
        before = self.wanted[owner].now(group)
        if wanted == before:
            return
        if wanted is not None:  # less is wanted at once, more only when it has been asked for
            self._apply(owner, group, before, wanted)
            self.wanted[owner].set(group, wanted)
        else:
            self.wanted[owner].set(group, wanted)
            self._apply(owner, group, before, wanted)

    def _apply(self, owner: int, group: str, before: Filter | None, wanted: Filter | None) -> None:
        change(self.members[owner], group, before, wanted)

    def is_absent(self, _at: float) -> bool:
        """Whether nobody is there who could speak for clients."""
        return False

    def close(self) -> None:
        for each in self.members:
            each.close()


def change(member: Member, group: str, before: Filter | None, wanted: Filter | None) -> None:
    if wanted is None:
        member.leave(group)
        return
    mode, sources = wanted
    if before is None:
        if mode == "include":
            for source in sorted(sources):
                member.join_source(group, source)
            return
        member.join(group)
    if mode == "include":
        member.only_from(group, sorted(sources))
    elif before is not None or sources:
        member.not_from(group, sorted(sources))


class KernelAlone(Twin):
    """Clients are sockets, too."""

    def __init__(self, lab: Lab, host: Namespace, sniffer: Sniffer, port: str) -> None:
        super().__init__(lab, host, sniffer, port)
        self.members += [Member(host, "eth0") for _ in range(CLIENTS)]

    def cap(self, protocol: str, version: int) -> None:
        newest = version == (3 if protocol == "igmp" else 2)
        key = (
            "ipv4.conf.eth0.force_igmp_version"
            if protocol == "igmp"
            else "ipv6.conf.eth0.force_mld_version"
        )
        self.host.sysctl({key: 0 if newest else version})


class WithAgent(Twin):
    def __init__(self, net: HostLab, sniffer: Sniffer) -> None:
        super().__init__(net.lab, net.host, sniffer, net.port)
        self.net = net
        self.settings = net.lab.directory / "twins.toml"
        self.caps = {"igmp": 3, "mld": 2}
        self.absences: list[tuple[float, float]] = []
        """When there was no agent, which could have spoken for its clients."""
        self.agent = self._start()

    def _start(self) -> RunningAgent:
        caps = "".join(f"{each}_max_version = {v}\n" for each, v in self.caps.items())
        text = f'[interface.eth0]\nmode = "host"\novqp_formula = "rfc3376"\n{caps}'
        self.settings.write_text(text)
        return self.net.agent("-c", self.settings, mode="")

    def _apply(self, owner: int, group: str, before: Filter | None, wanted: Filter | None) -> None:
        if owner < SOCKETS:
            super()._apply(owner, group, before, wanted)
            return
        with Client(str(self.agent.control)) as client:
            if wanted is None:
                client.leave("eth0", group, name=f"client{owner}")
                return
            mode, sources = wanted
            client.join(
                "eth0", group, sources=sorted(sources), exclude=mode == "exclude",
                name=f"client{owner}",
            )  # fmt: skip

    def cap(self, protocol: str, version: int) -> None:
        self.caps[protocol] = version
        with Client(str(self.agent.control)) as client:
            client.call("version", name="eth0", protocol=protocol, version=version)

    def restart(self, *, kill: bool) -> None:
        begun = time.monotonic()
        self.agent.kill() if kill else self.agent.close()
        self.agent = self._start()
        self.absences.append((begun, time.monotonic() + SLACK))

    def is_absent(self, at: float) -> bool:
        return any(begin <= at <= end for begin, end in self.absences)

    def flip(self) -> None:
        """To observe and back; clients' memberships are not in force meanwhile, so without any."""
        if any(w.now(g) for w in self.wanted[SOCKETS:] for g in w.changes):
            return
        with Client(str(self.agent.control)) as client:
            client.call("mode", name="eth0", mode="observe")
            client.call("mode", name="eth0", mode="host")


class Twins:
    """The two of them, on one bridge."""

    def __init__(self, net: HostLab) -> None:
        self.net = net
        alone = net.lab.namespace("alone")
        port = net.bridge.connect(alone, "eth0", "192.0.2.11/24")
        alone.sysctl({"ipv4.igmp_max_memberships": 2000, "ipv4.igmp_max_msf": 4096})
        sniffer = net.lab.keep(Sniffer(net.switch, port))
        self.alone = KernelAlone(net.lab, alone, sniffer, port)
        self.agent = WithAgent(net, net.sniffer)
        self.stray = net.lab.keep(Wire(net.neighbour("stray", STRAY), "eth0"))
        self.since = time.monotonic()

    @property
    def both(self) -> tuple[Twin, Twin]:
        return self.alone, self.agent

    def tell(self, story: list[Step]) -> list[str]:
        """What went wrong; nothing if the twins cannot be told apart."""
        self.since = time.monotonic()
        for step in story:
            self.do(step)
        problems = self.differences()
        for owner in range(SOCKETS + CLIENTS):
            for group in (*GROUPS["igmp"], *GROUPS["mld"]):
                self.want(owner, group, None)
        for protocol, version in (("igmp", 3), ("mld", 2)):
            if self.agent.caps[protocol] != version:
                self.cap(protocol, version)
        problems += self.differences()
        return problems + self.harms()

    def do(self, step: Step) -> None:
        name, *rest = step
        actions: dict[str, Callable[..., None]] = {
            "want": self.want, "pause": time.sleep, "cap": self.cap, "ask": self.ask,
            "flap": self.flap, "restart": self.restart, "flip": self.agent.flip,
        }  # fmt: skip
        actions[name](*rest)

    def want(self, owner: int, group: str, wanted: list[Any] | None) -> None:
        what = None if wanted is None else (str(wanted[0]), frozenset(wanted[1]))
        for twin in self.both:
            twin.say(owner, group, what)

    def cap(self, protocol: str, version: int) -> None:
        self.alone.cap(protocol, version)
        self.agent.cap(protocol, version)

    def restart(self, kill: bool) -> None:
        self.agent.restart(kill=kill)

    def flap(self) -> None:
        for twin in self.both:
            twin.host.ip("link", "set", "eth0", "down")
            twin.host.ip("link", "set", "eth0", "up")

    def ask(self, kind: str, group: str, sources: list[str]) -> None:
        """By a host that is not the querier."""
        igmp = {
            "general": lambda: igmp_query(3, STRAY),
            "group": lambda: igmp_query(3, STRAY, group=group),
            "sources": lambda: igmp_query(3, STRAY, group=group, sources=sources),
            "far": lambda: igmp_query(3, STRAY, group=group, sources=sources, ttl=61),
            "nobody": lambda: igmp_query(3, "0.0.0.0", group=group),
        }
        if ":" not in group:
            self.stray.send(igmp[kind]())
        elif kind in ("general", "group"):
            asked = group if kind == "group" else "::"
            self.stray.send(mld_query(2, STRAY_6, group=asked))

    # What is looked at.

    def held(self) -> tuple[dict[str, Filter], dict[str, Filter]]:
        found: tuple[dict[str, Filter], dict[str, Filter]] = ({}, {})
        for each in self.net.bridge.memberships():
            if "src" in each or "filter_mode" not in each or is_system(each["grp"]):
                continue
            for twin, held in zip(self.both, found, strict=True):
                if each.get("port") == twin.port:
                    held[each["grp"]] = filter_of(each)
        return found

    def differences(self) -> list[str]:
        """Waits until the bridge holds the same for both; what is otherwise after QUIET_SECONDS."""
        deadline = time.monotonic() + QUIET_SECONDS
        while True:
            alone, agent = self.held()
            if alone == agent:
                return []
            if time.monotonic() > deadline:
                return [
                    f"{group}: {agent.get(group)} is held for the agent, {alone.get(group)} for "
                    "the kernel alone"
                    for group in alone.keys() | agent.keys()
                    if alone.get(group) != agent.get(group)
                ]
            time.sleep(0.05)

    def harms(self) -> list[str]:
        """What was taken away with the agent, and not by the kernel alone."""
        return (
            list(harms(self.agent, self.since)) if not list(harms(self.alone, self.since)) else []
        )


def harms(twin: Twin, since: float) -> Iterator[str]:
    """Packets that take away what is wanted just then."""
    spoken = twin.sniffer.spoken(since)
    for each in spoken:
        for type_, group, sources in each.records:
            for owner, wanted in enumerate(twin.wanted):
                steady = set(wanted.throughout(group, each.at - SLACK, each.at + SLACK))
                if len(steady) != 1:
                    continue  # it has just changed
                (current,) = steady
                lost = taken(type_, sources, current)
                excused = owner >= SOCKETS and (
                    twin.is_absent(each.at) or is_said_again(spoken, each, group, lost)
                )
                if lost and not excused:
                    text = f"{type_} {group} {sorted(sources)} takes {sorted(lost)} from owner"
                    later = [
                        (f"{other.at - each.at:+.3f}", kind, sorted(listed))
                        for other in spoken
                        for kind, about, listed in other.records
                        if about == group and abs(other.at - each.at) < 2
                    ]
                    yield f"{text} {owner}, who wants {current}; all that was said: {later}"


ALL = "all others"


def taken(type_: str, sources: frozenset[str], wanted: Filter | None) -> set[str]:
    """What a record takes away of what is wanted; sources that nobody has named are one more."""
    if wanted is None:
        return set()
    mode, listed = wanted
    named = {*sources, *listed}
    wants = listed if mode == "include" else (named | {ALL}) - listed
    if type_ == "TO_IN":
        return set(wants) - sources
    if type_ in ("BLOCK", "TO_EX"):
        return set(wants) & sources
    return set()


def is_said_again(spoken: list[Seen], harmful: Seen, group: str, lost: set[str]) -> bool:
    """Whether what was taken from a client is told soon after."""
    return any(
        harmful.at <= each.at <= harmful.at + FOLLOWS
        and about == group
        and (lost - {ALL} <= sources if type_ in ("ALLOW", "IS_IN") else not lost & sources)
        for each in spoken
        for type_, about, sources in each.records
        if type_ in ("ALLOW", "IS_IN", "IS_EX", "TO_EX")
    )


def random_story(dice: random.Random, steps: int = 14) -> list[Step]:
    return [step for _ in range(steps) for step in (random_step(dice), random_pause(dice))]


def random_pause(dice: random.Random) -> Step:
    return "pause", round(dice.choice((0.0, 0.0, 0.02, 0.2, 0.6)), 2)


def random_step(dice: random.Random) -> Step:
    protocol = dice.choice(("igmp", "mld"))
    group = dice.choice(GROUPS[protocol])
    kind = dice.choices(("want", "ask", "cap", "flap", "restart", "flip"), (60, 18, 4, 2, 3, 5))[0]
    if kind == "cap":
        return "cap", protocol, dice.choice((2, 3) if protocol == "igmp" else (1, 2))
    if kind == "ask":
        how = dice.choice(("general", "group", "sources", "far", "nobody"))
        return "ask", how, group, random_sources(dice, protocol)
    if kind == "restart":
        return "restart", dice.random() < 0.5
    if kind in ("flap", "flip"):
        return (kind,)
    return "want", dice.randrange(SOCKETS + CLIENTS), group, random_filter(dice, protocol, group)


def random_sources(dice: random.Random, protocol: str) -> list[str]:
    return sorted(dice.sample(SOURCES[protocol], dice.randint(1, 3)))


def random_filter(dice: random.Random, protocol: str, group: str) -> list[Any] | None:
    if dice.random() < 0.3:
        return None
    is_source_specific = group.startswith(("232.", "ff3"))
    if is_source_specific or dice.random() < 0.5:
        return ["include", random_sources(dice, protocol)]
    return ["exclude", random_sources(dice, protocol) if dice.random() < 0.5 else []]


@contextmanager
def twins() -> Iterator[Twins]:
    with host_lab() as net:
        made = Twins(net)
        try:
            yield made
        finally:
            for twin in made.both:
                with suppress(OSError, AgentError, NotThereError):
                    twin.close()


def shrunk(story: list[Step], seconds: float = 120.0) -> list[Step]:
    """A shorter story that fails, too: steps are left out one by one while there is time."""
    deadline = time.monotonic() + seconds
    index = 0
    while index < len(story) and time.monotonic() < deadline:
        shorter = story[:index] + story[index + 1 :]
        with twins() as made:
            fails = bool(made.tell(shorter))
        if fails:
            story = shorter
        else:
            index += 1
    return story
