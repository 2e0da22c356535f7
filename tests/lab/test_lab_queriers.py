"""Queries that are not answered, and queriers that speak an older version."""

from __future__ import annotations

import pytest
from mcastd.fastpath.kernel import AttachType
from mcastd_lab import Member
from support.flood import QUERY_3, four, igmp_frames, mld_frames
from support.lab import (
    TCX_DROP,
    Attached,
    Cable,
    Filter,
    Segment,
    expect_filter,
    interface,
    mcastctl,
    returning,
    scrape,
)
from support.packets import ethernet, igmp, ipv4
from support.waiting import eventually, first

pytestmark = pytest.mark.lab

OTHER, OTHER_6 = four("192.0.2.250"), four("fe80::250")
FRAMES = {
    each.counts_as: each.frame for each in reversed([*igmp_frames(OTHER), *mld_frames(OTHER_6)])
}
"""One of each kind; general queries."""

OLDER = [("igmp", 1, "192.0.2.1"), ("igmp", 2, "192.0.2.1"), ("mld", 1, "fe80::1")]


def test_queries_are_unanswered_if_nothing_leaves_the_host(segment: Segment) -> None:
    """Somebody drops what the host sends before the agent could see it."""
    silenced = returning(TCX_DROP, "tc")
    segment.lab.keep(Attached(segment.host, "eth0", silenced, AttachType.TCX_EGRESS))
    member = segment.member()
    member.join("239.1.2.3")
    member.join("ff15::db8:3")
    agent = segment.observe()

    with agent.watching(type="unanswered") as events:
        seen = {first(events)["protocol"] for _ in range(2)}
        eventually(
            lambda: all(interface(agent)[each]["unanswered_queries"] for each in ("igmp", "mld"))
        )

    assert seen <= {"igmp", "mld"}
    assert "queries not answered" in mcastctl(agent, "status").stdout
    shown = scrape(segment.host)
    for protocol in ("igmp", "mld"):
        assert shown.value("mcastd_queries_unanswered_total", protocol=protocol) >= 1
        assert shown.value("mcastd_query_response_seconds_count", protocol=protocol) == 0


@pytest.mark.parametrize(("protocol", "version", "address"), OLDER)
def test_an_older_querier_is_named_and_said_until_when(
    cable: Cable, protocol: str, version: int, address: str
) -> None:
    agent = cable.observe()

    with agent.watching(type="version") as events:
        agent.ask("status")
        cable.wire.send(FRAMES[f"{protocol} query {version}"])
        changed = first(events, protocol=protocol)

    assert (changed["to"], changed["querier"]) == (version, address)
    (older,) = interface(agent)[protocol]["older_queriers"]
    assert older["version"] == version
    assert 100 < older["forgotten_in"] <= 300
    status = interface(agent)[protocol]
    assert (status["version"], status["querier"]) == (version, address)
    assert status["querier_version"] == version
    text = mcastctl(agent, "status").stdout
    assert (
        f"an older {protocol} querier (version {version}, {address}) was heard; it is forgotten"
        in text
    )
    assert scrape(cable.host).value("mcastd_compatibility_version", protocol=protocol) == version


@pytest.mark.parametrize(("protocol", "version", "address"), OLDER)
def test_the_host_is_seen_to_answer_in_the_older_version(
    cable: Cable, protocol: str, version: int, address: str
) -> None:
    agent = cable.observe()
    group = "239.1.2.3" if protocol == "igmp" else "ff15::db8:3"
    member = cable.lab.keep(Member(cable.host, "eth0"))
    member.join(group)
    expect_filter(agent, group, Filter("exclude", ()))

    cable.wire.send(FRAMES[f"{protocol} query {version}"])

    eventually(
        lambda: interface(agent)[protocol]["last_reported_version"] == version,
        what=f"a report of version {version}",
    )
    expect_filter(agent, group, Filter("exclude", ()))


def test_sources_are_remembered_while_an_older_version_cannot_report_them(cable: Cable) -> None:
    agent = cable.observe()
    member = cable.lab.keep(Member(cable.host, "eth0"))
    member.join_source("239.1.2.3", "198.51.100.1")
    expect_filter(agent, "239.1.2.3", Filter("include", ("198.51.100.1",)))

    cable.wire.send(FRAMES["igmp query 2"])

    eventually(lambda: interface(agent)["igmp"]["last_reported_version"] == 2)
    expect_filter(agent, "239.1.2.3", Filter("include", ("198.51.100.1",)))


def test_a_second_querier_is_shown_beside_the_first(cable: Cable) -> None:
    agent = cable.observe()
    packet = ipv4(igmp(QUERY_3), source=OTHER)

    cable.wire.send(FRAMES["igmp query 3"])
    cable.wire.send(ethernet(packet))

    def views() -> dict[str, bool]:
        (igmp_part, _) = agent.ask("querier", name="eth0")
        return {view["address"]: view["current"] for view in igmp_part["queriers"]}

    eventually(lambda: views() == {"192.0.2.1": False, "192.0.2.250": True})
