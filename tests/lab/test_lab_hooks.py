"""Where the agent finds a place on an interface, and what it leaves alone."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from importlib import import_module
from ipaddress import ip_address
from itertools import islice
from pathlib import Path

import pytest
from mcastd.fastpath.attach import XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE
from mcastd.fastpath.fast_path import FastPath
from mcastd.fastpath.hooks import Hook
from mcastd.fastpath.kernel import AttachType, Link, Program
from mcastd.fastpath.policies import Policy
from mcastd.wire import Kind
from mcastd_lab import Lab, Member, Namespace, RunningAgent, Wire, veth
from pyroute2 import IPRoute
from support.flood import GROUP, OTHER_HOST, QUERY_3, REPORTS, igmp_frames, record, report_head
from support.lab import (
    ATTACHED,
    TCX_NEXT,
    XDP_PASS,
    Attached,
    Cable,
    Filter,
    counters,
    expect_filter,
    interface,
    programs_on,
    received,
    returning,
    run_in,
    tagging,
)
from support.packets import ethernet, igmp, ipv4
from support.waiting import eventually

pytestmark = pytest.mark.lab

ladder = import_module("mcastd.fastpath.attach")
"""The package has a function of that name."""

QUERY = next(each for each in igmp_frames(bytes(4)) if each.counts_as == "igmp query 3").frame
ROUTER_TEXT = "192.0.2.1"
OLDER_QUERY = next(each for each in igmp_frames(bytes(4)) if each.counts_as == "igmp query 2").frame


def program_on(namespace: Namespace, name: str) -> int:
    """The XDP program's identifier."""
    (link,) = json.loads(namespace.ip("-json", "-details", "link", "show", name))
    identifier: int = link["xdp"]["prog"]["id"]
    return identifier


def sees_queries(cable: Cable) -> bool:
    """One is counted, once, and is told the agent."""

    def seen() -> tuple[int, int]:
        found = counters(cable.agent)
        return found["messages"]["rx"]["igmp query 3"], found["events"]["query"]

    counted, told = seen()
    cable.wire.send(QUERY)
    return eventually(lambda: seen() == (counted + 1, told + 1))


def sees_joins(cable: Cable) -> bool:
    member = cable.lab.keep(Member(cable.host, "eth0"))
    member.join("239.1.2.3")
    expect_filter(cable.agent, "239.1.2.3", Filter("exclude", ()))
    return True


def test_native_xdp_is_the_first_choice(cable: Cable) -> None:
    cable.observe()

    found = interface(cable.agent)
    assert (found["hook"], found["egress_hook"]) == ("xdp-native", "tcx")
    assert found["hook_reasons"] == []
    assert sees_queries(cable)


@pytest.mark.parametrize("mode", [XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE])
def test_another_xdp_program_attached_by_link_is_left_alone(cable: Cable, mode: int) -> None:
    theirs = returning(XDP_PASS, "xdp")
    cable.lab.keep(Attached(cable.host, "eth0", theirs, AttachType.XDP, mode))
    before = program_on(cable.host, "eth0")

    cable.observe()

    found = interface(cable.agent)
    assert found["hook"] == "tcx"
    assert "another program is there" in found["hook_reasons"][0]
    assert program_on(cable.host, "eth0") == before
    assert sees_queries(cable)
    assert sees_joins(cable)


def test_another_xdp_program_attached_over_netlink_is_left_alone(cable: Cable) -> None:
    theirs = returning(XDP_PASS, "xdp")
    with cable.host.entered(), IPRoute() as netlink:
        netlink.link("set", index=cable.host.index("eth0"), xdp_fd=theirs.fd)
    before = program_on(cable.host, "eth0")

    cable.observe()

    found = interface(cable.agent)
    assert found["hook"] == "tcx"
    assert "another program is there" in found["hook_reasons"][0]
    assert program_on(cable.host, "eth0") == before
    assert sees_queries(cable)
    theirs.close()


