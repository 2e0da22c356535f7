"""A restart under a service manager that keeps descriptors: nothing is missed, and none is left."""

from __future__ import annotations

import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from ipaddress import ip_address
from pathlib import Path

import pytest
from mcastd._libbpf import ffi, lib
from mcastd.fastpath.kernel import AttachType, link_state
from mcastd_lab import Member, RunningAgent, veth
from support.flood import all_frames
from support.kernel_features import EGRESS_HOOK, TCX
from support.lab import (
    ATTACHED,
    HOST,
    METRICS_TEXT,
    XDP_PASS,
    Attached,
    Cable,
    counters,
    interface,
    link_local,
    programs_on,
    received,
    returning,
    run_in,
)
from support.manager import Manager
from support.waiting import STRETCH, eventually

pytestmark = pytest.mark.lab

FRAMES = round(int(os.environ.get("MCASTD_LAB_RESTART_FRAMES", "1000000")) / STRETCH**2)
"""5,000,000 in the long form."""


@pytest.fixture
def manager(cable: Cable) -> Manager:
    return cable.lab.keep(Manager(cable.lab.directory))


def observe(cable: Cable, manager: Manager, *arguments: str | Path) -> RunningAgent:
    made = cable.lab.agent(
        cable.host, "-i", "eth0", "--metrics", METRICS_TEXT, *arguments, wrapper=manager.wrapper
    )
    eventually(lambda: any("record" in name for name in manager.kept), what="all is kept")
    return made


def ended(agent: RunningAgent, way: str) -> None:
    agent.kill() if way == "killed" else agent.close()


def reports(agent: RunningAgent, name: str) -> int:
    return int(counters(agent, name)["messages"]["tx"]["igmp report 3"])


def programs(cable: Cable) -> list[int]:
    """Numbers of the programs at XDP."""
    (link,) = json.loads(cable.host.ip("-json", "link", "show", "eth0"))
    return [link["xdp"]["prog"]["id"]]


@pytest.mark.parametrize("way", ["ended", "killed"])
def test_what_is_attached_and_counted_goes_on(cable: Cable, manager: Manager, way: str) -> None:
    agent = observe(cable, manager)
    frames = all_frames(ip_address(HOST).packed, ip_address(link_local(cable.host, "eth0")).packed)
    for each in frames:
        cable.wire.send(each.frame)
    expected = eventually(lambda: received(agent) if len(received(agent)) > 20 else {})
    before = programs(cable)
    ended(agent, way)
    assert programs_on(cable.host, "eth0") == ATTACHED
    assert programs(cable) == before
    for each in frames:
        cable.wire.send(each.frame)
    agent = observe(cable, manager)
    assert programs_on(cable.host, "eth0") == ATTACHED
    assert programs(cable) != before
    assert received(agent) == {what: 2 * count for what, count in expected.items()}
    ended(agent, way)
    manager.stop()
    eventually(lambda: programs_on(cable.host, "eth0") == {})


def test_frames_are_counted_exactly_while_agents_come_and_go(
    cable: Cable, manager: Manager
) -> None:
    """The generator needs XDP at the far end all the time: without a program it would be stuck."""
    agent = observe(cable, manager)
    own_6 = ip_address(link_local(cable.host, "eth0")).packed
    frames = all_frames(ip_address(HOST).packed, own_6)
    generator = cable.generator()
    generator.send([each.frame for each in frames], len(frames))
    once = Counter(received(agent))
    with ThreadPoolExecutor(1) as pool:
        turns = FRAMES // len(frames)
        flood = pool.submit(generator.send, [f.frame for f in frames], turns * len(frames))
        restarts = 0
        while not flood.done() or restarts < 2:
            ended(agent, ("ended", "killed")[restarts % 2])
            agent = observe(cable, manager)
            restarts += 1
        flood.result()
    assert Counter(received(agent)) == Counter({k: n * (turns + 1) for k, n in once.items()})
    print(f"{turns * len(frames)} frames, {restarts} restarts")


def test_an_interface_may_go_be_made_anew_or_renamed_meanwhile(
    cable: Cable, manager: Manager
) -> None:
    """Counters go on under the name, or follow the device under its new one."""
    settings = cable.lab.directory / "mcastd.toml"
    settings.write_text('[interface."e*"]\n')
    for name in ("eth7", "eth8"):
        veth(cable.outside, f"to-{name}", cable.host, name)
    agent = observe(cable, manager, "-c", settings)
    for name in ("eth7", "eth8"):
        cable.lab.keep(Member(cable.host, name)).join("239.1.1.1")
    spoken = eventually(lambda: reports(agent, "eth7"))
    eth8 = eventually(lambda: reports(agent, "eth8"))
    ended(agent, "ended")
    cable.host.ip("link", "delete", "eth7")
    veth(cable.outside, "to-eth7", cable.host, "eth7")
    cable.host.ip("link", "set", "eth8", "down")
    cable.host.ip("link", "set", "eth8", "name", "east")
    agent = observe(cable, manager, "-c", settings)
    assert reports(agent, "eth7") >= spoken
    assert reports(agent, "east") >= eth8
    assert programs_on(cable.host, "eth7")
    agent.close()
    settings.write_text("[interface.eth0]\n")
    agent = observe(cable, manager, "-c", settings)
    assert (programs_on(cable.host, "eth7"), programs_on(cable.host, "east")) == ({}, {})


