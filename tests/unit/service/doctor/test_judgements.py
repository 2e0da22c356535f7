"""What is judged of values alone: routes, limits, sockets, bridges, streams, answers."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, cast

import pytest
from mcastd.fastpath.sockets import SocketPart
from mcastd.gmp.time import Instant, seconds
from mcastd.net.bridges import Bridge
from mcastd.net.multicast_routes import Incoming, Outgoing
from mcastd.net.routes import Route
from mcastd.net.udp_sockets import UdpSocket
from mcastd.service.doctor import bridges, forwarding, limits, reverse_path, sockets, streams
from mcastd.service.doctor.finding import Finding, Severity
from mcastd.service.doctor.reverse_path import Filter, Sender, Ways
from mcastd.service.growing import Grown
from mcastd.service.host_history import HostHistory, Reading, growth
from mcastd.streams import Key, Sample, StreamObject
from mcastd.streams.states import Reading as StreamReading
from mcastd.streams.states import Watched


def packed(text: str) -> bytes:
    return ip_address(text).packed


SOURCE = packed("10.9.9.9")
G1, G2, G6 = packed("239.1.1.1"), packed("239.1.1.2"), packed("ff15::1")

BEFORE = Reading(Instant(0), {"TcpExtIPReversePathFilter": 5, "IpReasmFails": 1}, {7: 3})
AFTER = Reading(
    Instant(seconds(30)), {"TcpExtIPReversePathFilter": 9, "IpReasmFails": 1}, {7: 13, 8: 2}
)


def kinds(found: list[Finding]) -> list[tuple[str, Severity]]:
    return [(each.kind, each.severity) for each in found]


def test_growth_is_what_became_more_since() -> None:
    found = growth(BEFORE, AFTER)
    assert found.seconds == 30
    assert found.counters == {"TcpExtIPReversePathFilter": 4}
    assert found.drops == {7: 10, 8: 2}
    assert growth(None, AFTER).seconds is None
    assert growth(None, AFTER).drops == {}


def test_what_is_older_than_a_minute_says_nothing_of_now() -> None:
    history = HostHistory()
    history.keep(BEFORE)
    assert history.since(AFTER.at) is BEFORE
    assert history.since(Instant(seconds(600))) is None


@pytest.mark.parametrize(
    ("route", "how", "expected"),
    [
        (Route(2), 1, False),
        (Route(3), 1, True),
        (Route(3), 2, False),
        (Route(None), 1, True),
        (Route(None), 2, True),
        (Route(1, is_unicast=False), 1, False),
    ],
)
def test_a_strict_filter_wants_the_same_interface_and_a_loose_one_any_route(
    route: Route, how: int, expected: bool
) -> None:
    ways = Ways({SOURCE: route}, {2: "eth0", 3: "eth1"}, growth(BEFORE, AFTER))
    sender = Sender(SOURCE, "sends to 239.1.1.1", "239.1.1.1")
    found = list(reverse_path.judge(2, "eth0", [sender], Filter(0, how), ways))
    assert bool(found) is expected


def test_the_larger_of_both_filters_counts_and_the_route_is_told() -> None:
    ways = Ways({SOURCE: Route(3)}, {3: "eth1"}, growth(BEFORE, AFTER))
    sender = Sender(SOURCE, "sends to 239.1.1.1", "239.1.1.1")
    (found,) = reverse_path.judge(2, "eth0", [sender], Filter(1, 0), ways)
    assert "the route to it goes by eth1" in found.text
    assert "ip route add 10.9.9.9/32 dev eth0" in found.remedy
    assert [each.command for each in found.evidence] == [
        "sysctl net/ipv4/conf/all/rp_filter net/ipv4/conf/eth0/rp_filter",
        "ip route get 10.9.9.9",
        "nstat -az TcpExtIPReversePathFilter",
    ]
    assert list(reverse_path.judge(2, "eth0", [sender], Filter(0, 0), ways)) == []


def test_drops_without_a_known_source_are_told_once() -> None:
    grown = growth(BEFORE, AFTER)
    assert kinds(list(reverse_path.by_unknown(grown, [], ["eth0"]))) == [
        ("rp_filter", Severity.FAULT)
    ]
    known = Finding("rp_filter", "", "")
    assert list(reverse_path.by_unknown(grown, [known], ["eth0"])) == []
    assert list(reverse_path.by_unknown(growth(AFTER, AFTER), [], ["eth0"])) == []


def part(group: bytes, *, sock: int = 1, inode: int = 7, **more: Any) -> SocketPart:
    fields: dict[str, Any] = {
        "sock": sock, "cgroup": 0, "pid": 10 + sock, "uid": 0, "name": "player", "ifindex": 2,
        "mode": 0, "total": 0, "first": 0, "group": group, "sources": b"", "inode": inode,
        "takes_all": True,
    }  # fmt: skip
    return SocketPart(**(fields | more))


@pytest.mark.parametrize(
    ("count", "expected"),
    [(8, []), (9, [Severity.NOTE]), (10, [Severity.FAULT])],
)
def test_groups_of_a_socket_near_its_limit_are_a_note_and_at_it_a_fault(
    count: int, expected: list[Severity]
) -> None:
    parts = [part(bytes([239, 1, 1, each])) for each in range(count)]
    found = list(limits.judge(parts, {"memberships": 10, "igmp": 10, "mld": 64}))
    assert [each.severity for each in found] == expected


def test_groups_of_several_sockets_and_of_ipv6_are_not_counted_together() -> None:
    parts = [part(bytes([239, 1, 1, each]), sock=each) for each in range(20)]
    parts += [part(bytes([255, *bytes(14), each])) for each in range(20)]
    assert list(limits.judge(parts, {"memberships": 10, "igmp": 10, "mld": 64})) == []


def test_sources_have_the_limit_of_their_family() -> None:
    of = {"memberships": 20, "igmp": 10, "mld": 64}
    (found,) = limits.judge([part(G1, total=10), part(G6, total=10)], of)
    assert (found.kind, found.protocol, found.group) == ("sources_limit", "igmp", "239.1.1.1")


def udp(inode: int, address: str = "0.0.0.0", drops: int = 0) -> UdpSocket:
    return UdpSocket(packed(address), 5004, 0, inode, drops)


def test_a_socket_that_dropped_lately_is_a_finding_and_one_that_did_once_is_none() -> None:
    joined = sockets.members([part(G1, inode=7), part(G2, inode=9)])
    grown = growth(BEFORE, AFTER)
    found = list(sockets.overflows([udp(7, drops=13), udp(9, drops=4)], joined, grown))
    assert kinds(found) == [("socket_overflow", Severity.FAULT)]
    assert "player (pid 11)" in found[0].text
    assert "10 packets in the last 30 s" in found[0].text
    assert list(sockets.overflows([udp(7)], joined, growth(AFTER, AFTER))) == []
    assert list(sockets.overflows([udp(8)], joined, grown)) == []  # it takes no multicast


def test_a_port_is_shared_by_sockets_without_an_address_and_with_other_groups() -> None:
    parts = [part(G1, sock=1, inode=7), part(G2, sock=2, inode=8)]
    both = [udp(7), udp(8)]
    assert len(list(sockets.shared_ports(both, sockets.members(parts)))) == 2
    bound = [udp(7, "239.1.1.1"), udp(8)]
    assert list(sockets.shared_ports(bound, sockets.members(parts))) == []
    same = [part(G1, sock=1, inode=7), part(G1, sock=2, inode=8)]
    assert list(sockets.shared_ports(both, sockets.members(same))) == []
    wise = [each._replace(takes_all=False) for each in parts]
    assert list(sockets.shared_ports(both, sockets.members(wise))) == []
    untold = [each._replace(takes_all=None) for each in parts]
    found = list(sockets.shared_ports(both, sockets.members(untold)))
    assert {each.severity for each in found} == {Severity.NOTE}


BRIDGE = Bridge(
    5, "br0", False, True, False, {"igmp": 2, "mld": 1}, frozenset(), frozenset(), frozenset()
)


def of_bridge(bridge: Bridge, *groups: bytes, heard: bool = False) -> list[str]:
    return [each.kind for each in bridges.judge(bridge, "igmp", groups, heard=heard)]


def test_a_bridge_that_snoops_needs_a_querier_and_an_entry() -> None:
    assert of_bridge(BRIDGE, G1) == ["bridge_without_querier"]
    assert of_bridge(BRIDGE) == []
    assert of_bridge(BRIDGE._replace(snooping=False), G1) == []
    assert of_bridge(BRIDGE, G1, heard=True) == ["bridge_lacks_group"]
    knows = BRIDGE._replace(knows_querier=frozenset({"igmp"}), groups=frozenset({(5, G1)}))
    assert of_bridge(knows, G1) == []
    assert of_bridge(knows, G1, G2) == ["bridge_lacks_group"]
    assert of_bridge(knows._replace(is_port=True), G1, G2) == []


def stream(**more: Any) -> StreamObject:
    made = {
        "interface": "eth0", "group": "239.1.1.1", "source": "10.0.0.2", "port": 5004, "vlan": [],
        "packets": 1000, "lost": 0, "duplicates": 0, "state": "live", "joined": True,
        "wanted": True,
    }  # fmt: skip
    return cast("StreamObject", made | more)


@pytest.mark.parametrize(
    ("streams_seen", "expected"),
    [
        ([stream()], []),
        ([stream(state="elsewhere", joined=False)], ["arrives_elsewhere"]),
        ([stream(wanted=False, state="unwanted")], ["source_filtered"]),
        ([stream(state="unwanted", joined=False, wanted=False)], []),
        ([stream(state="lossy", lost=30)], ["stream_lossy"]),
        ([stream(state="stalled", lost=30, wanted=False)], []),
        ([stream(duplicates=500)], ["duplicate_stream"]),
        ([stream(duplicates=1)], []),
        ([stream(), stream(vlan=[7])], ["duplicate_stream"]),
        ([stream(), stream(source="10.0.0.3")], []),
    ],
)
def test_a_stream_is_judged_by_its_state(
    streams_seen: list[StreamObject], expected: list[str]
) -> None:
    assert [each.kind for each in streams.judge(streams_seen)] == expected


def test_silence_is_told_of_the_group_that_was_asked_for() -> None:
    seen = [stream(state="silent"), stream(state="silent", group="239.9.9.9"), stream()]
    (found,) = streams.silent(seen, "239.1.1.1")
    assert (found.kind, found.interface, found.group) == ("no_data", "eth0", "239.1.1.1")


def test_what_grew_lately_is_told_and_what_did_not_is_over() -> None:
    growing = {"fragments": Grown(7, Instant(seconds(1))), "untracked": Grown(9, Instant(0))}
    assert kinds(list(streams.rests("eth0", growing, Instant(seconds(10))))) == [
        ("streams_fragmented", Severity.NOTE),
        ("streams_untracked", Severity.NOTE),
    ]
    (left,) = streams.rests("eth0", growing, Instant(seconds(11)))
    assert left.kind == "streams_fragmented"
    assert list(streams.rests("eth0", growing, Instant(seconds(12)))) == []


# What this host sends on.


def arriving(ttl: int, source: bytes = SOURCE, group: bytes = G1) -> Watched:
    counts = (None,) * 4
    sample = Sample(9, 900, 0, 0, None, (), "none", *counts, 0, ttl)
    return Watched(Key(3, (), source, group, 5004), sample, StreamReading(Instant(0), 9, 900))


BY = {
    Incoming("eth0", SOURCE, G1): (Outgoing("eth1", 1), Outgoing("eth2", 16)),
    Incoming("eth0", bytes(4), G2): (Outgoing("eth1", 1),),
}


@pytest.mark.parametrize(
    ("ttl", "out"),
    [(1, "by eth1, eth2, which takes 17 or"), (16, "by eth2, which takes 17 or"), (17, None)],
)
def test_a_stream_is_sent_on_while_its_ttl_is_above_the_threshold(ttl: int, out: str) -> None:
    found = list(forwarding.judge("eth0", [arriving(ttl)], BY))

    assert [each.kind for each in found] == ["ttl_too_low"] * (out is not None)
    assert all(out in each.text for each in found)


def test_a_route_of_any_source_counts_and_one_of_another_interface_does_not() -> None:
    assert list(forwarding.judge("eth0", [arriving(1, group=G2)], BY))
    assert not list(forwarding.judge("eth1", [arriving(1), arriving(1, group=G2)], BY))
    assert not list(forwarding.judge("eth0", [arriving(1, source=bytes((9, 9, 9, 9)))], BY))