def test_other_programs_of_traffic_control_go_on_beside_ours(cable: Cable) -> None:
    for hook in (AttachType.TCX_INGRESS, AttachType.TCX_EGRESS):
        cable.lab.keep(Attached(cable.host, "eth0", returning(TCX_NEXT, "tc"), hook))

    cable.observe()

    assert programs_on(cable.host, "eth0") == {"xdp": 1, "tcx_ingress": 2, "tcx_egress": 2}
    assert sees_queries(cable)
    assert sees_joins(cable)


@pytest.mark.parametrize("hook", ["xdp-native", "tcx"])
@pytest.mark.parametrize("tags", [(), (7,), (7, 9)])
def test_tags_are_told_wherever_the_frame_is_seen(
    cable: Cable, hook: str, tags: tuple[int, ...]
) -> None:
    """At traffic control's hook the kernel has taken the outer tag out of the frame already."""
    if hook == "tcx":
        cable.lab.keep(Attached(cable.host, "eth0", returning(XDP_PASS, "xdp"), AttachType.XDP))
    cable.observe()
    assert interface(cable.agent)["hook"] == hook

    with cable.agent.watching(type="query") as events:
        cable.agent.ask("status")
        cable.wire.send(ethernet(ipv4(igmp(QUERY_3)), *tags))
        event = next(events)

    assert (event["vlan"], event["verdict"]) == (list(tags), "accept")
    assert received(cable.agent)["igmp query 3"] == 1
    querier = interface(cable.agent)["igmp"]["querier"]
    assert querier == (None if tags else "192.0.2.1"), "what is in a VLAN is not the interface's"


def offload(cable: Cable, state: str) -> None:
    """Whether eth0 takes VLAN tags out of frames."""
    done = run_in(
        cable.host, "ethtool", "-K", "eth0", "rxvlan", state, "rx-vlan-stag-hw-parse", state
    )
    assert done.returncode == 0, done.stderr


def tagged_by_offload(cable: Cable, vlan: int) -> None:
    """What leaves for eth0 has a tag that stands beside the frame and not in it."""
    cable.lab.keep(Attached(cable.outside, "out0", tagging(vlan), AttachType.TCX_EGRESS))


@pytest.mark.parametrize("hook", ["auto", "xdp", "tc"])
@pytest.mark.parametrize("mode", ["observe", "host"])
def test_a_tag_that_the_nic_takes_out_is_told(
    cable: Cable, tmp_path: Path, hook: str, mode: str
) -> None:
    """The default of nearly every NIC: XDP sees such a frame as one without a tag."""
    config = tmp_path / "mcastd.toml"
    config.write_text(f'[interface.eth0]\nhook = "{hook}"\nmode = "{mode}"\n')
    cable.observe("-c", config)
    tagged_by_offload(cable, 100)

    with cable.agent.watching(type="query") as events:
        cable.agent.ask("status")
        cable.wire.send(QUERY)
        cable.wire.send(OLDER_QUERY)
        found = list(islice((each for each in events if each["from"] == ROUTER_TEXT), 2))

    assert [event["vlan"] for event in found] == [[100], [100]]
    counted = received(cable.agent)
    assert counted["igmp query 2"] == 1, "one message is counted once, whoever looks at it"
    status = interface(cable.agent)
    assert status["tags_taken_out"] == (hook != "tc")
    assert status["igmp"]["querier"] != ROUTER_TEXT, "the VLAN's querier is not the interface's"
    consumed = counters(cable.agent)["host_mode"]["older_queries_consumed"]
    assert consumed == {"igmp": 0, "mld": 0}, "nor is it kept from the VLAN"


def test_the_hook_follows_what_the_nic_does_with_tags(cable: Cable) -> None:
    """From either to the other, and back: nobody waits for a program that is no longer there."""
    offload(cable, "off")
    cable.observe()
    for state in ("off", "on", "off"):
        offload(cable, state)
        taken_out = state == "on"
        eventually(lambda: interface(cable.agent)["tags_taken_out"] is taken_out)  # noqa: B023
        wanted = ATTACHED if taken_out else {"xdp": 1, "tcx_egress": 1}
        assert programs_on(cable.host, "eth0") == wanted
        assert sees_queries(cable)

    assert received(cable.agent)["igmp query 3"] == 3


