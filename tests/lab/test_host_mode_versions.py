"""Host mode and older queriers: what an operator sees, and what goes on regardless."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mcastd.client import Client
from mcastd_lab import Namespace, RunningAgent, Wire
from support.host_lab import (
    ANY,
    MEMBERSHIP_SECONDS,
    HostLab,
    counters,
    eventually,
    family,
    host_lab,
    only,
    sent,
    watching,
)
from support.queries import igmp_query, mld_query

pytestmark = pytest.mark.lab

STRAY = "192.0.2.66"
STRAY_6 = "fe80::ffff:ffff:ffff:ffff"
"""Higher than the querier's, which so remains the querier (RFC 9776 §6.6.2, RFC 9777 §7.6.2)."""


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


@pytest.fixture
def stray(net: HostLab) -> Wire:
    """A host that should not ask, and does."""
    namespace: Namespace = net.neighbour("stray", STRAY)
    return net.lab.keep(Wire(namespace, "eth0"))


def asked_again(net: HostLab, since: float) -> bool:
    """Whether the querier has asked: the stray host's own queries pass the same wire."""
    return any(each.source not in (STRAY, STRAY_6) for each in net.sniffer.queries(since))


def older_query(protocol: str, version: int) -> bytes:
    return igmp_query(version, STRAY) if protocol == "igmp" else mld_query(version, STRAY_6)


@pytest.mark.parametrize(
    ("protocol", "older", "newest"), [("igmp", 2, 3), ("igmp", 1, 3), ("mld", 1, 2)]
)
def test_a_stray_older_query(
    net: HostLab, stray: Wire, protocol: str, older: int, newest: int
) -> None:
    agent = net.agent()
    member = net.member()
    group, own = ("239.1.1.1", "239.1.1.9") if protocol == "igmp" else ("ff1e::1:1", "ff1e::1:9")
    member.join(group)
    with Client(str(agent.control)) as client:
        client.join("eth0", own, name="own")
    net.expect({group: ANY, own: ANY})
    with watching(agent, type="version", interface="eth0") as events:
        sent_at = time.monotonic()
        stray.send(older_query(protocol, older))
        event = next(events)
        assert time.monotonic() - sent_at < 1.0
        if protocol == "igmp":
            assert net.kernel_version() == f"V{older}"  # it falls back by itself
    address = STRAY if protocol == "igmp" else STRAY_6
    assert (event["protocol"], event["from"], event["to"]) == (protocol, newest, older)
    assert event["querier"] == address
    assert 2 < event["forgotten_in"] <= 360  # MLD learns how long from the querier
    seen = family(agent, protocol)
    assert seen["version"] == older
    older_queriers = seen["older_queriers"]
    assert isinstance(older_queriers, list)
    assert [(each["version"], each["address"]) for each in older_queriers] == [(older, address)]
    eventually(
        "a report in the older version",
        lambda: any(
            each.what.startswith("report") and each.what != "report" and each.group == own
            for each in net.sniffer.spoken(sent_at, protocol)
        ),
    )
    assert counters(agent) == (0, 0)
    net.expect({group: ANY, own: ANY})


def test_source_specific_joins_stay_up_without_compatibility(
    net: HostLab, stray: Wire, tmp_path: Path
) -> None:
    settings = tmp_path / "mcastd.toml"
    settings.write_text("[defaults]\ncompat_enable = false\n")
    agent = net.agent("-c", settings)
    member = net.member()
    member.join_source("232.1.1.1", "10.0.0.2")
    member.join_source("ff3e::1:1", "2001:db8::2")
    wanted = {"232.1.1.1": only("10.0.0.2"), "ff3e::1:1": only("2001:db8::2")}
    net.expect(wanted)
    with watching(agent, type="warning") as events:
        stray.send(older_query("igmp", 2))
        assert STRAY in next(events)["text"]
    since, asks = time.monotonic(), 0
    while time.monotonic() - since < 1.5 * MEMBERSHIP_SECONDS:
        asks += 1
        stray.send(older_query("igmp", 2))
        stray.send(older_query("igmp", 1))
        stray.send(older_query("mld", 1))
        asked = time.monotonic()
        eventually("a query", partial(asked_again, net, asked))
        assert net.lacking(wanted) == {}
    eventually("the queries consumed", lambda: counters(agent)[1] > 3 * asks)
    assert family(agent, "igmp")["version"] == 3
    assert family(agent, "mld")["version"] == 2
    assert net.kernel_version() == "V3"
    assert {each.what for each in net.sniffer.spoken(since)} == {"report"}
    queriers = {
        view["address"]
        for each in agent.ask("querier", name="eth0")
        for view in each["queriers"]
        if view["version"] < 3
    }
    assert STRAY in queriers


