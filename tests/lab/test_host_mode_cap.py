"""Host mode under a cap: the agent speaks for the kernel's groups, in the older version, alone."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest
from mcastd.client import Client
from mcastd.fastpath.kernel import AttachType, Program
from mcastd.fastpath.objects import ProgramSpec
from mcastd_lab import RunningAgent, Wire
from support.host_lab import (
    ANY,
    Filter,
    HostLab,
    counters,
    cycle,
    eventually,
    family,
    host_lab,
    only,
    only_the_agent_speaks,
)
from support.lab import XDP_PASS, Attached, returning
from support.queries import igmp_frame, igmp_query, mld_query

pytestmark = pytest.mark.lab

CAPS = {"igmp": 2, "mld": 1}
GROUPS = {"igmp": ("239.1.1.1", "232.1.1.1"), "mld": ("ff1e::1:1", "ff3e::1:1")}
SOURCE = {"igmp": "10.0.0.2", "mld": "2001:db8::2"}


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


def cap(agent: RunningAgent, **versions: int) -> None:
    with Client(str(agent.control)) as client:
        for protocol, version in versions.items():
            client.call("version", name="eth0", protocol=protocol, version=version)


def capped(net: HostLab) -> RunningAgent:
    settings = net.lab.directory / "capped.toml"
    settings.write_text(
        '[interface.eth0]\nmode = "host"\nigmp_max_version = 2\nmld_max_version = 1\n'
    )
    agent = net.agent("-c", settings, mode="")
    speaks_for_kernel(agent, wanted=True)
    return agent


def speaks_for_kernel(agent: RunningAgent, *, wanted: bool) -> None:
    for protocol in CAPS:
        eventually(
            f"{protocol}: it is settled who speaks",
            lambda protocol=protocol: family(agent, protocol)["speaks_for_kernel"] is wanted,  # type: ignore[misc]
        )


@pytest.mark.parametrize("protocol", CAPS)
def test_what_sockets_join_and_leave_is_said_in_the_capped_version(
    net: HostLab, protocol: str
) -> None:
    agent, member = capped(net), net.member()
    group, specific = GROUPS[protocol]
    held = counters(agent)[0]
    since = time.monotonic()
    with only_the_agent_speaks(net, agent):
        member.join(group)
        member.join_source(specific, SOURCE[protocol])
        net.expect({group: ANY, specific: ANY})
        member.leave(group)
        net.expect({specific: ANY})
        cycle(net)
        net.expect({specific: ANY})
        member.leave_source(specific, SOURCE[protocol])
        net.expect({})
    assert counters(agent)[0] > held
    spoken = {each.what for each in net.sniffer.spoken(since, protocol)}
    assert spoken == {f"report{CAPS[protocol]}", "leave"}


def test_what_was_joined_before_the_cap_is_kept(net: HostLab) -> None:
    """The cap, a lapse, and the end of the cap leave no gap; filters are as before."""
    member = net.member()
    member.join("239.1.1.1")
    member.join_source("232.1.1.1", "10.0.0.2")
    member.join("ff1e::1:1")
    member.join_source("ff3e::1:1", "2001:db8::2")
    exact: dict[str, Filter] = {
        "239.1.1.1": ANY,
        "232.1.1.1": only("10.0.0.2"),
        "ff1e::1:1": ANY,
        "ff3e::1:1": only("2001:db8::2"),
    }
    net.expect(exact)
    agent = net.agent()
    cap(agent, **CAPS)
    speaks_for_kernel(agent, wanted=True)
    since = time.monotonic()
    with only_the_agent_speaks(net, agent):
        cycle(net)
    net.expect(dict.fromkeys(exact, ANY))
    assert {each.what for each in net.sniffer.spoken(since)} <= {"report1", "report2"}
    held = counters(agent)[0]
    cap(agent, igmp=3, mld=2)
    speaks_for_kernel(agent, wanted=False)
    net.expect(exact)
    cycle(net)
    assert counters(agent)[0] == held
    assert net.kernel_version() == "V3"


@pytest.mark.parametrize("hook", ["native", "tcx"])
def test_the_question_to_the_kernel_is_nobodys_event(net: HostLab, hook: str) -> None:
    """Wherever the hook is: no querier appears, and what the kernel has learned stays as it was."""
    if hook == "tcx":
        net.lab.keep(Attached(net.host, "eth0", returning(XDP_PASS, "xdp"), AttachType.XDP, 1 << 2))
    agent, member = net.agent(), net.member()
    member.join("239.1.1.1")
    member.join("ff1e::1:1")
    net.expect({"239.1.1.1": ANY, "ff1e::1:1": ANY})
    cycle(net)
    queriers = addresses(agent)
    asked = agent.ask("counters", name="eth0")[0]["messages"]["rx"]
    cap(agent, **CAPS)
    speaks_for_kernel(agent, wanted=True)
    cap(agent, igmp=3, mld=2)
    speaks_for_kernel(agent, wanted=False)
    cycle(net)
    assert addresses(agent) == queriers
    seen = agent.ask("counters", name="eth0")[0]["messages"]["rx"]
    came = sum(1 for each in net.sniffer.queries() if each.protocol == "igmp")
    assert seen["igmp query 3"] - asked["igmp query 3"] <= came
    net.expect({"239.1.1.1": ANY, "ff1e::1:1": ANY})


def addresses(agent: RunningAgent) -> set[str]:
    return {querier["address"] for each in agent.ask("querier") for querier in each["queriers"]}


def test_the_kernel_keeps_the_robustness_that_it_has_learned(net: HostLab) -> None:
    """A join is told as often after a cap as before it."""
    stray = net.lab.keep(Wire(net.neighbour("stray", "192.0.2.66"), "eth0"))
    net.bridge.namespace.ip("link", "set", "br0", "type", "bridge", "mcast_querier", "0")
    agent = net.agent()
    stray.send(query_with_robustness(5))
    eventually("a querier", lambda: family(agent)["querier"] == "192.0.2.66")
    assert times_told(net, "239.7.7.1") == 5
    cap(agent, igmp=2)
    eventually("the cap", lambda: family(agent)["speaks_for_kernel"])
    cap(agent, igmp=3)
    eventually("its end", lambda: not family(agent)["speaks_for_kernel"])
    assert times_told(net, "239.7.7.2") == 5


def query_with_robustness(robustness: int) -> bytes:
    message = bytes((0x11, 10, 0, 0, 0, 0, 0, 0, robustness, 125, 0, 0))
    return igmp_frame("192.0.2.66", "224.0.0.1", message)


def times_told(net: HostLab, group: str) -> int:
    """How often a join was told: it is repeated within seconds, and then no more."""
    net.member().join(group)
    eventually("a report", lambda: net.sniffer.records(group))
    quiet = time.monotonic()
    told = 0
    while time.monotonic() - quiet < 2.0:
        count = sum(type_ == "TO_EX" for type_, _ in net.sniffer.records(group))
        if count != told:
            told, quiet = count, time.monotonic()
        time.sleep(0.05)
    return told


def test_older_queries_are_kept_from_a_capped_kernel(net: HostLab) -> None:
    stray = net.lab.keep(Wire(net.neighbour("stray", "192.0.2.66"), "eth0"))
    agent, member = capped(net), net.member()
    member.join("239.1.1.1")
    member.join("ff1e::1:1")
    stray.send(igmp_query(1, "192.0.2.66"))
    stray.send(igmp_query(2, "192.0.2.66"))
    stray.send(mld_query(1, "fe80::ffff:ffff:ffff:ffff"))
    eventually("they are consumed", lambda: counters(agent)[1] == 3)
    assert net.kernel_version() == "V3"
    net.expect({"239.1.1.1": ANY, "ff1e::1:1": ANY})
    agent.close()
    cycle(net)
    net.expect({"239.1.1.1": ANY, "ff1e::1:1": ANY})


def test_another_hosts_report_suppresses_ours_and_no_needless_leave_is_sent(net: HostLab) -> None:
    """RFC 2236 §3: whoever reported last leaves. Also between a join and its repeats."""
    net.bridge.namespace.ip("link", "set", "br0", "type", "bridge", "mcast_querier", "0")
    net.bridge.namespace.ip("link", "set", "br0", "type", "bridge", "mcast_snooping", "0")
    other = net.lab.keep(Wire(net.neighbour("other", "192.0.2.20"), "eth0"))
    agent, member = capped(net), net.member()
    for group in ("239.1.1.1", "239.1.1.2", "239.1.1.3"):
        member.join(group)
        eventually("a report", lambda group=group: said(net, group) or None)  # type: ignore[misc]
        suppressed = ours_heard(agent)
        other.send(report_2("192.0.2.20", group))
        eventually("it is heard", lambda: ours_heard(agent) > suppressed)  # noqa: B023
    time.sleep(1.5)  # the kernel's own repeats are held back, and order nothing more
    for group in ("239.1.1.1", "239.1.1.2", "239.1.1.3"):
        member.leave(group)
        eventually(
            "it is left",
            lambda group=group: not agent.ask("groups", name="eth0", group=group),  # type: ignore[misc]
        )
        assert [each for each in said(net, group) if each != "report2"] == []


def ours_heard(agent: RunningAgent) -> int:
    found = agent.ask("counters", name="eth0")[0]["statistics"]["igmp"]
    return int(found["igps_rcv_ourreports"])


def said(net: HostLab, group: str) -> list[str]:
    return [each.what for each in net.sniffer.spoken() if each.group == group]


def report_2(source: str, group: str) -> bytes:
    message = bytes((0x16, 0, 0, 0)) + socket.inet_aton(group)
    return igmp_frame(source, group, message)


def test_link_local_groups_that_the_kernel_never_tells_are_not_told(net: HostLab) -> None:
    net.host.sysctl({"ipv4.igmp_link_local_mcast_reports": 0})
    agent, member = capped(net), net.member()
    since = time.monotonic()
    member.join("224.0.0.251")
    member.join("239.1.1.1")
    net.expect({"239.1.1.1": ANY})
    cycle(net)
    assert {each.group for each in net.sniffer.spoken(since, "igmp")} == {"239.1.1.1"}
    assert agent.ask("groups", name="eth0", group="224.0.0.251")


JOINS = int(os.environ.get("MCASTD_LAB_JOINS", "2000"))
"""In one go; 30,000 take minutes."""


@pytest.mark.parametrize("by", ["sockets", "the agent"])
def test_thousands_of_joins_at_once_lose_none(net: HostLab, by: str) -> None:
    """Orders are not made faster than the link takes them: under a cap, and an older querier."""
    net.bridge.namespace.ip("link", "set", "br0", "type", "bridge", "mcast_querier", "0")
    groups = [f"239.{9 + i // 62500}.{i // 250 % 250}.{i % 250 + 1}" for i in range(JOINS)]
    net.host.sysctl({"ipv4.igmp_max_memberships": 5000})
    if by == "sockets":
        agent = capped(net)
        members = [net.member() for _ in range(1 + JOINS // 2000)]
        for index, group in enumerate(groups):
            members[index % len(members)].join(group)
    else:
        agent = net.agent()
        stray = net.lab.keep(Wire(net.neighbour("stray", "192.0.2.66"), "eth0"))
        stray.send(igmp_query(2, "192.0.2.66"))
        eventually("it is believed", lambda: family(agent)["version"] == 2)
        with Client(str(agent.control)) as client:
            for group in groups:
                client.join("eth0", group, name="own")
    wanted = set(groups)

    def all_are_reported() -> bool:
        news = (each for each in net.sniffer.news() if each.from_host and each.protocol == "igmp")
        wanted.difference_update(each.group for each in news)
        return not wanted

    eventually("all reported", all_are_reported, 60.0 + JOINS / 100)
    assert agent.ask("status")["interfaces"][0]["igmp"]["groups"] >= JOINS
    assert agent.ask("counters", name="eth0")[0]["statistics"]["igmp"]["igps_snd_errors"] == 0


ONLY_OF_CONTROL = bytes.fromhex(
    "6110200000000000"  # r0 = skb->priority
    "5500020007000000"  # if r0 != TC_PRIO_CONTROL goto +2
    "b7000000ffffffff"  # r0 = TCX_NEXT
    "9500000000000000"
    "b700000002000000"  # r0 = TCX_DROP
    "9500000000000000"
)


def test_the_agents_messages_have_the_kernels_priority(net: HostLab) -> None:
    """On a link that is full of the host's streams they do not wait behind these."""
    agent = net.agent()
    program = Program(ProgramSpec("only_control", "tc", ONLY_OF_CONTROL, ()), {})
    net.lab.keep(Attached(net.host, "eth0", program, AttachType.TCX_EGRESS))
    with Client(str(agent.control)) as client:
        client.join("eth0", "239.1.1.1", name="own")
    eventually("a report", lambda: net.sniffer.records("239.1.1.1") or None)