def test_the_hook_is_the_one_that_the_settings_choose(cable: Cable, tmp_path: Path) -> None:
    """Also at a reload, from each to each; what was counted goes on."""
    config = tmp_path / "mcastd.toml"
    hooks = {"tc": ("tcx", 0), "auto": ("xdp-native", 1), "xdp": ("xdp-native", 1)}
    choices = ("tc", "auto", "xdp", "tc", "xdp", "auto", "tc")
    for number, choice in enumerate(choices):
        config.write_text(f'[interface.eth0]\nhook = "{choice}"\n')
        if number == 0:
            cable.observe("-c", config)
        else:
            cable.agent.ask("reload")
        hook, on_xdp = hooks[choice]
        assert interface(cable.agent)["hook"] == hook
        assert programs_on(cable.host, "eth0").get("xdp", 0) == on_xdp
        assert sees_queries(cable)

    assert received(cable.agent)["igmp query 3"] == len(choices)


def test_xdp_that_was_chosen_and_is_not_free_is_a_problem_and_no_other_hook(
    cable: Cable, tmp_path: Path
) -> None:
    cable.lab.keep(Attached(cable.host, "eth0", returning(XDP_PASS, "xdp"), AttachType.XDP))
    config = tmp_path / "mcastd.toml"
    config.write_text('[interface.eth0]\nhook = "xdp"\n')
    cable.observe("-c", config)

    found = interface(cable.agent)
    assert found["hook"] == "none"
    assert found["problem"].startswith(
        'cannot attach: hook = "xdp": native XDP for any MTU: another'
    )
    assert programs_on(cable.host, "eth0") == {"xdp": 1}


def test_generic_xdp_is_taken_where_xdp_was_chosen(lab: Lab, tmp_path: Path) -> None:
    host = lab.namespace("host")
    host.ip("link", "add", "eth0", "type", "bridge")
    config = tmp_path / "mcastd.toml"
    config.write_text('[interface.eth0]\nhook = "xdp"\n')
    agent = lab.agent(host, "-c", config, "--metrics", "")

    found = interface(agent)
    assert (found["hook"], found["tags_taken_out"]) == ("xdp-generic", True)


