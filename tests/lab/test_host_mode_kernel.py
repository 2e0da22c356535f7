"""Host mode without a cap: the kernel speaks for its sockets, and nothing of it is held back.

Each test names one kind of harm that an agent could do which guesses what the kernel wants.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator
from functools import partial

import pytest
from mcastd.client import AgentError, Client
from mcastd_lab import Member, RunningAgent, Wire
from support.host_lab import (
    ANY,
    HOST_ADDRESS,
    Filter,
    HostLab,
    but,
    counters,
    cycle,
    eventually,
    host_lab,
    nothing_is_held_back,
    only,
    sent,
)
from support.queries import igmp_query

pytestmark = pytest.mark.lab

TAKES_AWAY = ("TO_IN", "BLOCK")


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


def mode(agent: RunningAgent, wanted: str) -> None:
    with Client(str(agent.control)) as client:
        client.call("mode", name="eth0", mode=wanted)


def taken_away(net: HostLab, since: float) -> list[tuple[str, str]]:
    """Records on the wire that take something away, but for groups of the system."""
    return [
        (type_, group)
        for each in net.sniffer.spoken(since)
        for type_, group, sources in each.records
        if type_ in TAKES_AWAY or (type_ == "TO_EX" and sources)
    ]


def shown(agent: RunningAgent) -> dict[str, Filter]:
    return {
        each["group"]: (each["mode"], frozenset(each["sources"]))
        for each in agent.ask("groups", name="eth0")
    }


def two_sources(index: int) -> tuple[str, str]:
    return f"10.0.{index}.1", f"10.0.{index}.2"


@pytest.fixture
def many(net: HostLab) -> dict[str, Filter]:
    """More groups, of two sources each, than fit one report of either family."""
    members = [net.member() for _ in range(8)]
    wanted: dict[str, Filter] = {}
    for index in range(1, 121):
        group, sources = f"232.1.{index}.1", two_sources(index)
        wanted[group] = only(*sources)
        for source in sources:
            members[index % 8].join_source(group, source)
    for index in range(1, 61):
        group, source = f"ff3e::1:{index:x}", f"2001:db8::{index:x}"
        wanted[group] = only(source, "2001:db8:1::1")
        for each in (source, "2001:db8:1::1"):
            members[index % 8].join_source(group, each)
    net.expect(wanted)
    return wanted


def test_reports_that_are_split_anywhere_are_nothing_to_learn_from(
    net: HostLab, many: dict[str, Filter]
) -> None:
    """Nor is a take-over or a hand-back a reason to say or to ask anything."""
    agent = net.agent(mode="observe")
    since = time.monotonic()
    for each in ("host", "observe", "host"):
        mode(agent, each)
        with nothing_is_held_back(agent):
            cycle(net)
        assert net.lacking(many) == {}
    assert taken_away(net, since) == []
    assert {group: shown(agent)[group] for group in many} == many
    assert sent(agent) == 0
    agent.kill()
    cycle(net)
    assert net.lacking(many) == {}
    assert taken_away(net, since) == []


def test_answers_about_some_sources_are_no_filters(net: HostLab) -> None:
    """Whoever asks: a querier twice in a row, and one who must not be believed."""
    member = net.member()
    sources = [f"10.0.0.{i}" for i in range(1, 6)]
    for each in sources:
        member.join_source("232.1.1.1", each)
    net.expect({"232.1.1.1": only(*sources)})
    stray = net.lab.keep(Wire(net.neighbour("stray", "192.0.2.66"), "eth0"))
    agent = net.agent()
    since = time.monotonic()
    for asked in (sources[:1], sources[1:3], sources[3:]):
        stray.send(igmp_query(3, "192.0.2.66", group="232.1.1.1", sources=asked))
    asked = sources[:2]
    stray.send(
        igmp_query(3, "192.0.2.66", group="232.1.1.1", sources=asked, ttl=61, to=HOST_ADDRESS)
    )
    cycle(net)
    assert shown(agent)["232.1.1.1"] == only(*sources)
    assert net.lacking({"232.1.1.1": only(*sources)}) == {}
    assert taken_away(net, since) == []


def test_what_guests_behind_the_interface_say_is_not_this_kernels(net: HostLab) -> None:
    """A macvlan guest and a packet socket: neither is held back, under a cap either."""
    guest = net.lab.namespace("guest")
    net.host.ip(
        "link", "add", "mv0", "link", "eth0", "netns", guest.name, "type", "macvlan",
        "mode", "bridge",
    )  # fmt: skip
    guest.ip("address", "add", "192.0.2.30/24", "dev", "mv0")
    guest.ip("link", "set", "mv0", "up")
    agent = net.agent()
    inside = net.lab.keep(Member(guest, "mv0"))
    inside.join("239.5.5.5")
    inside.join("ff1e::5:5")
    wanted = {"239.5.5.5": ANY, "ff1e::5:5": ANY}
    net.expect(wanted)
    passing = agent.ask("counters", name="eth0")[0]["host_mode"]["passing_reports"]
    assert passing["igmp"] > 0
    assert passing["mld"] > 0
    assert "239.5.5.5" not in shown(agent)
    with Client(str(agent.control)) as client:
        client.call("version", name="eth0", protocol="igmp", version=2)
        client.call("version", name="eth0", protocol="mld", version=1)
    since = time.monotonic()
    cycle(net, 3)
    assert net.lacking(wanted) == {}
    assert {t for t, _ in net.sniffer.records("239.5.5.5", since)} <= {"IS_EX", "TO_EX"}
    assert {t for t, _ in net.sniffer.records("ff1e::5:5", since)} <= {"IS_EX", "TO_EX"}
    packet = net.lab.keep(Wire(net.host, "eth0"))
    packet.send(report_of(net, "239.5.5.6"))
    eventually("it is on the wire", lambda: net.sniffer.records("239.5.5.6"))
    inside.leave("239.5.5.5")
    inside.leave("ff1e::5:5")
    eventually("both left", lambda: not set(wanted) & net.held().keys())


def report_of(net: HostLab, group: str) -> bytes:
    """A whole frame as this kernel would send it, from its hardware address and its address."""
    (link,) = json.loads(net.host.ip("-json", "link", "show", "eth0"))
    hardware = bytes.fromhex(link["address"].replace(":", ""))
    message = bytearray(
        struct.pack("!BBHHHBBH4s", 0x22, 0, 0, 0, 1, 4, 0, 0, socket.inet_aton(group))
    )
    message[2:4] = checksum(message)
    header = bytearray(
        struct.pack(
            "!BBHHHBBH4s4s4s", 0x46, 0xC0, 24 + len(message), 0, 0x4000, 1, 2, 0,
            socket.inet_aton(HOST_ADDRESS), socket.inet_aton("224.0.0.22"), b"\x94\x04\0\0",
        )
    )  # fmt: skip
    header[10:12] = checksum(header)
    return b"\x01\x00\x5e\x00\x00\x16" + hardware + b"\x08\x00" + header + message


def checksum(data: bytes | bytearray) -> bytes:
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (total ^ 0xFFFF).to_bytes(2, "big")


def test_filters_are_exact_whatever_the_interface_is_called(net: HostLab) -> None:
    """And beside groups without sources, and after the kernel has fallen back."""
    net.host.ip("link", "set", "eth0", "down")
    net.host.ip("link", "set", "eth0", "name", "enp129s0f0np1")
    net.host.ip("link", "set", "enp129s0f0np1", "up")
    member = net.lab.keep(Member(net.host, "enp129s0f0np1"))
    other = net.lab.keep(Member(net.host, "enp129s0f0np1"))
    stray = net.lab.keep(Wire(net.neighbour("stray", "192.0.2.66"), "eth0"))
    member.join_source("232.1.1.1", "10.0.0.2")
    member.join("239.1.1.1")
    other.join("239.1.1.2")
    other.not_from("239.1.1.2", ["10.0.0.9"])
    wanted = {"232.1.1.1": only("10.0.0.2"), "239.1.1.1": ANY, "239.1.1.2": but("10.0.0.9")}
    net.expect(wanted)
    stray.send(igmp_query(2, "192.0.2.66"))
    since = time.monotonic()
    agent = net.lab.agent(net.host, "-i", "enp129s0f0np1", "--mode", "host", "--metrics", "")

    def known() -> dict[str, Filter]:
        found = agent.ask("groups", name="enp129s0f0np1")
        return {g["group"]: (g["mode"], frozenset(g["sources"])) for g in found}

    eventually("the filters", lambda: {g: known().get(g) for g in wanted} == wanted)
    other.join_source("232.1.1.1", "10.0.0.3")
    eventually("a change", lambda: known()["232.1.1.1"] == only("10.0.0.2", "10.0.0.3"))
    assert [each for each in taken_away(net, since) if each[0] == "TO_IN"] == []


def test_two_agents_never_speak_for_one_interface(net: HostLab) -> None:
    first = net.agent()
    second = net.agent()
    (refused,) = second.ask("status")["interfaces"]
    assert refused["mode"] == "observe"
    assert f"in host mode by another agent (process {first.process.pid})" in refused["problem"]
    assert "\n" not in refused["problem"]
    member = net.member()
    member.join("239.1.1.1")
    net.expect({"239.1.1.1": ANY})
    first.kill()
    mode(second, "host")
    assert second.ask("status")["interfaces"][0]["mode"] == "host"
    with nothing_is_held_back(second):
        cycle(net)
    net.expect({"239.1.1.1": ANY})


def test_a_stray_any_source_join_hides_no_source_specific_one(net: HostLab) -> None:
    member, stray = net.member(), net.member()
    member.join_source("232.1.1.1", "10.0.0.2")
    member.join_source("ff3e::1:1", "2001:db8::2")
    agent = net.agent()
    stray.join("232.1.1.1")
    stray.join("ff3e::1:1")
    for group, source in (("232.1.1.1", "10.0.0.2"), ("ff3e::1:1", "2001:db8::2")):
        eventually("both sockets", partial(has_processes, agent, group, 2))
        assert shown(agent)[group] == only(source)
    found = "\n".join(each["text"] for each in agent.ask("doctor", name="eth0"))
    assert "232.1.1.1 is source-specific" in found
    assert "ff3e::1:1 is source-specific" in found


def has_processes(agent: RunningAgent, group: str, count: int) -> bool:
    (found,) = agent.ask("groups", name="eth0", group=group)
    return len(found["applications"][0]["processes"]) == count


def test_both_hold_a_group_and_neither_takes_it_from_the_other(net: HostLab) -> None:
    """What the kernel says of a group that the agent holds is followed by its own filter."""
    agent, member = net.agent(), net.member()
    with Client(str(agent.control)) as client:
        client.join("eth0", "232.1.1.1", sources=["10.0.0.2", "10.0.0.3"], name="own")
        client.join("eth0", "ff1e::1:1", name="own")
        member.join_source("232.1.1.1", "10.0.0.3")
        member.join_source("232.1.1.1", "10.0.0.4")
        member.join("ff1e::1:1")
        net.expect({"232.1.1.1": only("10.0.0.2", "10.0.0.3", "10.0.0.4"), "ff1e::1:1": ANY})
        since = time.monotonic()
        member.leave("232.1.1.1")
        member.leave("ff1e::1:1")
        eventually("the kernel's", lambda: harmful(net, since, "232.1.1.1", {"10.0.0.3"}) or None)
        eventually("ours", lambda: told(net, "232.1.1.1", "IS_IN", since) or None)
        followed_by_our_own(net, since, "232.1.1.1", {"10.0.0.2", "10.0.0.3"})
        net.expect({"232.1.1.1": only("10.0.0.2", "10.0.0.3"), "ff1e::1:1": ANY})
        member.join_source("232.1.1.1", "10.0.0.3")
        cycle(net)
        since = time.monotonic()
        client.leave("eth0", "232.1.1.1", name="own")
        eventually("its end", lambda: told(net, "232.1.1.1", "BLOCK", since) or None)
        assert told(net, "232.1.1.1", "BLOCK", since) == {"10.0.0.2"}
        client.leave("eth0", "ff1e::1:1", name="own")
        net.expect({"232.1.1.1": only("10.0.0.3")})
        assert counters(agent) == (0, 0)


def told(net: HostLab, group: str, type_: str, since: float) -> set[str]:
    return {s for t, sources in net.sniffer.records(group, since) if t == type_ for s in sources}


def harmful(net: HostLab, since: float, group: str, wanted: set[str]) -> list[float]:
    """When something was said that takes away what is wanted of the group."""
    return [
        each.at
        for each in net.sniffer.spoken(since)
        for type_, about, sources in each.records
        if about == group
        and ((type_ == "BLOCK" and sources & wanted) or (type_ == "TO_IN" and wanted - sources))
    ]


def followed_by_our_own(net: HostLab, since: float, group: str, wanted: set[str]) -> None:
    """After each record that takes away something wanted comes one that adds it, soon."""
    adding = [
        each.at
        for each in net.sniffer.spoken(since)
        for type_, about, sources in each.records
        if about == group and type_ in ("IS_IN", "ALLOW") and sources >= wanted
    ]
    for at in harmful(net, since, group, wanted):
        assert any(at <= later <= at + 0.1 for later in adding)


@pytest.mark.parametrize(
    ("group", "source"), [("232.4.4.4", "10.4.{}.{}"), ("ff3e::4:4", "2001:db8:1{}::{}")]
)
def test_a_membership_of_sockets_is_the_kernels_own(net: HostLab, group: str, source: str) -> None:
    """Its list may be of any length; the kernel is the one voice, and the agent says nothing."""
    agent, member = net.agent(), net.member()
    net.host.sysctl({"ipv4.igmp_max_msf": 10})
    sources = [source.format(i // 200, i % 200 + 1) for i in range(25)]
    with Client(str(agent.control)) as client, nothing_is_held_back(agent):
        client.join("eth0", group, sources=sources, name="own", kernel=True)
        net.expect({group: only(*sources)})
        eventually("it is shown", lambda: shown(agent).get(group) == only(*sources))
        member.join_source(group, sources[0])
        client.join("eth0", group, sources=sources[1:], name="own", kernel=True)
        net.expect({group: only(*sources)})
        assert sent(agent) == 0
        client.leave("eth0", group, name="own")
        net.expect({group: only(sources[0])})
        many = [source.format(i // 200, i % 200 + 1) for i in range(300)]
        other = "ff1e::4:4" if ":" in group else "239.4.4.4"
        with pytest.raises(AgentError, match="cannot be excluded by one socket"):
            client.join("eth0", other, sources=many, exclude=True, kernel=True)
