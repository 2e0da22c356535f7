"""Twins: the same random story on two hosts, one with the kernel alone, one run by the agent.

Both are ports of one bridge, which asks and snoops; or each is on a cable to an FRR of its own. At
quiet points the same must be held for both; and no packet may take away what a socket or a client
wants at that moment, even if it heals.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol
from unittest.mock import patch

from mcastd_lab import Lab, Namespace, Wire

from support.frr import Router
from support.host_lab import (
    HOST_ADDRESS,
    Filter,
    HostLab,
    eventually,
    filter_of,
    host_lab,
    is_system,
)
from support.queries import igmp_query, mld_query
from support.sniffer import Sniffer
from support.twin_hosts import NEWEST, KernelAlone, Twin, WithAgent
from support.twin_judge import excesses, harms
from support.twin_stories import MANY, Step

ALONE_ADDRESS = "192.0.2.11"
STRAY, STRAY_6 = "192.0.2.66", "fe80::ffff:ffff:ffff:ffff"

QUIET_SECONDS = 30.0

VERSION_1_SECONDS = 25.0
"""How long the bridge remembers a report under a cap of IGMPv1, which has ten seconds to answer and
no Leave; at a quiet point so much is waited for besides."""

OLDER_SECONDS = 8.0
"""After which an older query is forgotten: twice the interval and the time to answer are 5 s."""

INTERVAL = 2
"""Seconds between queries, as those of this lab say who are asked to say so."""

Held = dict[str, Filter]


class Net(Protocol):
    """Where the two hosts are: the kernel's first, then the agent's."""

    lab: Lab

    @property
    def protocols(self) -> Sequence[str]: ...

    has_version_1: bool
    """Whether the routers hold what IGMPv1 reports."""

    hosts: tuple[tuple[Namespace, Sniffer], tuple[Namespace, Sniffer]]

    def remember(self, seconds: float | None) -> None:
        """How long the routers remember a report of IGMPv1 or v2; None: as by themselves."""

    def held(self) -> tuple[Held, Held]:
        """What the routers hold for each."""

    def send(self, frame: bytes) -> None:
        """By a host that is not the querier, to both."""


class OnBridge:
    """Both are ports of the kernel's bridge."""

    protocols = ("igmp", "mld")
    has_version_1 = True

    def __init__(self, net: HostLab) -> None:
        self.lab, self._bridge, self._net = net.lab, net.bridge, net
        alone = net.lab.namespace("alone")
        port = net.bridge.connect(alone, "eth0", f"{ALONE_ADDRESS}/24")
        self._ports = (port, net.port)
        sniffer = net.lab.keep(Sniffer(net.switch, port))
        self.hosts = ((alone, sniffer), (net.host, net.sniffer))
        self._stray = net.lab.keep(Wire(net.neighbour("stray", STRAY), "eth0"))

    def remember(self, seconds: float | None) -> None:
        self._net.remember(self._net.membership_seconds if seconds is None else seconds)

    def held(self) -> tuple[Held, Held]:
        found: tuple[Held, Held] = ({}, {})
        for each in self._bridge.memberships():
            if "src" in each or "filter_mode" not in each or is_system(each["grp"]):
                continue
            for port, held in zip(self._ports, found, strict=True):
                if each.get("port") == port:
                    held[each["grp"]] = filter_of(each)
        return found

    def send(self, frame: bytes) -> None:
        self._stray.send(frame)