@pytest.mark.parametrize("mtu", [3000, 9000])
def test_a_jumbo_mtu_gets_native_xdp_too(lab: Lab, mtu: int) -> None:
    cable = Cable(lab, mtu=mtu)
    cable.observe()
    sources = tuple(ip_address("10.0.0.1").packed for _ in range(mtu // 4 - 20))
    report = igmp(report_head(0x22, 1) + record(1, GROUP, *sources))

    with cable.agent.watching(type="report") as events:
        cable.agent.ask("status")
        cable.wire.send(ethernet(ipv4(report, source=OTHER_HOST, destination=REPORTS)))
        event = next(events)

    assert interface(cable.agent)["hook"] == "xdp-native"
    assert event["verdict"] == "accept"
    assert len(event["records"][0]["sources"]) == 1, "the same source, again and again"
    assert received(cable.agent)["igmp report 3"] == 1


@pytest.mark.parametrize("kind", ["bridge", "macvlan"])
def test_traffic_control_serves_where_the_driver_has_no_xdp(lab: Lab, kind: str) -> None:
    host, outside = lab.namespace("host"), lab.namespace("outside")
    veth(outside, "out0", host, "port")
    if kind == "bridge":
        host.ip("link", "add", "eth0", "type", "bridge")
        host.ip("link", "set", "port", "master", "eth0")
    else:
        host.ip("link", "add", "eth0", "link", "port", "type", "macvlan", "mode", "bridge")
    host.ip("link", "set", "eth0", "up")
    wire = lab.keep(Wire(outside, "out0"))
    agent = lab.agent(host, "-i", "eth0", "--metrics", "")

    found = interface(agent)
    assert (found["hook"], found["egress_hook"]) == ("tcx", "tcx")
    assert any("the driver cannot" in reason for reason in found["hook_reasons"])

    def seen() -> bool:
        wire.send(QUERY)  # a bridge's port forwards only after a moment
        return "igmp query 3" in received(agent)

    eventually(seen, within=40)


@pytest.fixture
def fast_path(cable: Cable) -> Iterator[FastPath]:
    with cable.host.entered():
        made = FastPath.open(print)
        yield made
        made.close()


def filters(cable: Cable, where: str) -> str:
    return run_in(cable.host, "tc", "filter", "show", "dev", "eth0", where).stdout


def test_clsact_serves_where_there_is_no_tcx(
    cable: Cable, fast_path: FastPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before Linux 6.6, with somebody else's XDP program there."""
    cable.lab.keep(Attached(cable.host, "eth0", returning(XDP_PASS, "xdp"), AttachType.XDP))

    class OlderKernelsLink(Link):
        def __init__(
            self, program: Program, ifindex: int, attach_type: AttachType, flags: int = 0
        ) -> None:
            if attach_type is not AttachType.XDP:
                self.fd = -1
                raise OSError(errno.EINVAL, "attaching")
            super().__init__(program, ifindex, attach_type, flags)

    monkeypatch.setattr(ladder, "Link", OlderKernelsLink)

    attachment = fast_path.attach("eth0", cable.host.index("eth0"), Policy())
    cable.wire.send(QUERY)

    assert (attachment.ingress, attachment.egress) == (Hook.CLSACT, Hook.CLSACT)
    assert "TCX: needs Linux 6.6" in attachment.reasons
    eventually(lambda: fast_path.counters()["eth0"].accepted[0][Kind.IGMP_QUERY_3] == 1)
    assert "mcast_ingress" in filters(cable, "ingress")
    assert "mcast_egress" in filters(cable, "egress")
    attachment.close()
    assert "mcast" not in filters(cable, "ingress") + filters(cable, "egress")


def test_a_clsact_filter_that_a_killed_agent_left_is_replaced(
    cable: Cable, fast_path: FastPath
) -> None:
    index = cable.host.index("eth0")
    program = fast_path._kernel.program("mcast_egress")
    ladder.ClsactFilter(program, index, ladder.TC_EGRESS)  # and never closed

    ours = ladder.ClsactFilter(program, index, ladder.TC_EGRESS)

    assert filters(cable, "egress").count("handle 0x9776") == 1
    ours.close()
    assert "mcast" not in filters(cable, "egress")


@pytest.mark.parametrize("mode", ["observe", "host"])
@pytest.mark.parametrize("hook", ["xdp", "tcx_ingress", "tcx_egress"])
def test_a_program_that_somebody_detached_is_attached_anew(
    cable: Cable, mode: str, hook: str
) -> None:
    """Else the agent would be deaf for ever, and say that all is well. Counters go on."""
    cable.observe("--mode", mode)
    assert sees_queries(cable)
    before = received(cable.agent)["igmp query 3"]
    identifier = link_of(cable.agent, hook)

    with cable.agent.watching(type="detached") as events:
        cable.agent.ask("status")
        done = run_in(cable.host, "bpftool", "link", "detach", "id", str(identifier))
        assert done.returncode == 0, done.stderr
        assert next(events)["interface"] == "eth0"

    eventually(lambda: programs_on(cable.host, "eth0") == ATTACHED)
    assert link_of(cable.agent, hook) != identifier
    assert interface(cable.agent)["mode"] == mode
    assert sees_queries(cable)
    assert received(cable.agent)["igmp query 3"] >= before + 1


def link_of(agent: RunningAgent, hook: str) -> int:
    """The identifier of the agent's link at a hook, as the kernel tells of its descriptors."""
    for entry in Path(f"/proc/{agent.process.pid}/fdinfo").iterdir():
        fields = dict(
            (key, value.strip())
            for key, _, value in (line.partition(":") for line in entry.read_text().splitlines())
        )
        side = fields.get("attach_type", "").split("(")[-1].rstrip(")")
        where = f"tcx_{side}" if fields.get("link_type") == "tcx" else fields.get("link_type")
        if where == hook:
            return int(fields["link_id"])
    raise AssertionError(f"no link at {hook}")