def test_an_operators_own_change_names_no_querier(net: HostLab) -> None:
    agent = net.agent()
    eventually("a querier", lambda: family(agent)["querier"])
    with Client(str(agent.control)) as client, watching(agent, type="version") as events:
        planned = client.call("version", name="eth0", protocol="igmp", version=2, dry_run=True)
        assert planned["to"]["version"] == 2
        assert family(agent)["version"] == 3
        client.call("version", name="eth0", protocol="igmp", version=2)
        event = next(events)
        assert (event["from"], event["to"]) == (3, 2)
        assert "querier" not in event
        client.call("version", name="eth0", protocol="igmp", version=3)
        event = next(events)
        assert (event["from"], event["to"]) == (2, 3)
        assert "querier" not in event


def test_an_announced_change_is_heard_by_the_querier(net: HostLab) -> None:
    """A maximum of IGMPv2, and back: the bridge never loses the group."""
    agent = net.agent()
    member = net.member()
    member.join("239.1.1.1")
    member.join("ff1e::1:1")
    wanted = {"239.1.1.1": ANY, "ff1e::1:1": ANY}
    net.expect(wanted)
    with Client(str(agent.control)) as client:
        for protocol, version, what in (("igmp", 2, "report2"), ("mld", 1, "report1")):
            since = time.monotonic()
            client.call("version", name="eth0", protocol=protocol, version=version, announce=True)

            def told(since: float = since, protocol: str = protocol, what: str = what) -> bool:
                return any(each.what == what for each in net.sniffer.spoken(since, protocol))

            eventually("told at once", told, 0.5)
    asked = time.monotonic()
    eventually("some queries", lambda: len(list(net.sniffer.queries(asked))) > 8)
    assert net.lacking(wanted) == {}
    assert {each.what for each in net.sniffer.spoken(asked, "igmp")} == {"report2"}


@pytest.fixture
def quiet(net: HostLab, stray: Wire) -> HostLab:
    """Only the test asks; an older querier is present for 2 x 2 s + 1 s after its query."""
    net.bridge.namespace.ip("link", "set", "br0", "type", "bridge", "mcast_querier", "0")
    stray.send(igmp_query(3, STRAY, response=10, interval=2))
    return net


def without_compatibility(net: HostLab, mode: str) -> RunningAgent:
    settings = net.lab.directory / "newest.toml"
    settings.write_text(f'[interface.eth0]\nmode = "{mode}"\ncompat_enable = false\n')
    return net.agent("-c", settings, mode="")


def keeps_to(agent: RunningAgent) -> dict[str, Any] | None:
    found = family(agent)["kernel_keeps_to"]
    assert found is None or isinstance(found, dict)
    return found


SLOW_INTERVAL = 8
"""Seconds: an older querier is remembered for twice that and the time to answer."""


