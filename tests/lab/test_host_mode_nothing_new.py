"""Beside the agent a host says what its kernel alone would say, and no packet more.

Its twin has the same sockets on the same switch, and no agent.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from mcastd.client import Client
from mcastd_lab import Member, Namespace, RunningAgent, Wire
from support.host_lab import HostLab, counters, eventually, host_lab, sent
from support.queries import igmp_query, mld_query
from support.sniffer import Sniffer

pytestmark = pytest.mark.lab

GROUPS = int(os.environ.get("MCASTD_LAB_GROUPS", "100"))
"""Of the kernel's, of each family, of three sources each; 1,000 take longer."""

EACH = 200
MEMBERS = -(-2 * GROUPS // EACH)
"""A socket has room for so many groups (net.core.optmem_max)."""

API_GROUPS, API_SOURCES = 5, 4096 if GROUPS >= 1000 else 512
"""Of the agent's own, of each family."""

SPECIFIC = 50
"""Queries about one group, of each family, and as many about sources of one."""

STRAY, STRAY_6 = "192.0.2.66", "fe80::ffff:ffff:ffff:ffff"
RESPONSE = 1.0

Said = Counter[tuple[str, str, frozenset[str]]]
"""How often which record was said."""


class Twins:
    """`eth0` of two hosts on a switch that asks nothing by itself."""

    def __init__(self, net: HostLab) -> None:
        self.net = net
        self._said: list[Said] = [Counter(), Counter()]
        self.own: set[tuple[str, str]] = set()
        net.switch.ip("link", "set", "br0", "type", "bridge", "mcast_querier", "0")
        self.alone = net.neighbour("alone")
        self.sniffers = [net.sniffer, net.lab.keep(Sniffer(net.switch, "to-alone"))]
        self.stray = net.lab.keep(Wire(net.neighbour("stray", STRAY), "eth0"))
        self.members = []
        for each in (net.host, self.alone):
            each.sysctl({"ipv4.igmp_max_memberships": 5000, "ipv4.igmp_max_msf": 100})
            self.members.append([net.lab.keep(Member(each, "eth0")) for _ in range(MEMBERS)])

    def said(self) -> list[Said]:
        """What each said of the kernel's groups since `forget`; what else was said goes to `own`,
        by type and group."""
        for counted, sniffer in zip(self._said, self.sniffers, strict=True):
            records = [r for each in sniffer.news() if each.from_host for r in each.records]
            counted.update(each for each in records if is_kernels(each[1]))
            self.own |= {(type_, group) for type_, group, _ in records if not is_kernels(group)}
        return self._said

    def forget(self) -> None:
        self.said()
        for each in self._said:
            each.clear()

    def both(self, what: str, wanted: Said) -> None:
        """Waits until both have said this and nothing else, so far."""

        def do() -> bool:
            return all(said == wanted for said in self.said())

        try:
            eventually(what, do, 60.0)
        except AssertionError:
            differences = [
                f"{kind} {name}: {less.total()}, such as {list(less)[:3]}"
                for name, said in zip(("beside the agent", "alone"), self.said(), strict=True)
                for kind, less in (("too much", said - wanted), ("too little", wanted - said))
            ]
            raise AssertionError("; ".join([what, *differences])) from None

    def ask(self, *groups: str, sources: Sequence[str] = ()) -> None:
        """Robustness 2, every 3 s, answered within a second."""
        for group in groups or ("0.0.0.0", "::"):
            if ":" in group:
                self.stray.send(mld_query(2, STRAY_6, response=round(1000 * RESPONSE), group=group))
            else:
                response = round(10 * RESPONSE)
                self.stray.send(
                    igmp_query(
                        3, STRAY, response=response, group=group, sources=sources, interval=3
                    )
                )


@pytest.fixture
def twins() -> Iterator[Twins]:
    with host_lab() as net:
        yield Twins(net)


def of_kernel(number: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The group of each family with this number, and its sources."""
    low, high = number % 250 + 1, number // 250
    yield f"232.20.{high}.{low}", tuple(f"10.{i}.{high}.{low}" for i in range(3))
    own = f"{number + 1:x}"
    yield f"ff3e::20:{own}", tuple(f"2001:db8:{i}::{own}" for i in range(1, 4))


def is_kernels(group: str) -> bool:
    return group.startswith(("232.20.", "ff3e::20:"))


def expected(type_: str, groups: dict[str, tuple[str, ...]]) -> Said:
    return Counter((type_, group, frozenset(sources)) for group, sources in groups.items())


def joined(twins: Twins) -> tuple[dict[str, tuple[str, ...]], Said]:
    """The groups, and what is said of them until that has been said often enough."""
    groups = dict(each for number in range(GROUPS) for each in of_kernel(number))
    for number, (group, sources) in enumerate(groups.items()):
        for source in sources:
            for members in twins.members:
                members[number // EACH].join_source(group, source)
    eventually("all is said", partial(is_complete, twins, groups), 60.0)
    quiet(twins)
    twins.forget()
    return groups, Counter()


def is_complete(twins: Twins, groups: dict[str, tuple[str, ...]]) -> bool:
    """Whether each source has been allowed twice."""
    for said in twins.said():
        times: Counter[tuple[str, str]] = Counter()
        for (_, group, sources), count in said.items():
            times.update({(group, source): count for source in sources})
        if any(times[group, source] < 2 for group, each in groups.items() for source in each):
            return False
    return True


def quiet(twins: Twins) -> None:
    """Longer than the kernel waits before it repeats something."""
    since, begun = [each.total() for each in twins.said()], time.monotonic()
    while time.monotonic() - begun < 1.5:
        now = [each.total() for each in twins.said()]
        if now != since:
            since, begun = now, time.monotonic()
        time.sleep(0.05)


def mode(agent: RunningAgent, wanted: str) -> None:
    with Client(str(agent.control)) as client:
        client.call("mode", name="eth0", mode=wanted)


def join_own(agent: RunningAgent) -> set[str]:
    """Long lists of the agent's own."""
    own = set()
    with Client(str(agent.control)) as client:
        for number in range(API_GROUPS):
            for group, source in (
                (f"232.30.0.{number + 1}", "10.30.{}.{}"),
                (f"ff3e::30:{number + 1}", "2001:db8:30::{}:{}"),
            ):
                own.add(group)
                sources = [source.format(i // 250, i % 250 + 1) for i in range(API_SOURCES)]
                client.join("eth0", group, sources=sources, name="own")
    return own


def kernel_version(host: Namespace) -> str:
    with host.entered():
        lines = Path("/proc/thread-self/net/igmp").read_text().splitlines()
    return next(line.split()[-1] for line in lines if "eth0" in line)


@pytest.mark.parametrize("has_own", [False, True])
def test_a_host_says_what_its_kernel_alone_would_say(twins: Twins, *, has_own: bool) -> None:
    """From the take-over to the end by SIGKILL; what the kernel has learned is as without us."""
    net = twins.net
    agent = net.agent(mode="observe")
    groups, so_far = joined(twins)
    twins.ask()
    so_far += expected("IS_IN", groups)
    twins.both("an answer", so_far)
    mode(agent, "host")
    own = join_own(agent) if has_own else set()
    twins.ask()
    so_far += expected("IS_IN", groups)
    twins.both("an answer beside the agent", so_far)
    for number in range(SPECIFIC):
        for group, sources in of_kernel(number % GROUPS):
            twins.ask(group)
            so_far += expected("IS_IN", {group: sources})
        group, sources = next(of_kernel((number + SPECIFIC) % GROUPS))
        twins.ask(group, sources=sources[:2])
        so_far += expected("IS_IN", {group: sources[:2]})
    twins.both("answers to specific queries", so_far)
    for group, sources in of_kernel(0):
        for members in twins.members:
            members[0].leave_source(group, sources[0])
        so_far += expected("BLOCK", {group: sources[:1]})
        so_far += expected("BLOCK", {group: sources[:1]})
        groups[group] = sources[1:]
    twins.both("a source less", so_far)
    mode(agent, "observe")
    mode(agent, "host")
    assert counters(agent) == (0, 0)
    assert has_own or sent(agent) == 0
    agent.kill()
    twins.ask()
    so_far += expected("IS_IN", groups)
    twins.both("an answer after its end", so_far)
    assert {("IS_IN", group) for group in own} <= twins.own
    alike(twins)
    assert twins.said() == [so_far, so_far]


def alike(twins: Twins) -> None:
    """Both kernels forget an older querier after 2 x 3 s + 1 s, which a query had said."""
    twins.stray.send(igmp_query(2, STRAY))
    hosts = (twins.net.host, twins.alone)
    for host in hosts:
        eventually("it falls back", lambda h=host: kernel_version(h) == "V2")  # type: ignore[misc]
    for host in hosts:
        eventually("and returns", lambda h=host: kernel_version(h) == "V3")  # type: ignore[misc]
