"""An agent from its start to its successor, in one lab: what must hold on every kernel, in short.

It waits for what happens and judges no times: it is also run in machines in which all is slow.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from itertools import cycle as in_turn
from itertools import islice
from pathlib import Path

import pytest
from mcastd.client import Client
from mcastd_lab import Namespace, RunningAgent, Wire, veth
from support.flood import NOTHING, all_frames
from support.host_lab import ANY, HostLab, counters, eventually, family, host_lab, is_system, only
from support.kernel_features import EGRESS_HOOK, TCX
from support.lab import Filter, expect_filter, interface, link_local, received, run_in
from support.privileges import rights_of_the_unit
from support.waiting import stretched

pytestmark = pytest.mark.lab

MEMBERSHIP_SECONDS = stretched(60.0)
"""So that a pause of the whole machine is no gap; a leave that nobody asked for is one always."""

JOINED, LATER, JOINED_6 = "239.1.1.1", "239.1.1.2", "ff15::db8:1"
ONE_6, SOURCE_6 = "ff3e::1:1", "2001:db8::2"
WANTED = {JOINED: ANY, JOINED_6: ANY, ONE_6: only(SOURCE_6)}
OWN = {"239.9.9.9": ANY, "ff15::db8:9": ANY}
"""What the agent itself joins."""

MONITOR = ("stdbuf", "-oL", "bridge", "-details", "monitor", "mdb")

FLOODED, FLOODED_ADDRESS = "eth1", "198.51.100.10"
FRAMES = 5_000
CONFIG = f"""\
[interface.eth0]
[interface.{FLOODED}]
require_router_alert = "strict"
"""
"""Every reason to refuse a message is one here."""


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab(MEMBERSHIP_SECONDS) as made:
        yield made


def test_an_agent_from_its_start_to_its_successor(
    net: HostLab, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    outside = net.lab.namespace("outside")
    outside.sysctl({"ipv6.conf.all.disable_ipv6": 1, "ipv6.conf.default.disable_ipv6": 1})
    veth(outside, "out0", net.host, FLOODED)
    net.host.ip("address", "add", f"{FLOODED_ADDRESS}/24", "dev", FLOODED)
    member = net.member()
    member.join(JOINED)
    member.join(JOINED_6)
    member.join_source(ONE_6, SOURCE_6)
    net.expect(WANTED)
    forgotten = Forgotten(net)
    config = tmp_path / "mcastd.toml"
    config.write_text(CONFIG)

    first = net.lab.agent(net.host, "-c", config, "--metrics", "", wrapper=rights_of_the_unit())
    check_hooks(first, record_property)
    expect_filter(first, JOINED, Filter("exclude", ()))
    expect_filter(first, ONE_6, Filter("include", (SOURCE_6,)))
    check_a_flood(first, net.host, outside)

    take_over(first)
    net.expect(WANTED | OWN)
    check_that_the_agent_speaks_for_the_kernel(net, first)

    first.kill()
    killed, left = time.monotonic(), filters(net)
    member.join(LATER)
    for group in (*WANTED, LATER):
        eventually(f"the kernel speaks of {group}", lambda: net.sniffer.records(group, killed))  # noqa: B023
    net.expect(WANTED | OWN | {LATER: ANY})

    second = net.agent()
    check_filters(left, filters(net))
    started = time.monotonic()
    for group in OWN:
        eventually(f"it speaks of {group} again", lambda: net.sniffer.records(group, started))  # noqa: B023
    second.close()

    assert filters(net) == []
    assert net.lacking(WANTED | {LATER: ANY}) == {}
    member.leave(LATER)
    eventually("what is left is forgotten", lambda: LATER in forgotten.groups())
    assert forgotten.groups() == {LATER}


def take_over(agent: RunningAgent) -> None:
    """Memberships of its own, and a cap, under which the kernel's reports are held back."""
    agent.ask("mode", name="eth0", mode="host")
    with Client(str(agent.control)) as client:
        for group in OWN:
            client.join("eth0", group, name="own")
        client.call("version", name="eth0", protocol="igmp", version=2)
    eventually("it speaks for the kernel", lambda: family(agent)["speaks_for_kernel"])


def check_that_the_agent_speaks_for_the_kernel(net: HostLab, agent: RunningAgent) -> None:
    """In the version that it may; the kernel, which would in the newest, is not heard."""
    begun, held_back = time.monotonic(), counters(agent)[0]
    for group in (JOINED, *(each for each in OWN if ":" not in each)):
        eventually(
            f"a report of {group}",
            lambda: any(each.group == group for each in net.sniffer.spoken(begun, "igmp")),  # noqa: B023
        )
    eventually("the kernel's are held back", lambda: counters(agent)[0] > held_back)
    spoken = {each.what for each in net.sniffer.spoken(begun, "igmp")}
    assert spoken == {"report2"} or stood_still(agent), spoken
    assert "report2" in spoken


def stood_still(agent: RunningAgent) -> bool:
    """Whether it had no processor for so long that the kernel spoke meanwhile, as it should."""
    return any(each["kind"] == "agent_stood_still" for each in agent.ask("doctor"))


class Forgotten:
    """Groups of which the bridge has given something up, from now on."""

    def __init__(self, net: HostLab) -> None:
        self._path = net.lab.directory / "mdb"
        with self._path.open("wb") as output:
            net.lab.process(net.switch, *MONITOR, output=output)

    def groups(self) -> set[str]:
        lines = [each.split() for each in self._path.read_text().splitlines()]
        groups = {words[words.index("grp") + 1] for words in lines if words[:1] == ["Deleted"]}
        return {each for each in groups if not is_system(each)}


def check_hooks(agent: RunningAgent, record: Callable[[str, object], None]) -> None:
    """The best that this kernel has."""
    found = interface(agent)
    record("in", found["hook"])
    record("out", found["egress_hook"])
    assert (found["hook"], found["egress_hook"]) == ("xdp-native", EGRESS_HOOK)


def check_a_flood(agent: RunningAgent, host: Namespace, outside: Namespace) -> None:
    """Of every type, and of every reason; each frame is counted once, as what it is."""
    own, own_6 = ip_address(FLOODED_ADDRESS).packed, ip_address(link_local(host, FLOODED)).packed
    frames = all_frames(own, own_6)
    loopback = next(each for each in frames if each.counts_as == "mld loopback")
    wire = Wire(outside, "out0")

    def own_address_is_known() -> bool:
        wire.send(loopback.frame)
        return "mld loopback" in received(agent, FLOODED)

    eventually("our own address is known", own_address_is_known)
    before = Counter(received(agent, FLOODED))
    expected = Counter[str]()
    for each in islice(in_turn(frames), FRAMES):
        wire.send(each.frame)
        if each.counts_as != NOTHING:
            expected[each.counts_as] += 1
    wire.close()
    eventually(
        "all are counted",
        lambda: (Counter(received(agent, FLOODED)) - before).total() >= expected.total(),
    )
    assert Counter(received(agent, FLOODED)) - before == expected


def filters(net: HostLab) -> list[int]:
    """Identifiers of the programs of ours that are in clsact on eth0, at egress."""
    shown = run_in(net.host, "tc", "-json", "filter", "show", "dev", "eth0", "egress").stdout
    options = [each.get("options", {}) for each in json.loads(shown or "[]")]
    return [each["prog"]["id"] for each in options if "mcast" in each.get("bpf_name", "")]


def check_filters(left: list[int], ours: list[int]) -> None:
    """Without TCX a killed agent leaves a filter, which is inert; its successor replaces it."""
    assert len(left) == len(ours) == (0 if TCX else 1)
    assert not {*left} & {*ours}
