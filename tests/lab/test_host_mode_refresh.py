"""A bridge that snoops and does not query goes on holding the groups of a host that refreshes."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from mcastd.client import Client
from mcastd_lab import RunningAgent
from support.host_lab import HostLab, eventually, family, host_lab

pytestmark = pytest.mark.lab

FAMILIES = ("igmp", "mld")
OWN = ("239.1.1.1", "ff1e::1:1")
KERNELS = ("239.2.2.2", "ff1e::2:2")
SETTINGS = """
[interface.eth0]
mode = "host"
refresh = "5s"
query_interval = 1
"""
"""A querier is taken to be gone two seconds after its last query."""

HELD_FOR = 11
"""Seconds after a report: longer than there can be between two."""


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


def queries(net: HostLab, *, on: bool) -> None:
    net.switch.ip("link", "set", "br0", "type", "bridge", "mcast_querier", str(int(on)))


def hold_for(net: HostLab, seconds: int) -> None:
    """What the bridge makes of its own intervals: robustness x interval, and the response's."""
    hundredths = str(100 * (seconds - 1) // 2)
    net.switch.ip("link", "set", "br0", "type", "bridge", "mcast_query_interval", hundredths)


def states(agent: RunningAgent) -> set[str]:
    found = [family(agent, each)["refresh"] for each in FAMILIES]
    return {each["state"] for each in found if isinstance(each, dict)}


def test_a_bridge_without_a_querier_holds_what_is_refreshed(net: HostLab) -> None:
    settings = net.lab.directory / "refresh.toml"
    settings.write_text(SETTINGS)
    member = net.member()
    for group in KERNELS:
        member.join(group)
    agent = net.agent("-c", settings, mode="")
    eventually("the querier is heard", lambda: states(agent) == {"querier"})
    with Client(str(agent.control)) as client:
        for group in OWN:
            client.call("join", name="eth0", group=group)

    queries(net, on=False)
    hold_for(net, HELD_FOR)
    eventually("the querier is missed", lambda: states(agent) == {"running"})
    begin = time.monotonic()
    while time.monotonic() - begin < HELD_FOR + 1:
        since = time.monotonic()
        eventually(
            "each group is reported, as it is held",
            lambda since=since: all(  # type: ignore[misc]
                ("IS_EX", frozenset()) in net.sniffer.records(group, since)
                for group in (*OWN, *KERNELS)
            ),
        )
    assert not list(net.sniffer.queries(begin))
    assert net.held().keys() >= {*OWN, *KERNELS}

    queries(net, on=True)
    eventually("the querier is heard", lambda: states(agent) == {"querier"})


def test_a_bridge_without_a_querier_forgets_what_is_not(net: HostLab) -> None:
    """The other half: were it not so, the first test would show nothing."""
    agent = net.agent()
    with Client(str(agent.control)) as client:
        for group in OWN:
            client.call("join", name="eth0", group=group)
    eventually("the groups are held", lambda: net.held().keys() >= set(OWN))
    queries(net, on=False)
    eventually("the groups are forgotten", lambda: not net.held().keys() & set(OWN), 30)
