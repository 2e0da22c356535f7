"""Interfaces come, go, change their names, and are not always what an agent can use."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from mcastd.fastpath.attach import XDP_FLAGS_SKB_MODE as SKB_MODE
from mcastd.fastpath.kernel import AttachType
from mcastd_lab import Lab, LabError, Member, Namespace, RunningAgent, Wire
from support.flood import igmp_frames
from support.lab import (
    ATTACHED,
    TCX_NEXT,
    XDP_PASS,
    Attached,
    Cable,
    Filter,
    expect_filter,
    filter_of,
    interface,
    mcastctl,
    programs_on,
    received,
    returning,
)
from support.waiting import eventually, first

pytestmark = pytest.mark.lab

QUERY = next(each for each in igmp_frames(bytes(4)) if each.counts_as == "igmp query 3").frame


def plug(host: Namespace, outside: Namespace, name: str) -> None:
    """A new interface, whose other end is `far-NAME`."""
    peer = ("peer", "name", f"far-{name}", "netns", outside.name)
    host.ip("link", "add", name, "type", "veth", *peer)
    host.ip("link", "set", name, "up")
    outside.ip("link", "set", f"far-{name}", "up")


def hook(agent: RunningAgent, name: str) -> str | None:
    found = interface(agent, name)
    return found.get("hook")


def counts_a_query(cable: Cable, far: str, name: str) -> None:
    wire = Wire(cable.outside, far)
    before = received(cable.agent, name).get("igmp query 3", 0)
    wire.send(QUERY)
    wire.close()
    eventually(lambda: received(cable.agent, name).get("igmp query 3", 0) == before + 1)


def test_an_interface_that_appears_is_attached(cable: Cable) -> None:
    cable.observe("-i", "new0")
    assert cable.agent.ask("status")["missing"] == ["new0"]

    plug(cable.host, cable.outside, "new0")

    eventually(lambda: hook(cable.agent, "new0") == "xdp-native")
    assert cable.agent.ask("status")["missing"] == []
    counts_a_query(cable, "far-new0", "new0")


def test_interfaces_that_fit_a_pattern_are_attached_when_they_appear(cable: Cable) -> None:
    cable.observe("-i", "new*")

    for name in ("new0", "new1", "other0"):
        plug(cable.host, cable.outside, name)

    eventually(lambda: hook(cable.agent, "new0") == hook(cable.agent, "new1") == "xdp-native")
    assert interface(cable.agent, "other0") == {}
    assert programs_on(cable.host, "other0") == {}


def test_a_removed_interface_is_said_to_be_gone_and_taken_again_when_it_is_back(
    cable: Cable,
) -> None:
    cable.observe("-i", "new0")
    plug(cable.host, cable.outside, "new0")
    eventually(lambda: hook(cable.agent, "new0") == "xdp-native")
    counts_a_query(cable, "far-new0", "new0")
    first_index = interface(cable.agent, "new0")["index"]

    cable.host.ip("link", "del", "new0")
    eventually(lambda: hook(cable.agent, "new0") == "none")
    assert interface(cable.agent, "new0")["problem"] == "is not there"
    plug(cable.host, cable.outside, "new0")

    eventually(lambda: hook(cable.agent, "new0") == "xdp-native")
    found = interface(cable.agent, "new0")
    assert found["problem"] is None
    assert found["index"] != first_index
    assert programs_on(cable.host, "new0") == ATTACHED
    counts_a_query(cable, "far-new0", "new0")
    assert received(cable.agent, "new0")["igmp query 3"] == 2, "counters never go back"


def test_a_renamed_interface_is_followed_under_its_new_name(cable: Cable) -> None:
    cable.observe()
    cable.wire.send(QUERY)
    eventually(lambda: received(cable.agent).get("igmp query 3") == 1)
    member = cable.lab.keep(Member(cable.host, "eth0"))
    member.join("239.1.2.3")
    expect_filter(cable.agent, "239.1.2.3", Filter("exclude", ()))

    with cable.agent.watching(type="renamed") as events:
        cable.agent.ask("status")
        cable.host.ip("link", "set", "eth0", "down")
        cable.host.ip("link", "set", "eth0", "name", "wan0")
        cable.host.ip("link", "set", "wan0", "up")
        renamed = first(events)

    assert (renamed["interface"], renamed["to"]) == ("eth0", "wan0")
    eventually(lambda: interface(cable.agent, "wan0").get("running"))
    assert interface(cable.agent, "eth0") == {}
    counts_a_query(cable, "out0", "wan0")
    assert received(cable.agent, "wan0")["igmp query 3"] == 2
    wanted = Filter("exclude", ())
    eventually(lambda: filter_of(cable.agent, "239.1.2.3", "wan0") == wanted)


def test_the_counters_of_a_name_go_on_with_the_device_that_takes_it(cable: Cable) -> None:
    """The name is one of a device that is gone: its series are not there twice, nor stand still."""
    cable.observe("-i", "new0")
    plug(cable.host, cable.outside, "new0")
    eventually(lambda: hook(cable.agent, "new0") == "xdp-native")
    counts_a_query(cable, "far-new0", "new0")
    cable.host.ip("link", "del", "new0")
    eventually(lambda: hook(cable.agent, "new0") == "none")

    cable.host.ip("link", "set", "eth0", "down")
    cable.host.ip("link", "set", "eth0", "name", "new0")
    cable.host.ip("link", "set", "new0", "up")
    eventually(lambda: interface(cable.agent, "new0").get("running"))

    counts_a_query(cable, "out0", "new0")
    assert received(cable.agent, "new0")["igmp query 3"] == 2


def test_an_interface_that_goes_down_and_up_is_said_to(cable: Cable) -> None:
    cable.observe()
    with cable.agent.watching(type="link") as events:
        cable.agent.ask("status")
        cable.host.ip("link", "set", "eth0", "down")
        down = first(events)
        cable.host.ip("link", "set", "eth0", "up")
        up = first(events, running=True)

    assert (down["running"], up["running"]) == (False, True)
    eventually(lambda: interface(cable.agent)["running"])
    counts_a_query(cable, "out0", "eth0")


@pytest.mark.parametrize("taken", [False, True], ids=["free", "another XDP program there"])
def test_the_first_interface_may_come_when_all_rights_but_a_few_are_given_up(
    lab: Lab, taken: bool
) -> None:
    """Programs are loaded at the start: later the verifier would not let them."""
    host, outside = lab.namespace("host"), lab.namespace("outside")
    host.ip("link", "add", "off0", "type", "veth", "peer", "name", "far0", "netns", outside.name)
    host.ip("link", "set", "off0", "mtu", "9000")
    if taken:
        lab.keep(Attached(host, "off0", returning(XDP_PASS, "xdp"), AttachType.XDP, SKB_MODE))
    agent = lab.agent(host, "-i", "new0", "--metrics", "")

    host.ip("link", "set", "off0", "name", "new0")

    eventually(lambda: hook(agent, "new0") == ("tcx" if taken else "xdp-native"))


def test_an_interface_that_moves_to_another_namespace_is_gone(cable: Cable) -> None:
    cable.observe()

    cable.host.ip("link", "set", "eth0", "netns", cable.outside.name)

    eventually(lambda: interface(cable.agent)["problem"] == "is not there")


def test_an_unknown_interface_is_named(lab: Lab) -> None:
    host = lab.namespace("host")
    agent = lab.agent(host, "-i", "nosuch0", "--metrics", "")

    assert agent.ask("status")["missing"] == ["nosuch0"]
    assert "nosuch0: there is no such interface now" in agent.log()
    assert "nosuch0: there is no such interface now" in mcastctl(agent, "status").stdout


@pytest.mark.parametrize(
    ("name", "made", "problem"),
    [
        ("lo", (), "is the loopback interface"),
        ("tun0", ("tuntap", "add", "tun0", "mode", "tun"), "is not an Ethernet interface"),
        (
            "quiet0",
            ("link", "add", "quiet0", "type", "veth", "peer", "name", "quiet1"),
            "has multicast switched off",
        ),
    ],
)
def test_an_interface_that_cannot_be_run_is_refused_in_a_line(
    cable: Cable, name: str, made: tuple[str, ...], problem: str
) -> None:
    if made:
        cable.host.ip(*made)
    if name == "quiet0":
        cable.host.ip("link", "set", name, "multicast", "off")
    agent = cable.observe("-i", name)

    assert problem in interface(agent, name)["problem"]
    assert interface(agent, name)["hook"] == "none"
    assert sum(problem in line for line in agent.log().splitlines()) == 1
    assert problem in mcastctl(agent, "status").stdout
    assert interface(agent)["hook"] == "xdp-native", "the others are run all the same"


def test_multicast_that_is_switched_on_again_is_noticed(cable: Cable) -> None:
    cable.host.ip("link", "set", "eth0", "multicast", "off")
    cable.observe()
    assert interface(cable.agent)["hook"] == "none"

    cable.host.ip("link", "set", "eth0", "multicast", "on")

    eventually(lambda: interface(cable.agent)["hook"] == "xdp-native")
    assert interface(cable.agent)["problem"] is None


def test_many_interfaces_are_run_at_once(cable: Cable, tmp_path: Path) -> None:
    names = [f"many{number}" for number in range(20)]
    for name in names:
        plug(cable.host, cable.outside, name)

    cable.observe("-i", "many*")

    def status() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = cable.agent.ask("status")["interfaces"]
        return found

    assert {each["name"]: each["hook"] for each in status()} == dict.fromkeys(
        ["eth0", *names], "xdp-native"
    )
    counts_a_query(cable, "far-many7", "many7")
    assert received(cable.agent, "many8") == {} or "igmp query 3" not in received(
        cable.agent, "many8"
    )


# What is in the way for a time.


def bridge(host: Namespace) -> None:
    host.ip("link", "add", "br0", "type", "bridge")


@pytest.mark.parametrize("mode", ["observe", "host"])
def test_a_port_of_a_bridge_for_a_moment_is_run_again_as_configured(
    cable: Cable, mode: str
) -> None:
    bridge(cable.host)
    cable.observe("--mode", mode)
    assert interface(cable.agent)["mode"] == mode

    with cable.agent.watching(type="problem") as events:
        cable.agent.ask("status")
        cable.host.ip("link", "set", "eth0", "master", "br0")
        if mode == "host":
            assert "is a port of a bridge" in first(events, state="began")["text"]
        cable.host.ip("link", "set", "eth0", "nomaster")
        if mode == "host":
            assert "is a port of a bridge" in first(events, state="over")["text"]

    eventually(lambda: interface(cable.agent)["mode"] == mode)
    assert interface(cable.agent)["problem"] is None
    assert interface(cable.agent)["hook"] == "xdp-native"
    assert not any("bridge" in each["text"] for each in cable.agent.ask("doctor"))
    counts_a_query(cable, "out0", "eth0")


def test_a_port_that_was_never_free_is_taken_over_when_it_is(cable: Cable) -> None:
    bridge(cable.host)
    cable.host.ip("link", "set", "eth0", "master", "br0")
    cable.observe("--mode", "host")
    assert interface(cable.agent)["mode"] == "observe"
    assert "is a port of a bridge" in interface(cable.agent)["problem"]

    cable.host.ip("link", "del", "br0")

    eventually(lambda: interface(cable.agent)["mode"] == "host")
    assert interface(cable.agent)["problem"] is None


def test_an_interface_that_was_handed_back_is_not_taken_over_again(cable: Cable) -> None:
    """The operator's last word counts, whatever changes on the link."""
    cable.observe("--mode", "host")
    assert mcastctl(cable.agent, "mode", "eth0", "observe").returncode == 0

    cable.host.ip("link", "set", "eth0", "mtu", "1400")
    cable.host.ip("link", "set", "eth0", "down")
    eventually(lambda: not interface(cable.agent)["running"])
    cable.host.ip("link", "set", "eth0", "up")
    eventually(lambda: interface(cable.agent)["running"])

    assert interface(cable.agent)["mode"] == "observe"
    assert interface(cable.agent)["problem"] is None


