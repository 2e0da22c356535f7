"""What applications may ask for (RFC 9776 §2, §3, RFC 3678 §4.1), and how it is merged."""

from __future__ import annotations

import pytest
from mcastd.gmp.effects import Refused
from mcastd.gmp.events import Change, ChangeListening, Listen
from mcastd.gmp.family import Address
from mcastd.gmp.filters import SourceFilter
from support.network import Network
from support.timeline import Timeline


def refusals(timeline: Timeline) -> list[str]:
    return [each.code for each in timeline.told() if isinstance(each, Refused)]


class Application:
    """Changes its request step by step."""

    def __init__(self, timeline: Timeline, name: str = "application") -> None:
        self.timeline = timeline
        self.name = name

    def __call__(self, change: Change, group: Address, source: Address | None = None) -> list[str]:
        """The codes of what is refused."""
        self.timeline.takes(ChangeListening(self.name, change, group, source))
        return refusals(self.timeline)


@pytest.fixture
def change(timeline: Timeline) -> Application:
    return Application(timeline)


def merged(timeline: Timeline, net: Network, *filters: SourceFilter) -> SourceFilter:
    for number, wanted in enumerate(filters):
        timeline.listens(net.g1, wanted, f"application {number}")
    return timeline.host.groups[net.g1]


def test_excludes_meet_and_includes_are_taken_out_of_them(timeline: Timeline, net: Network) -> None:
    """The examples of RFC 9776 §3.2, RFC 9777 §4.2, with fewer sources."""
    a, b, c, d = net.s1, net.s2, net.s3, net.s4
    assert merged(timeline, net, net.exclude(a, b, c), net.exclude(b, c, d)) == net.exclude(b, c)

    timeline.listens(net.g1, net.include(c, d), "another")
    assert timeline.host.groups[net.g1] == net.exclude(b)

    timeline.listens(net.g1, net.everything, "yet another")
    assert timeline.host.groups[net.g1] == net.everything


def test_includes_are_united(timeline: Timeline, net: Network) -> None:
    filters = net.include(net.s1, net.s2), net.include(net.s2, net.s3), net.include(net.s4)

    united = net.include(net.s1, net.s2, net.s3, net.s4)
    assert merged(timeline, net, *filters) == united


def test_a_request_replaces_the_applications_earlier_one(timeline: Timeline, net: Network) -> None:
    timeline.listens(net.g1, net.include(net.s1)).listens(net.g1, net.include(net.s2))

    assert timeline.host.groups == {net.g1: net.include(net.s2)}
    assert timeline.host.applications(net.g1) == {"application": net.include(net.s2)}


def test_a_group_is_held_until_the_last_application_leaves(
    timeline: Timeline, net: Network
) -> None:
    timeline.listens(net.g1, net.everything, "one").listens(net.g1, net.everything, "two").settles()

    assert timeline.listens(net.g1, net.nothing, "one").sent() == []
    timeline.listens(net.g1, net.nothing, "two")
    assert [report for _, report in timeline.sent()] == [[net.to_in(net.g1)]]
    assert timeline.host.groups == {}
    assert timeline.host.applications(net.g1) == {}


def test_ending_what_was_never_asked_for_is_nothing(timeline: Timeline, net: Network) -> None:
    timeline.leaves(net.g1).listens(net.g1, net.everything, "other").settles()
    timeline.leaves(net.g1)

    assert timeline.sent() == []


def test_an_exclude_list_that_empties_is_still_held(timeline: Timeline, net: Network) -> None:
    both = net.exclude(net.s1), net.exclude(net.s2)

    assert merged(timeline, net, *both) == net.everything


# Refusals.


def test_a_group_must_be_multicast(timeline: Timeline, net: Network) -> None:
    timeline.joins(net.s1, b"", bytes(3), bytes(16))

    assert refusals(timeline) == ["EINVAL"] * 4
    assert timeline.host.groups == {}


def test_a_source_must_be_unicast(timeline: Timeline, net: Network) -> None:
    highest = b"\xff" * net.family.address_width
    for source in (net.g1, net.family.unspecified, highest):
        timeline.listens(net.g1, net.exclude(net.s1, source))

    assert refusals(timeline) == ["EINVAL"] * 3


def test_a_reserved_source_is_no_multicast_source(igmp: Timeline) -> None:
    """240.0.0.0/4 is used as unicast by some, 255.255.255.255 by nobody."""
    source = igmp.net.family.parse("240.0.0.1")
    igmp.listens(igmp.net.g1, igmp.net.include(source))

    assert refusals(igmp) == []


def test_sources_must_be_of_the_groups_family(igmp: Timeline, mld: Timeline) -> None:
    igmp.takes(Listen("application", igmp.net.g1, mld.net.include(mld.net.s1)))

    assert refusals(igmp) == ["EINVAL"]


def test_too_many_sources_are_refused_and_nothing_is_widened(net: Network) -> None:
    timeline = Timeline(net, max_sources_per_filter=64)
    first = int.from_bytes(net.s1)
    many = [(first + i).to_bytes(net.family.address_width) for i in range(65)]
    timeline.listens(net.g1, net.include(*many[:64])).listens(net.g1, net.include(*many))

    assert refusals(timeline) == ["ENOBUFS"]
    assert timeline.host.groups == {net.g1: net.include(*many[:64])}


