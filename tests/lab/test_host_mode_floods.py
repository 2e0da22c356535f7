"""Host mode answers in time, spread over the time it has, and also in a flood that it discards."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address

import pytest
from mcastd_lab import Generator, RunningAgent
from support.host_lab import (
    ANY,
    QUERIER_ADDRESS,
    HostLab,
    counters,
    eventually,
    host_lab,
    only,
)
from support.queries import igmp_query, igmp_report, mld_query
from support.sniffer import Seen

pytestmark = pytest.mark.lab

MAX_RESPONSE = 1.0
"""Of the bridge's general queries, seconds."""

LATE = 0.25
"""For the way there and back through a loaded machine."""

FLOOD_SECONDS = 5.0
"""Two queries of the bridge at the least."""

WANTED = {"239.1.1.1": ANY, "232.1.1.1": only("10.0.0.2"), "ff1e::1:1": ANY}


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        member = made.member()
        for group in ("239.1.1.1", "ff1e::1:1"):
            member.join(group)
        member.join_source("232.1.1.1", "10.0.0.2")
        yield made


def general_queries(net: HostLab, since: float, protocol: str) -> list[Seen]:
    """The bridge's own."""
    return [
        each
        for each in net.sniffer.queries(since)
        if each.protocol == protocol and each.group in ("0.0.0.0", "::")
    ]


def delays(net: HostLab, since: float, protocol: str) -> list[float]:
    """From each general query to the next report with current-state records."""
    answers = [
        each.at
        for each in net.sniffer.spoken(since, protocol)
        if any(type_.startswith("IS_") for type_, _, _ in each.records)
    ]
    found = []
    for asked in general_queries(net, since, protocol):
        answer = min((at for at in answers if at >= asked.at), default=None)
        if answer is not None:
            found.append(answer - asked.at)
    return found


def test_answers_are_in_time_and_spread(net: HostLab) -> None:
    net.agent()
    net.expect(WANTED)
    since = time.monotonic()
    eventually("queries", lambda: len(general_queries(net, since, "igmp")) > 8, 30.0)
    found = delays(net, since, "igmp") + delays(net, since, "mld")
    assert len(found) >= 14
    assert max(found) <= MAX_RESPONSE + LATE
    assert min(found) < 0.5 < max(found)


def forged() -> list[bytes]:
    """Reports of all kinds, and queries with the longest of times, each from somebody else."""
    dice = random.Random(5)

    def stranger() -> str:
        return str(IPv4Address(0x0A000001 + dice.randrange(1 << 20)))

    def stranger_6() -> str:
        return str(IPv6Address((0xFE80 << 112) + dice.randrange(1 << 60)))

    def group() -> str:
        return str(IPv4Address(0xEF000001 + dice.randrange(1 << 20)))

    reports = [igmp_report(each % 3 + 1, stranger(), group()) for each in range(800)]
    queries = [igmp_query(3, stranger(), response=255) for _ in range(100)]
    queries += [mld_query(2, stranger_6(), response=0xFFFF) for _ in range(100)]
    frames = reports + queries
    dice.shuffle(frames)
    return frames


def heard_of(agent: RunningAgent, address: str) -> int:
    """How many of a querier's queries have been handed over."""
    return sum(
        int(view["queries"])
        for each in agent.ask("querier", name="eth0")
        for view in each["queriers"]
        if view["address"] == address
    )


OWN_GROUP = "ff1e::1:2"
IN_A_FLOOD = {"239.1.1.1": ANY, "232.1.1.1": only("10.0.0.2"), OWN_GROUP: ANY}
"""Of MLD what the agent holds: Linux puts its own answer off with each later query, and one in a
thousand of the forged ones, with hours to answer, reaches it with the agent as without."""


def test_a_flood_of_reports_and_forged_queries(net: HostLab) -> None:
    agent = net.agent()
    agent.ask("join", name="eth0", group=OWN_GROUP)
    net.expect(WANTED | IN_A_FLOOD)
    eventually("a querier that is known", lambda: heard_of(agent, QUERIER_ADDRESS) > 2)
    generator = net.lab.keep(Generator((net.switch, net.port), (net.host, "eth0")))
    since, heard = time.monotonic(), heard_of(agent, QUERIER_ADDRESS)
    gaps: list[object] = []
    with ThreadPoolExecutor(1) as pool:
        flood = pool.submit(generator.flood, forged(), FLOOD_SECONDS)
        while not flood.done():
            gaps += net.lacking(IN_A_FLOOD).items()
            time.sleep(0.1)
    seconds = time.monotonic() - since
    frames = flood.result().frames
    print(f"{frames / seconds / 1e6:.2f} million frames a second for {seconds:.1f} s")
    eventually("the last answer", lambda: time.monotonic() - since > seconds + 1.5)
    asked = [each for each in general_queries(net, since, "igmp") if each.at < since + seconds]
    assert len(asked) >= 2
    assert gaps == []
    assert heard_of(agent, QUERIER_ADDRESS) - heard >= len(asked)
    found = delays(net, since, "igmp") + delays(net, since, "mld")
    assert len(found) >= 2 * len(asked)
    assert max(found) <= MAX_RESPONSE + LATE
    status = agent.ask("status")["interfaces"][0]
    assert status["lost"]["query"]["rate_limited"] > 0
    assert status["mode"] == "host"
    assert counters(agent)[0] == 0, "the kernel goes on, and nothing of it is held back"
    assert agent.ask("counters", name="eth0")[0]["discarded"]["report"]["igmp"] > frames / 2