def test_a_hook_without_room_is_tried_again_until_there_is(cable: Cable) -> None:
    """Nobody tells of programs that go; the kernel takes 63 of them on one hook."""
    others = [
        Attached(cable.host, "eth0", returning(TCX_NEXT, "tc"), AttachType.TCX_EGRESS)
        for _ in range(63)
    ]
    cable.observe()
    assert "cannot attach" in interface(cable.agent)["problem"]

    for each in others:
        each.close()

    eventually(lambda: interface(cable.agent)["hook"] == "xdp-native", within=40)
    assert interface(cable.agent)["problem"] is None
    counts_a_query(cable, "out0", "eth0")


@pytest.mark.parametrize("mode", ["observe", "host"])
def test_multicast_that_is_switched_off_meanwhile_is_noticed_until_it_is_on_again(
    cable: Cable, mode: str
) -> None:
    """The kernel goes on to speak there, and so does the agent."""
    cable.observe("--mode", mode)

    with cable.agent.watching(type="multicast") as events:
        cable.agent.ask("status")
        cable.host.ip("link", "set", "eth0", "multicast", "off")
        assert first(events)["on"] is False
        assert "multicast switched off" in interface(cable.agent)["problem"]
        assert any("switched off" in each["text"] for each in cable.agent.ask("doctor"))
        assert "multicast switched off" in mcastctl(cable.agent, "status").stdout
        counts_a_query(cable, "out0", "eth0")
        cable.host.ip("link", "set", "eth0", "multicast", "on")
        assert first(events)["on"] is True

    eventually(lambda: interface(cable.agent)["problem"] is None)
    assert not any("switched off" in each["text"] for each in cable.agent.ask("doctor"))
    assert interface(cable.agent)["mode"] == mode
    assert interface(cable.agent)["hook"] == "xdp-native"


