"""Host mode against the kernel's bridge: the filters that it holds are what sockets asked for."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator

import pytest
from mcastd.client import AgentError, Client
from mcastd_lab import Member, RunningAgent
from support.host_lab import (
    ANY,
    HOST_ADDRESS,
    Filter,
    HostLab,
    but,
    eventually,
    host_lab,
    nothing_is_held_back,
    only,
)

pytestmark = pytest.mark.lab

GROUPS = {"igmp": ("239.1.1.1", "232.1.1.1"), "mld": ("ff1e::1:1", "ff3e::1:1")}
SOURCES = {
    "igmp": ("10.0.0.2", "10.0.0.3", "10.0.0.4"),
    "mld": ("2001:db8::2", "2001:db8::3", "2001:db8::4"),
}


@pytest.fixture(scope="module")
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


@pytest.fixture(scope="module")
def agent(net: HostLab) -> RunningAgent:
    return net.agent()


@pytest.fixture
def client(agent: RunningAgent) -> Iterator[Client]:
    with Client(str(agent.control)) as made:
        yield made


@pytest.fixture
def member(net: HostLab) -> Iterator[Member]:
    made = Member(net.host, "eth0")
    yield made
    made.close()
    net.expect({})


@pytest.fixture(params=["igmp", "mld"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_joins_and_leaves(net: HostLab, agent: RunningAgent, member: Member, protocol: str) -> None:
    any_source, specific = GROUPS[protocol]
    a, b, _ = SOURCES[protocol]
    with nothing_is_held_back(agent):
        member.join(any_source)
        member.join_source(specific, a)
        net.expect({any_source: ANY, specific: only(a)})
        member.join_source(specific, b)
        net.expect({any_source: ANY, specific: only(a, b)})
        member.leave_source(specific, a)
        net.expect({any_source: ANY, specific: only(b)})
        member.leave(any_source)
        net.expect({specific: only(b)})
        member.leave_source(specific, b)
        net.expect({})


def test_changes_of_mode_and_sources(
    net: HostLab, agent: RunningAgent, member: Member, protocol: str
) -> None:
    group, _ = GROUPS[protocol]
    a, b, c = SOURCES[protocol]
    with nothing_is_held_back(agent):
        member.join(group)
        net.expect({group: ANY})
        member.not_from(group, [a, b])
        net.expect({group: but(a, b)})
        member.not_from(group, [b, c])
        net.expect({group: but(b, c)})
        member.only_from(group, [a, c])
        net.expect({group: only(a, c)})
        member.not_from(group, [a])
        net.expect({group: but(a)})


def test_two_sockets_are_merged(net: HostLab, member: Member, protocol: str) -> None:
    group, specific = GROUPS[protocol]
    a, b, c = SOURCES[protocol]
    second = Member(net.host, "eth0")
    try:
        member.join_source(group, a)
        member.join_source(specific, a)
        second.join_source(specific, b)
        net.expect({group: only(a), specific: only(a, b)})
        second.join(group)
        net.expect({group: ANY, specific: only(a, b)})
        second.not_from(group, [a, c])
        net.expect({group: but(c), specific: only(a, b)})
    finally:
        second.close()
    net.expect({group: only(a), specific: only(a)})


def test_the_agents_own_memberships_are_merged_with_the_kernels(
    net: HostLab, client: Client, member: Member, protocol: str
) -> None:
    group, specific = GROUPS[protocol]
    a, b, _ = SOURCES[protocol]
    client.join("eth0", specific, sources=[a], name="one")
    client.join("eth0", group, sources=[a, b], exclude=True, name="one")
    net.expect({group: but(a, b), specific: only(a)})
    member.join_source(specific, b)
    member.join_source(group, a)
    net.expect({group: but(b), specific: only(a, b)})
    client.leave("eth0", group, name="one")
    net.expect({group: only(a), specific: only(a, b)})
    client.leave("eth0", specific, name="one")
    net.expect({group: only(a), specific: only(b)})


def test_many_groups(net: HostLab, agent: RunningAgent, protocol: str) -> None:
    """A thousand, over two sockets; the answers to general queries keep them."""
    first, second = Member(net.host, "eth0"), Member(net.host, "eth0")
    groups = [
        f"239.9.{i // 250}.{i % 250}" if protocol == "igmp" else f"ff1e::9:{i:x}"
        for i in range(1, 1001)
    ]
    wanted: dict[str, Filter] = dict.fromkeys(groups, ANY)
    with nothing_is_held_back(agent):
        for index, group in enumerate(groups):
            (first if index % 2 else second).join(group)
        net.expect(wanted, 60.0)
        asked = [each.at for each in net.sniffer.queries()][-1]
        eventually(
            "three more queries",
            lambda: sum(e.protocol == protocol for e in net.sniffer.queries(asked)) > 3,
        )
        net.expect(wanted)
        first.close()
        second.close()
        net.expect({}, 60.0)


def test_long_filters(net: HostLab, agent: RunningAgent, client: Client, protocol: str) -> None:
    """4,096 sources: the bridge keeps 32 of a group, so it is the wire that is looked at."""
    group = GROUPS[protocol][1]
    sources = [
        f"10.{i // 62500}.{i // 250 % 250}.{i % 250 + 1}"
        if protocol == "igmp"
        else f"2001:db8::{i + 1:x}"
        for i in range(4096)
    ]
    since = net.sniffer.seen()[-1].at
    with nothing_is_held_back(agent):
        client.join("eth0", group, sources=sources, name="long")
        told = eventually("all sources", lambda: told_of(net, group, "ALLOW", 4096, since))
        assert told == set(sources)
        answer = eventually("in an answer", lambda: told_of(net, group, "IS_IN", 4096, since))
        assert answer == set(sources)
        assert max(len(each.frame) for each in net.sniffer.spoken(since)) <= 1514
        fewer = sources[1000:]
        client.join("eth0", group, sources=fewer, name="long")
        gone = eventually("the others blocked", lambda: told_of(net, group, "BLOCK", 1000, since))
        assert gone == set(sources[:1000])
        client.leave("eth0", group, name="long")
        eventually("left", lambda: told_of(net, group, "BLOCK", 4096, since))
        net.expect({})


def told_of(net: HostLab, group: str, type_: str, count: int, since: float) -> set[str] | None:
    """The sources in records of this type; None while they are fewer."""
    found = {
        source
        for kind, sources in net.sniffer.records(group, since)
        if kind == type_
        for source in sources
    }
    return found if len(found) >= count else None


def test_long_filters_of_sockets(net: HostLab, agent: RunningAgent) -> None:
    """The kernel splits its report; what is learned is the whole, in every kind of record."""
    group = "239.1.1.1"
    sources = [f"10.0.{i // 250}.{i % 250 + 1}" for i in range(4096)]
    with (
        nothing_is_held_back(agent),
        net.host.entered(),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        address = socket.inet_aton(HOST_ADDRESS)
        sock.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + address
        )
        net.expect({group: ANY})
        set_filter(sock, group, INCLUDE, sources)
        assert learned(agent, group, 4096) == only(*sources)
        set_filter(sock, group, INCLUDE, sources[:2900])
        assert learned(agent, group, 2900) == only(*sources[:2900])
        set_filter(sock, group, INCLUDE, sources[300:])
        assert learned(agent, group, 3796) == only(*sources[300:])
        set_filter(sock, group, EXCLUDE, sources[:300])
        assert learned(agent, group, 300) == but(*sources[:300])
        set_filter(sock, group, INCLUDE, sources[:3000])
        assert learned(agent, group, 3000) == only(*sources[:3000])
        two_answers(net)  # and the repetitions of the change
        since = net.sniffer.seen()[-1].at
        two_answers(net)
        assert told_of(net, group, "IS_IN", 3000, since) == set(sources[:3000])
        # A repetition of the change may come late: it takes nothing away either.
        assert {type_ for type_, _ in net.sniffer.records(group, since)} <= {"IS_IN", "TO_IN"}
        assert learned(agent, group, 3000) == only(*sources[:3000])
    net.expect({})


def two_answers(net: HostLab) -> None:
    since = time.monotonic()
    eventually("queries", lambda: sum(e.protocol == "igmp" for e in net.sniffer.queries(since)) > 2)


EXCLUDE, INCLUDE = 0, 1
IP_MSFILTER = 41


def set_filter(sock: socket.socket, group: str, mode: int, sources: list[str]) -> None:
    """struct ip_msfilter, whose sources are small enough for thousands of them."""
    head = socket.inet_aton(group) + socket.inet_aton(HOST_ADDRESS)
    listed = b"".join(map(socket.inet_aton, sources))
    option = head + struct.pack("=II", mode, len(sources)) + listed
    sock.setsockopt(socket.IPPROTO_IP, IP_MSFILTER, option)


def learned(agent: RunningAgent, group: str, sources: int) -> Filter:
    """What the agent knows of a group once it has so many sources."""

    def look() -> Filter | None:
        found = agent.ask("groups", name="eth0", group=group)
        if not found or len(found[0]["sources"]) != sources:
            return None
        return found[0]["mode"], frozenset(found[0]["sources"])

    return eventually(f"{sources} sources", look)


def test_what_is_refused(net: HostLab, client: Client) -> None:
    for group, sources in (("10.1.1.1", []), ("239.1.1.1", ["2001:db8::1"]), ("nothing", [])):
        with pytest.raises(AgentError):
            client.join("eth0", group, sources=sources)
    net.expect({})


def test_a_held_membership_ends_with_its_connection(net: HostLab, agent: RunningAgent) -> None:
    with Client(str(agent.control)) as holding:
        holding.join("eth0", "239.1.1.1", hold=True)
        net.expect({"239.1.1.1": ANY})
    net.expect({})


def test_a_link_that_flaps(net: HostLab, agent: RunningAgent, client: Client) -> None:
    wanted = {"239.1.1.1": ANY, "232.1.1.1": only("10.0.0.2"), "ff1e::1:1": ANY, "239.1.1.9": ANY}
    member = Member(net.host, "eth0")
    for group in ("239.1.1.1", "ff1e::1:1"):
        member.join(group)
    member.join_source("232.1.1.1", "10.0.0.2")
    client.join("eth0", "239.1.1.9", name="own")
    net.expect(wanted)
    for _ in range(2):
        net.host.ip("link", "set", "eth0", "down")
        net.expect({})
        net.host.ip("link", "set", "eth0", "up")
        net.expect(wanted)
    with nothing_is_held_back(agent):
        net.expect(wanted)
    member.close()
    client.leave("eth0", "239.1.1.9", name="own")
    net.expect({})


def test_addresses_that_come_and_go(net: HostLab, agent: RunningAgent, member: Member) -> None:
    member.join("239.1.1.1")
    member.join("ff1e::1:1")
    wanted = {"239.1.1.1": ANY, "ff1e::1:1": ANY}
    net.expect(wanted)
    with nothing_is_held_back(agent):
        net.host.ip("address", "add", "198.51.100.77/24", "dev", "eth0")
        net.host.ip("address", "del", "192.0.2.10/24", "dev", "eth0")
        net.host.ip("route", "replace", "239.0.0.0/8", "dev", "eth0")
        reported_from(net, "198.51.100.77")
        net.host.ip("address", "flush", "dev", "eth0", "scope", "global")
        reported_from(net, "0.0.0.0")
        net.host.ip("address", "add", "192.0.2.10/24", "dev", "eth0")
        net.expect(wanted)


def reported_from(net: HostLab, address: str) -> None:
    since = time.monotonic()

    def heard() -> bool:
        return any(each.source == address for each in net.sniffer.spoken(since, "igmp"))

    eventually(f"a report from {address}", heard)


@pytest.mark.parametrize("mtu", [1280, 9000, 1500])
def test_another_mtu(net: HostLab, agent: RunningAgent, client: Client, mtu: int) -> None:
    sources = [f"10.0.{i // 250}.{i % 250 + 1}" for i in range(2500)]
    net.switch.ip("link", "set", net.port, "mtu", str(mtu))
    net.host.ip("link", "set", "eth0", "mtu", str(mtu))
    since = net.sniffer.seen()[-1].at
    with nothing_is_held_back(agent):
        client.join("eth0", "232.1.1.1", sources=sources, name="long")
        told = eventually("all sources", lambda: told_of(net, "232.1.1.1", "ALLOW", 2500, since))
        assert told == set(sources)
        longest = max(len(each.frame) for each in net.sniffer.spoken(since, "igmp"))
        assert mtu + 14 - 8 <= longest <= mtu + 14
        client.leave("eth0", "232.1.1.1", name="long")
        net.expect({})


def test_applications_see_no_error(net: HostLab, member: Member) -> None:
    member.join("239.1.1.1")
    net.expect({"239.1.1.1": ANY})
    with net.host.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
