"""What an agent in observe mode says of a host, held against the host's sockets and the bridge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from mcastd_lab import Member
from support.lab import BRIDGE, Filter, Segment, expect_filter, filter_of, interface, scrape
from support.waiting import eventually

pytestmark = pytest.mark.lab


@dataclass(frozen=True)
class Addresses:
    """Of one family; groups are numbered so that tests do not share them."""

    protocol: str
    version: int
    group: str
    sources: tuple[str, ...]
    most_sources: int

    def group_of(self, number: int) -> str:
        return self.group.format(number)


MOST_OF_A_SOCKET = 128

IGMP = Addresses("igmp", 3, "239.1.2.{}", ("198.51.100.1", "198.51.100.2", "198.51.100.3"), 800)
MLD = Addresses("mld", 2, "ff15::db8:{}", ("2001:db8::1", "2001:db8::2", "2001:db8::3"), 60)


@pytest.fixture(params=[IGMP, MLD], ids=lambda each: each.protocol)
def addresses(request: pytest.FixtureRequest) -> Addresses:
    value: Addresses = request.param
    return value


@pytest.fixture
def member(observed: Segment) -> Iterator[Member]:
    made = Member(observed.host, "eth0")
    yield made
    made.close()


def querier(segment: Segment, protocol: str) -> dict[str, Any]:
    """The only querier; AssertionError before its first query."""
    (found,) = [each for each in segment.agent.ask("querier") if each["protocol"] == protocol]
    assert len(found["queriers"]) == 1
    view: dict[str, Any] = found["queriers"][0]
    return view


def test_the_bridge_is_seen_as_the_querier_that_it_is(
    observed: Segment, addresses: Addresses
) -> None:
    def seen() -> dict[str, Any]:
        view = querier(observed, addresses.protocol)
        assert view["observed_interval"] is not None
        return view

    view = eventually(seen)

    if addresses is IGMP:
        assert view["address"] == BRIDGE
    else:
        assert IPv6Address(view["address"]).is_link_local
    said = {key: view[key] for key in ("current", "version", "robustness", "interval")}
    assert said == {
        "current": True, "version": addresses.version, "robustness": 2, "interval": 2.0
    }  # fmt: skip
    assert view["max_response"] == 1.0
    assert view["without_router_alert"] == 0


def test_the_interval_between_queries_is_measured(observed: Segment, addresses: Addresses) -> None:
    def steady() -> bool:
        view = querier(observed, addresses.protocol)
        return bool(view["queries"] > 3) and abs(view["observed_interval"] - 2.0) < 0.25

    eventually(steady, what="an interval of 2 s")


def test_the_version_spoken_is_the_queriers(observed: Segment, addresses: Addresses) -> None:
    status = interface(observed.agent)[addresses.protocol]

    assert status["version"] == status["max_version"] == addresses.version
    assert status["older_queriers"] == []


def test_a_join_and_a_leave_are_seen(
    observed: Segment, addresses: Addresses, member: Member
) -> None:
    group = addresses.group_of(1)

    member.join(group)
    expect_filter(observed.agent, group, Filter("exclude", ()))
    member.leave(group)
    expect_filter(observed.agent, group, None)


def test_every_change_of_sources_is_seen(
    observed: Segment, addresses: Addresses, member: Member
) -> None:
    group, (a, b, c) = addresses.group_of(2), addresses.sources

    member.join_source(group, a)
    expect_filter(observed.agent, group, Filter("include", (a,)))
    member.join_source(group, b)
    expect_filter(observed.agent, group, Filter("include", (a, b)))
    member.only_from(group, (b, c))
    expect_filter(observed.agent, group, Filter("include", (b, c)))
    member.not_from(group, (a,))
    expect_filter(observed.agent, group, Filter("exclude", (a,)))
    member.not_from(group, (a, c))
    expect_filter(observed.agent, group, Filter("exclude", (a, c)))
    member.only_from(group, (a,))
    expect_filter(observed.agent, group, Filter("include", (a,)))
    member.leave_source(group, a)
    expect_filter(observed.agent, group, None)


def test_the_filters_of_several_sockets_are_merged(
    observed: Segment, addresses: Addresses, member: Member
) -> None:
    group, (a, b, c) = addresses.group_of(3), addresses.sources
    other = observed.member()

    member.join_source(group, a)
    other.join_source(group, b)
    expect_filter(observed.agent, group, Filter("include", (a, b)))
    other.not_from(group, (a, b, c))
    expect_filter(observed.agent, group, Filter("exclude", (b, c)))
    other.leave(group)
    expect_filter(observed.agent, group, Filter("include", (a,)))


def test_a_list_longer_than_a_report_is_seen_whole(observed: Segment, addresses: Addresses) -> None:
    """Reports of 1500 bytes hold 365 IPv4 sources. Before Linux 6.8 one socket cannot say so many
    at once (net.core.optmem_max)."""
    group = addresses.group_of(4)
    first = IPv4Address("10.0.0.1") if addresses is IGMP else IPv6Address("2001:db8::1:0")
    sources = [str(first + number) for number in range(addresses.most_sources)]

    with ExitStack() as stack:
        for begin in range(0, len(sources), MOST_OF_A_SOCKET):
            listed = sources[begin : begin + MOST_OF_A_SOCKET]
            member = stack.enter_context(closing(Member(observed.host, "eth0")))
            member.join_source(group, listed[0])
            member.only_from(group, listed)

        expect_filter(observed.agent, group, Filter("include", tuple(sources)))


def test_what_is_seen_is_what_the_bridge_understood(
    observed: Segment, addresses: Addresses, member: Member
) -> None:
    group, sources = addresses.group_of(5), addresses.sources[:2]

    def understood() -> Filter | None:
        for entry in observed.bridge.memberships():
            if entry["grp"] == group and "src" not in entry:
                listed = (each["address"] for each in entry.get("source_list", ()))
                return Filter(entry["filter_mode"], tuple(sorted(listed)))
        return None

    member.join_source(group, sources[0])
    member.only_from(group, sources)

    eventually(lambda: understood() == Filter("include", sources), what=f"{understood()}")
    expect_filter(observed.agent, group, Filter("include", sources))


def test_queries_are_answered_and_the_time_is_measured(
    observed: Segment, addresses: Addresses, member: Member
) -> None:
    """The bridge's Max Resp Time is 1 s."""
    metric, labels = "mcastd_query_response_seconds", {"protocol": addresses.protocol}
    member.join(addresses.group_of(6))

    def answered() -> float:
        return scrape(observed.host).value(f"{metric}_count", **labels)

    before = answered()
    eventually(lambda: answered() >= before + 2, what="two answers")
    shown = scrape(observed.host)
    count = shown.value(f"{metric}_count", **labels)

    assert shown.value(f"{metric}_bucket", le="2.5", **labels) == count
    assert 0 < shown.value(f"{metric}_sum", **labels) <= 1.5 * count
    assert interface(observed.agent)[addresses.protocol]["unanswered_queries"] == 0