@pytest.mark.parametrize("pause", [0.0, 1.5], ids=["at once", "after a second"])
def test_a_carrier_that_goes_and_comes_is_told(cable: Cable, pause: float) -> None:
    cable.observe()
    eventually(lambda: interface(cable.agent)["running"])

    with cable.agent.watching(type="link") as events:
        cable.agent.ask("status")
        cable.outside.ip("link", "set", "out0", "down")
        time.sleep(pause)
        cable.outside.ip("link", "set", "out0", "up")
        told = [first(events)["running"], first(events)["running"]]

    assert told == [False, True]
    assert interface(cable.agent)["running"]


def test_a_bonds_fail_over_is_told_and_its_groups_are_reported_again(cable: Cable) -> None:
    host, outside = cable.host, cable.outside
    try:
        host.ip("link", "add", "bond0", "type", "bond", "mode", "active-backup")
    except LabError as error:
        pytest.skip(f"this kernel has no bonding: {error}")
    for name in ("port0", "port1"):
        plug(host, outside, name)
        host.ip("link", "set", name, "down")
        host.ip("link", "set", name, "master", "bond0")
    host.ip("link", "set", "bond0", "up")
    host.ip("link", "set", "bond0", "type", "bond", "active_slave", "port0")
    cable.observe("-i", "bond0")
    eventually(lambda: interface(cable.agent, "bond0").get("hook", "none") != "none")

    with cable.agent.watching(type="failover", interface="bond0") as events:
        cable.agent.ask("status")
        host.ip("link", "set", "bond0", "type", "bond", "active_slave", "port1")
        told = first(events)

    assert (told["from"], told["to"]) == ("port0", "port1")