def test_a_link_in_which_somebody_has_put_another_program_is_not_ours_any_more(
    cable: Cable, manager: Manager
) -> None:
    agent = observe(cable, manager)
    ended(agent, "ended")
    (theirs,) = programs(cable)
    other = returning(XDP_PASS, "xdp")
    updated = 0
    for fd in manager.kept.values():
        with suppress(OSError):
            if link_state(fd)[0] == theirs:
                updated += 1
                assert lib.bpf_link_update(fd, other.fd, ffi.NULL) == 0
    assert updated == 1
    agent = observe(cable, manager)
    assert interface(agent)["hook"] == "tcx"
    assert "another program is there" in " ".join(interface(agent)["hook_reasons"])
    other.close()


@pytest.mark.parametrize("tags", ["taken out", "in the frame"])
@pytest.mark.parametrize("streams", [False, True], ids=["control", "streams"])
def test_a_place_that_has_become_free_is_taken_and_nothing_is_counted_twice(
    cable: Cable, manager: Manager, tags: str, streams: bool
) -> None:
    """XDP was another's, so that traffic control's hook was kept for the next agent."""
    if tags == "in the frame":
        off = ("rxvlan", "off", "rx-vlan-stag-hw-parse", "off")
        assert run_in(cable.host, "ethtool", "-K", "eth0", *off).returncode == 0
    settings = cable.lab.directory / "mcastd.toml"
    settings.write_text("[interface.eth0]\n" + ("[streams]\n" if streams else ""))
    theirs = Attached(cable.host, "eth0", returning(XDP_PASS, "xdp"), AttachType.XDP)
    agent = observe(cable, manager, "-c", settings)
    assert interface(agent)["hook"] == EGRESS_HOOK
    frames = all_frames(ip_address(HOST).packed, ip_address(link_local(cable.host, "eth0")).packed)
    for each in frames:
        cable.wire.send(each.frame)
    once = eventually(lambda: received(agent) if len(received(agent)) > 20 else {})

    ended(agent, "ended")
    theirs.close()
    for each in frames:
        cable.wire.send(each.frame)
    agent = observe(cable, manager, "-c", settings)
    found = interface(agent)
    assert (found["hook"], found["hook_reasons"]) == ("xdp-native", [])
    assert found["tags_taken_out"] is (tags == "taken out")
    behind = {} if tags == "in the frame" else {"tcx_ingress": 1}
    if TCX:  # others cannot be asked what is at traffic control's hook
        assert programs_on(cable.host, "eth0") == {"xdp": 1, "tcx_egress": 1} | behind
    for each in frames:
        cable.wire.send(each.frame)
    thrice = {what: 3 * count for what, count in once.items()}
    eventually(lambda: received(agent) == thrice, what="all are counted, and once")

    ended(agent, "ended")
    agent = observe(cable, manager, "-c", settings)
    assert interface(agent)["hook"] == "xdp-native"
    assert received(agent) == thrice


def test_a_place_that_is_still_anothers_is_said_so_again(cable: Cable, manager: Manager) -> None:
    cable.lab.keep(Attached(cable.host, "eth0", returning(XDP_PASS, "xdp"), AttachType.XDP))
    agent = observe(cable, manager)
    before = interface(agent)["hook_reasons"]
    ended(agent, "ended")
    agent = observe(cable, manager)
    assert (interface(agent)["hook"], interface(agent)["hook_reasons"]) == (EGRESS_HOOK, before)
    if TCX:
        assert programs_on(cable.host, "eth0") == {"xdp": 1, "tcx_ingress": 1, "tcx_egress": 1}


def test_a_store_of_another_layout_is_given_up_and_not_read(cable: Cable, manager: Manager) -> None:
    agent = observe(cable, manager)
    cable.wire.send(all_frames(ip_address(HOST).packed, bytes(16))[0].frame)
    eventually(lambda: received(agent))
    ended(agent, "killed")
    before = set(manager.kept)
    (name,) = (name for name in manager.kept if "record" in name)
    content = json.loads(os.pread(manager.kept[name], 1 << 20, 0))
    with open(f"/proc/self/fd/{manager.kept[name]}", "wb") as file:
        file.write(json.dumps({**content, "layout": "another"}).encode())
    agent = observe(cable, manager)
    assert "laid out otherwise" in agent.log()
    assert received(agent) == {}
    assert programs_on(cable.host, "eth0") == ATTACHED
    eventually(lambda: not before & set(manager.kept), what="nothing of it is kept any more")


def test_without_room_at_the_manager_all_ends_with_the_agent(cable: Cable) -> None:
    """FileDescriptorStoreMax=0: what is sent is closed, and nobody says so."""
    with closing(Manager(cable.lab.directory)) as manager:
        agent = observe(cable, manager)
        manager.stop()
        agent.close()
        assert programs_on(cable.host, "eth0") == {}