def test_a_group_says_when_it_was_joined_and_last_reported(
    observed: Segment, addresses: Addresses, member: Member
) -> None:
    group = addresses.group_of(7)
    member.join(group)
    expect_filter(observed.agent, group, Filter("exclude", ()))

    def reported() -> dict[str, Any]:
        (entry,) = observed.agent.ask("groups", name="eth0", group=group)
        assert isinstance(entry, dict)
        assert entry["last_reported"] is not None, "the socket was seen before its report"
        assert entry["last_reported"] > entry["since"]
        return entry

    entry = eventually(reported)

    assert entry["reported"] is True
    assert [each["name"] for each in entry["applications"]] == ["kernel"]


def test_other_hosts_memberships_are_not_this_hosts(
    observed: Segment, addresses: Addresses
) -> None:
    group = addresses.group_of(8)
    neighbour = observed.lab.keep(Member(observed.neighbour, "eth0"))
    with observed.agent.watching(type="report") as events:
        observed.agent.ask("status")
        neighbour.join(group)
        seen = next(
            event
            for event in events
            if event["direction"] == "rx"
            and group in (record["group"] for record in event["records"])
        )

    assert seen["verdict"] == "accept"
    assert filter_of(observed.agent, group) is None


def test_what_was_joined_before_the_agent_started_is_known(segment: Segment) -> None:
    member = segment.member()
    for addresses in (IGMP, MLD):
        member.join(addresses.group_of(1))
        member.join_source(addresses.group_of(2), addresses.sources[0])

    agent = segment.observe()

    for addresses in (IGMP, MLD):
        expect_filter(agent, addresses.group_of(1), Filter("exclude", ()))
        expect_filter(agent, addresses.group_of(2), Filter("include", addresses.sources[:1]))


def test_what_proc_cannot_tell_is_learnt_from_the_next_answer(segment: Segment) -> None:
    """INCLUDE {a} and EXCLUDE {} of two sockets look like one INCLUDE there."""
    one, other = segment.member(), segment.member()
    for addresses in (IGMP, MLD):
        one.join_source(addresses.group_of(1), addresses.sources[0])
        other.join(addresses.group_of(1))

    agent = segment.observe()

    for addresses in (IGMP, MLD):
        expect_filter(agent, addresses.group_of(1), Filter("exclude", ()))