class OnCables:
    """Each is on a cable to an FRR of its own, whose database is its interface's."""

    protocols = ("igmp",)
    has_version_1 = False
    """pimd holds nothing for reports of IGMPv1."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        places = []
        for label, address in (("alone", ALONE_ADDRESS), ("host", HOST_ADDRESS)):
            host = lab.namespace(label)
            router = Router(lab, host, version=3, label=f"to-{label}", address=address)
            router.start(lab)
            sniffer = lab.keep(Sniffer(router.namespace, "lan0"))
            places.append((host, sniffer, router, lab.keep(Wire(router.namespace, "lan0"))))
        self._places = places
        self.hosts = ((places[0][0], places[0][1]), (places[1][0], places[1][1]))

    def remember(self, seconds: float | None) -> None:
        assert seconds is None, "pimd holds nothing for reports of IGMPv1"

    def held(self) -> tuple[Held, Held]:
        alone, agent = (
            {group: held for group, held in router.held().items() if not is_system(group)}
            for _, _, router, _ in self._places
        )
        return alone, agent

    def send(self, frame: bytes) -> None:
        for _, _, _, wire in self._places:
            wire.send(frame)


class Twins:
    """The two of them."""

    def __init__(self, net: Net) -> None:
        self.net = net
        (alone, at_alone), (agent, at_agent) = net.hosts
        for host in (alone, agent):
            host.sysctl({"ipv4.igmp_max_memberships": 2000, "ipv4.igmp_max_msf": 4096})
        self.alone = KernelAlone(net.lab, alone, at_alone, 0)
        self.agent = WithAgent(net.lab, agent, at_agent, 1)
        self.since = time.monotonic()
        self.told: list[tuple[float, Step]] = []
        self._learned: dict[str, float] = {}
        self._older: dict[str, float] = {}
        """When an older query was sent."""
        self._had_version_1 = False

    @property
    def both(self) -> tuple[Twin, Twin]:
        return self.alone, self.agent

    def tell(self, story: Sequence[Step]) -> list[str]:
        """What went wrong; nothing if the twins cannot be told apart."""
        self.since, self.told, self._had_version_1 = time.monotonic(), [], False
        problems = [problem for step in story for problem in self.do(step)]
        problems += self.do(("quiet",))
        for protocol, version in NEWEST.items():
            if self.agent.caps[protocol] != version:
                self.do(("cap", protocol, version))
        problems += self.do(("quiet",))
        for owner, wanted in enumerate(self.agent.wanted):
            for group in wanted.all():
                self.do(("want", owner, group, None))
        problems += self.do(("quiet",))
        return problems + self.misspoken()

    def do(self, step: Step) -> list[str]:
        self.told.append((time.monotonic(), step))
        name, *rest = step
        actions: dict[str, Callable[..., object]] = {
            "want": self.want, "many": self.many, "pause": time.sleep, "cap": self.cap,
            "ask": self.ask, "flap": self.flap, "fail over": self.fail_over,
            "restart": self.restart, "stall": self.agent.stall, "flip": self.agent.flip,
            "quiet": self.differences,
        }  # fmt: skip
        found = actions[name](*rest)
        return found if isinstance(found, list) else []

    def want(self, owner: int, group: str, wanted: list[Any] | None) -> None:
        what = None if wanted is None else (str(wanted[0]), frozenset(wanted[1]))
        for twin in self.both:
            twin.say(owner, group, what)

    def many(self, owner: int, protocol: str, wanted: list[Any] | None) -> None:
        """So many groups that their reports are split."""
        for group in MANY[protocol]:
            self.want(owner, group, wanted)

    def cap(self, protocol: str, version: int) -> None:
        if protocol == "igmp":
            self.net.remember(VERSION_1_SECONDS if version == 1 else None)
            self._had_version_1 |= version == 1
        for twin in self.both:
            twin.cap(protocol, version)

    def restart(self, kill: bool) -> None:
        self.agent.restart(kill=kill)

    def flap(self) -> None:
        for twin in self.both:
            twin.flap()

    def fail_over(self) -> None:
        for twin in self.both:
            twin.fail_over()

    def ask(self, kind: str, group: str, sources: list[str]) -> None:
        """By a host that is not the querier."""
        if kind.startswith("version"):
            protocol = "mld" if ":" in group else "igmp"
            if not self._have_learned(protocol):
                return
            self._older[protocol] = time.monotonic()
        if ":" in group:
            frames = [mld_question(kind, group, sources)]
        elif kind.startswith("unicast"):
            ttl = 61 if kind.endswith("far") else 1
            frames = [
                igmp_query(
                    3, STRAY, group=group, sources=sources, to=to, ttl=ttl, interval=INTERVAL
                )
                for to in (ALONE_ADDRESS, HOST_ADDRESS)
            ]
        else:
            frames = [igmp_question(kind, group, sources)]
        for frame in frames:
            self.net.send(frame)

    def _have_learned(self, protocol: str) -> bool:
        """Whether both kernels know the querier's interval, by which they forget older queriers.

        A link that comes up has forgotten it, and believes for four minutes; the next query of the
        newest version says it, but not to a kernel that speaks an older one.
        """
        if all(self._learned.get(protocol, 0.0) > twin.ups[-1] for twin in self.both):
            return True
        now = time.monotonic()
        is_older = now < self._older.get(protocol, 0.0) + OLDER_SECONDS
        if is_older or self.agent.caps[protocol] < NEWEST[protocol]:
            return False
        eventually(
            "a query",
            lambda: all(
                any(each.protocol == protocol for each in twin.sniffer.queries(now))
                for twin in self.both
            ),
        )
        self._learned[protocol] = now
        return True

    # What is looked at.

    def differences(self) -> list[str]:
        """Waits until the same is held for both; what is otherwise after QUIET_SECONDS."""
        patience = QUIET_SECONDS + (VERSION_1_SECONDS if self._had_version_1 else 0)
        deadline = time.monotonic() + patience
        while True:
            alone, agent = map(self.comparable, self.net.held())
            if alone == agent:
                return []
            if time.monotonic() > deadline:
                return [
                    f"{group}: {agent.get(group)} is held for the agent, {alone.get(group)} for "
                    "the kernel alone"
                    for group in alone.keys() | agent.keys()
                    if alone.get(group) != agent.get(group)
                ]
            time.sleep(0.25)

    def comparable(self, held: Held) -> Held:
        """Under a cap no sources are told. Those of before stay with the bridge, by their timers:
        a report of an older version does not take them back, as RFC 9776 §7.3.2 has it."""
        return {group: self._plain(group, filter_) for group, filter_ in held.items()}

    def _plain(self, group: str, filter_: Filter) -> Filter:
        protocol = "mld" if ":" in group else "igmp"
        is_capped = self.agent.caps[protocol] < NEWEST[protocol]
        return (filter_[0], frozenset()) if is_capped and filter_[0] == "exclude" else filter_

    def misspoken(self) -> list[str]:
        """What was said with the agent that may not be said, and not by the kernel alone."""
        own, alone = (
            {what: text for judge in (harms, excesses) for what, text in judge(twin, self.since)}
            for twin in (self.agent, self.alone)
        )
        return [text for what, text in own.items() if what not in alone]

    def trace(self) -> list[str]:
        """The last story, as it was told and as it was on the wire."""
        lines: list[tuple[float, str]] = [(at, f"  {step}") for at, step in self.told]
        for name, twin in (("kernel alone", self.alone), ("agent", self.agent)):
            for seen in twin.sniffer.seen(self.since):
                if not seen.from_host and seen.what != "query":
                    continue  # the other twin's
                who = name if seen.from_host else f"to {name}"
                if seen.from_host and twin.is_guests(seen):
                    who = f"guest, {name}"
                said = [f"{t} {g} {sorted(s)}" for t, g, s in seen.records] or (
                    seen.group if seen.what != "report" else "nothing"
                )
                lines.append((seen.at, f"{who}: {seen.protocol} {seen.what} {said}"))
        return [f"{at - self.since:8.3f} {text}" for at, text in sorted(lines)]


def igmp_question(kind: str, group: str, sources: Sequence[str]) -> bytes:
    made = {
        "general": lambda: igmp_query(3, STRAY, interval=INTERVAL),
        "group": lambda: igmp_query(3, STRAY, group=group, interval=INTERVAL),
        "sources": lambda: igmp_query(3, STRAY, group=group, sources=sources, interval=INTERVAL),
        "far": lambda: igmp_query(
            3, STRAY, group=group, sources=sources, ttl=61, interval=INTERVAL
        ),
        "nobody": lambda: igmp_query(3, "0.0.0.0", group=group, interval=INTERVAL),
        "version 2": lambda: igmp_query(2, STRAY),
        "version 1": lambda: igmp_query(1, STRAY),
    }
    return made[kind]()


def mld_question(kind: str, group: str, sources: Sequence[str]) -> bytes:
    asked = "::" if kind in ("general", "version 1") else group
    return mld_query(
        1 if kind == "version 1" else 2,
        STRAY_6,
        group=asked,
        sources=sources if kind in ("sources", "far") else (),
        interval=INTERVAL,
        hop_limit=61 if kind == "far" else 1,
    )


@contextmanager
def twins(router: str = "bridge") -> Iterator[Twins]:
    """`router`: bridge or frr."""
    with on_cables() if router == "frr" else on_bridge() as net:
        made = Twins(net)
        try:
            yield made
        finally:
            for twin in made.both:
                twin.close()


@contextmanager
def on_bridge() -> Iterator[Net]:
    with host_lab() as net:
        yield OnBridge(net)


@contextmanager
def on_cables() -> Iterator[Net]:
    with (
        tempfile.TemporaryDirectory(prefix="mcastd-state-") as state,
        patch.dict(os.environ, {"STATE_DIRECTORY": state}),
        Lab() as lab,
    ):
        yield OnCables(lab)
