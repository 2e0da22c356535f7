"""What the kernel tells again, or had yet to repeat, is told under a cap too: by the agent.

Nothing about the groups is new then. The querier is silent, so that nothing heals by an answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial

import pytest
from mcastd.client import Client
from mcastd_lab import Lab, LabError, Member, Namespace, RunningAgent, veth
from support.host_lab import HOST_ADDRESS, HostLab, eventually, family, host_lab
from support.lab import link_local
from support.sniffer import Sniffer

pytestmark = pytest.mark.lab

GROUPS = ("239.8.8.1", "239.8.8.2", "ff1e::8:1", "ff1e::8:2")
CAPS = {"igmp": 2, "mld": 1}


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        made.switch.ip("link", "set", "br0", "type", "bridge", "mcast_querier", "0")
        yield made


def capped(lab: Lab, host: Namespace, name: str = "eth0") -> RunningAgent:
    """An agent that speaks for the kernel in both families."""
    settings = lab.directory / "capped.toml"
    settings.write_text(
        f'[interface.{name}]\nmode = "host"\nigmp_max_version = 2\nmld_max_version = 1\n'
        "uri_old = 1\n"
    )
    agent = lab.agent(host, "-c", settings, "--metrics", "")
    speaks(agent)
    return agent


def speaks(agent: RunningAgent) -> None:
    for protocol in CAPS:
        eventually("the agent speaks", partial(is_speaking, agent, protocol))


def is_speaking(agent: RunningAgent, protocol: str) -> bool:
    return bool(family(agent, protocol)["speaks_for_kernel"])


def joined(member: Member, sniffer: Sniffer) -> None:
    """And told, and no more repeated."""
    for group in GROUPS:
        member.join(group)
    told_again(sniffer, 0.0)
    quiet(sniffer)


def quiet(sniffer: Sniffer) -> None:
    """Until nothing has been said for longer than a report waits to be repeated."""

    def is_quiet() -> bool:
        spoken = sniffer.spoken()
        return bool(spoken) and time.monotonic() - spoken[-1].at > 2.5

    eventually("nothing more is said", is_quiet)


def told_again(sniffer: Sniffer, since: float) -> None:
    """Every group, in the capped version."""

    def lacking() -> set[str]:
        told = {e.group for e in sniffer.spoken(since) if e.what in ("report1", "report2")}
        return set(GROUPS) - told

    eventually("all groups told", lambda: not lacking())


def test_a_link_that_was_down(net: HostLab) -> None:
    agent = capped(net.lab, net.host)
    joined(net.member(), net.sniffer)
    net.host.ip("link", "set", "eth0", "down")
    since = time.monotonic()
    net.host.ip("link", "set", "eth0", "up")
    told_again(net.sniffer, since)
    assert agent.ask("status")["interfaces"][0]["mode"] == "host"


def test_a_carrier_that_was_lost(net: HostLab) -> None:
    """The cable was pulled and put in again, perhaps elsewhere: the kernel itself says nothing."""
    agent = capped(net.lab, net.host)
    joined(net.member(), net.sniffer)
    net.switch.ip("link", "set", net.port, "down")
    eventually("no carrier", lambda: not agent.ask("status")["interfaces"][0]["running"])
    since = time.monotonic()
    net.switch.ip("link", "set", net.port, "up")
    told_again(net.sniffer, since)


def test_an_address_whose_detection_of_duplicates_ends(net: HostLab) -> None:
    """Until then MLD has no address to speak from (RFC 3590); what was joined is told after it."""
    capped(net.lab, net.host)
    member = net.member()
    joined(member, net.sniffer)
    net.host.ip("-6", "address", "flush", "dev", "eth0")
    member.join("ff1e::8:3")
    since = time.monotonic()
    net.host.ip("-6", "address", "add", "fe80::8888/64", "dev", "eth0")
    for group in ("ff1e::8:1", "ff1e::8:2", "ff1e::8:3"):
        eventually(f"{group} is told from there", partial(told_from, net, group, since))
    assert link_local(net.host, "eth0") == "fe80::8888"


def told_from(net: HostLab, group: str, since: float) -> bool:
    return any(
        each.group == group and each.source == "fe80::8888" and each.what == "report1"
        for each in net.sniffer.spoken(since, "mld")
    )


def test_a_bond_that_fails_over() -> None:
    """Nobody behind the new port has heard of the groups."""
    with Lab() as lab:
        far, host = lab.namespace("far"), lab.namespace("host")
        try:
            host.ip("link", "add", "bond0", "type", "bond", "mode", "active-backup", "miimon", "50")
        except LabError:
            pytest.skip("this kernel has no bonding")
        sniffers = []
        for number in (0, 1):
            veth(far, f"far{number}", host, f"eth{number}")
            sniffers.append(lab.keep(Sniffer(far, f"far{number}")))
            host.ip("link", "set", f"eth{number}", "down")
            host.ip("link", "set", f"eth{number}", "master", "bond0")
        host.ip("link", "set", "bond0", "type", "bond", "active_slave", "eth0")
        host.ip("address", "add", f"{HOST_ADDRESS}/24", "dev", "bond0")
        host.ip("link", "set", "bond0", "up")
        eventually("it runs", lambda: "LOWER_UP" in host.ip("link", "show", "bond0"))
        capped(lab, host, "bond0")
        joined(lab.keep(Member(host, "bond0")), sniffers[0])
        since = time.monotonic()
        host.ip("link", "set", "bond0", "type", "bond", "active_slave", "eth1")
        told_again(sniffers[1], since)


@pytest.mark.parametrize("capping", [False, True])
def test_the_repeats_of_a_join_outlast_a_take_over(net: HostLab, *, capping: bool) -> None:
    """By whomever they are sent: a join is told twice, whatever comes between (RFC 9776 §8.1)."""
    agent = net.agent(mode="observe")
    member = net.member()
    with Client(str(agent.control)) as client:
        for number in range(8):
            group = f"239.8.9.{number + 1}"
            client.call("mode", name="eth0", mode="observe")
            member.join(group)
            eventually("a report", partial(is_said, net, group))
            client.call("mode", name="eth0", mode="host")
            if capping:
                client.call("version", name="eth0", protocol="igmp", version=2)
                eventually("the agent speaks", partial(is_speaking, agent, "igmp"))
            eventually(f"{group} is told again", lambda g=group: times(net, g) >= 2)  # type: ignore[misc]
            client.call("version", name="eth0", protocol="igmp", version=3)


def is_said(net: HostLab, group: str) -> bool:
    return times(net, group) > 0


def times(net: HostLab, group: str) -> int:
    """Messages in which a group was told as joined."""
    return sum(
        (each.what == "report2" and each.group == group)
        or any(type_ in ("TO_EX", "IS_EX") and about == group for type_, about, _ in each.records)
        for each in net.sniffer.spoken(protocol="igmp")
    )


def test_a_group_for_an_address_is_nobodys_source(net: HostLab) -> None:
    """`autojoin`: it may stand first among the interface's addresses; the kernel speaks from it."""
    net.host.ip("address", "flush", "dev", "eth0", "scope", "global")
    net.host.ip("address", "add", "239.8.7.1/32", "dev", "eth0", "autojoin")
    net.host.ip("address", "add", f"{HOST_ADDRESS}/24", "dev", "eth0")
    (first, *_) = json.loads(net.host.ip("-4", "-json", "address", "show", "eth0"))[0]["addr_info"]
    assert first["local"] == "239.8.7.1"
    capped(net.lab, net.host)
    since = time.monotonic()
    net.member().join("239.8.7.2")
    eventually("it is told", lambda: is_said(net, "239.8.7.2"))
    spoken = net.sniffer.spoken(since, "igmp")
    assert {each.what for each in spoken} == {"report2"}
    assert {each.source for each in spoken} == {HOST_ADDRESS}