def test_an_any_source_request_in_the_source_specific_range_is_refused(
    timeline: Timeline, net: Network
) -> None:
    """RFC 4604 §2.1."""
    timeline.joins(net.ssm).listens(net.ssm, net.exclude(net.s1))

    assert refusals(timeline) == ["EINVAL"] * 2


# Changes of a request (RFC 3678 §4.1).


def test_groups_are_joined_and_left(timeline: Timeline, net: Network, change: Application) -> None:
    assert change(Change.JOIN_GROUP, net.g1) == []
    assert timeline.host.groups == {net.g1: net.everything}
    assert change(Change.LEAVE_GROUP, net.g1) == []
    assert timeline.host.groups == {}


def test_sources_are_joined_and_left(timeline: Timeline, net: Network, change: Application) -> None:
    assert change(Change.JOIN_SOURCE, net.g1, net.s1) == []
    assert change(Change.JOIN_SOURCE, net.g1, net.s2) == []
    assert timeline.host.groups == {net.g1: net.include(net.s1, net.s2)}
    assert change(Change.LEAVE_SOURCE, net.g1, net.s1) == []
    assert change(Change.LEAVE_SOURCE, net.g1, net.s2) == []
    assert timeline.host.groups == {}


def test_sources_are_blocked_and_unblocked(
    timeline: Timeline, net: Network, change: Application
) -> None:
    change(Change.JOIN_GROUP, net.g1)
    assert change(Change.BLOCK_SOURCE, net.g1, net.s1) == []
    assert timeline.host.groups == {net.g1: net.exclude(net.s1)}
    assert change(Change.UNBLOCK_SOURCE, net.g1, net.s1) == []
    assert timeline.host.groups == {net.g1: net.everything}


def test_a_group_cannot_be_joined_twice(net: Network, change: Application) -> None:
    change(Change.JOIN_GROUP, net.g1)

    assert change(Change.JOIN_GROUP, net.g1) == ["EADDRINUSE"]


def test_what_was_not_joined_cannot_be_changed(net: Network, change: Application) -> None:
    assert change(Change.LEAVE_GROUP, net.g1) == ["EADDRNOTAVAIL"]
    assert change(Change.LEAVE_SOURCE, net.g1, net.s1) == ["EADDRNOTAVAIL"]
    assert change(Change.BLOCK_SOURCE, net.g1, net.s1) == ["EADDRNOTAVAIL"]
    assert change(Change.UNBLOCK_SOURCE, net.g1, net.s1) == ["EADDRNOTAVAIL"]


def test_a_source_must_be_there_to_go_and_must_not_to_come(
    net: Network, change: Application
) -> None:
    change(Change.JOIN_SOURCE, net.g1, net.s1)
    assert change(Change.JOIN_SOURCE, net.g1, net.s1) == ["EADDRNOTAVAIL"]
    assert change(Change.LEAVE_SOURCE, net.g1, net.s2) == ["EADDRNOTAVAIL"]

    change(Change.JOIN_GROUP, net.g2)
    change(Change.BLOCK_SOURCE, net.g2, net.s1)
    assert change(Change.BLOCK_SOURCE, net.g2, net.s1) == ["EADDRNOTAVAIL"]
    assert change(Change.UNBLOCK_SOURCE, net.g2, net.s2) == ["EADDRNOTAVAIL"]


def test_requests_of_the_two_modes_do_not_mix(net: Network, change: Application) -> None:
    change(Change.JOIN_SOURCE, net.g1, net.s1)
    assert change(Change.JOIN_GROUP, net.g1) == ["EINVAL"]
    assert change(Change.BLOCK_SOURCE, net.g1, net.s1) == ["EINVAL"]
    assert change(Change.UNBLOCK_SOURCE, net.g1, net.s1) == ["EINVAL"]

    change(Change.JOIN_GROUP, net.g2)
    assert change(Change.JOIN_SOURCE, net.g2, net.s1) == ["EINVAL"]
    assert change(Change.LEAVE_SOURCE, net.g2, net.s1) == ["EINVAL"]


def test_a_change_of_sources_needs_one_and_a_change_of_groups_takes_none(
    net: Network, change: Application
) -> None:
    assert change(Change.JOIN_SOURCE, net.g1) == ["EINVAL"]
    assert change(Change.JOIN_SOURCE, net.g1, net.g2) == ["EINVAL"]
    assert change(Change.JOIN_GROUP, net.g1, net.s1) == ["EINVAL"]


def test_a_change_is_refused_like_a_whole_request(net: Network, change: Application) -> None:
    assert change(Change.JOIN_GROUP, net.ssm) == ["EINVAL"]
    assert change(Change.JOIN_GROUP, net.s1) == ["EINVAL"]
    assert change(Change.LEAVE_GROUP, b"") == ["EADDRNOTAVAIL"]