@pytest.mark.parametrize("heard", [True, False])
def test_a_kernel_that_is_stuck_is_spoken_for_and_it_is_said_until_when(
    quiet: HostLab, stray: Wire, *, heard: bool
) -> None:
    """It heard an older query before those were kept from it, with the agent there or not."""
    member = quiet.member()
    member.join_source("232.1.1.1", "10.0.0.2")
    quiet.expect({"232.1.1.1": only("10.0.0.2")})
    if heard:
        agent = without_compatibility(quiet, "observe")
        stray.send(igmp_query(3, STRAY, response=10, interval=2))
        eventually("the querier", lambda: family(agent)["querier"] == STRAY)
    else:  # it keeps to the older version for as long as an agent may take to start
        stray.send(igmp_query(3, STRAY, response=10, interval=SLOW_INTERVAL))
    stray.send(igmp_query(2, STRAY))
    eventually("it falls back", lambda: quiet.kernel_version() == "V2")
    if heard:
        eventually("it is heard", lambda: keeps_to(agent))
        with Client(str(agent.control)) as client:
            client.call("mode", name="eth0", mode="host")
    else:
        agent = without_compatibility(quiet, "host")
    found = eventually("it is seen", lambda: keeps_to(agent))
    assert (found["version"], found["exact"]) == (2, heard)
    eventually("the agent speaks", lambda: family(agent)["speaks_for_kernel"])
    remarks = agent.ask("status")["interfaces"][0]["remarks"]
    assert any("keeps to version 2 until" in each for each in remarks)
    until = time.monotonic() + found["until"] - time.time()
    since = time.monotonic()
    member.join_source("232.1.1.1", "10.0.0.3")

    def told() -> set[str]:
        return {type_ for type_, _ in quiet.sniffer.records("232.1.1.1", since)}

    eventually("its sources", lambda: "ALLOW" in told())
    # Where an answer of the kernel's is held back just now, what it stands for is said instead.
    assert told() <= {"ALLOW", "IS_IN"}
    member.leave_source("232.1.1.1", "10.0.0.2")
    quiet.expect({"232.1.1.1": only("10.0.0.3")})
    last_older = newest = time.monotonic()
    while quiet.kernel_version() == "V2":
        last_older, newest = newest, time.monotonic()
    assert last_older <= until + 0.1
    assert not heard or time.monotonic() >= until - 0.1
    eventually("the kernel speaks", lambda: not family(agent)["speaks_for_kernel"])
    assert keeps_to(agent) is None
    since = time.monotonic()
    member.join_source("232.1.1.1", "10.0.0.4")
    eventually("by itself", lambda: quiet.sniffer.records("232.1.1.1", since) or None)
    quiet.expect({"232.1.1.1": only("10.0.0.3", "10.0.0.4")})
    assert sent(agent) > 0


def test_a_stuck_kernel_is_seen_by_what_it_says_where_linux_does_not_show_it(
    quiet: HostLab, stray: Wire
) -> None:
    """Of MLD: by its first report in the older version, and by its first in the newest again."""

    def ask() -> None:
        stray.send(mld_query(2, STRAY_6, interval=2))

    member = quiet.member()
    member.join_source("ff3e::1:1", "2001:db8::2")
    quiet.expect({"ff3e::1:1": only("2001:db8::2")})
    agent = without_compatibility(quiet, "observe")
    ask()
    eventually("the querier", lambda: family(agent, "mld")["querier"] == STRAY_6)
    stray.send(mld_query(1, STRAY_6))
    found = eventually("it is heard", lambda: family(agent, "mld")["kernel_keeps_to"])
    assert isinstance(found, dict)
    assert (found["version"], found["exact"]) == (1, True)
    with Client(str(agent.control)) as client:
        client.call("mode", name="eth0", mode="host")
    ask()
    eventually("the agent speaks", lambda: family(agent, "mld")["speaks_for_kernel"])

    def is_over() -> bool:
        ask()
        time.sleep(0.2)
        return not family(agent, "mld")["speaks_for_kernel"]

    eventually("the kernel speaks", is_over, 60.0)
    since = time.monotonic()
    member.join_source("ff3e::1:1", "2001:db8::4")
    eventually("by itself", lambda: quiet.sniffer.records("ff3e::1:1", since) or None)
    quiet.expect({"ff3e::1:1": only("2001:db8::2", "2001:db8::4")})
