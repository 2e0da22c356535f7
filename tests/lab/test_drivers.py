"""Real drivers: two NICs on one wire, the one the querier's, the other the agent's.

They are the machine's own, so that all of this runs in the machines that `make kernels` makes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from itertools import cycle, islice
from pathlib import Path

import pytest
from mcastd_lab import Lab, LabError, Member, RunningAgent, Wire
from support.flood import NOTHING, all_frames
from support.kernel_features import EGRESS_HOOK, linux
from support.lab import Filter, filter_of, interface, link_local, received, run_in
from support.nics import ADDRESS, QUERIER, VLAN, VLAN_QUERIER, NoSuchNics, Pair
from support.packets import ethernet, igmp, ipv4
from support.waiting import eventually

pytestmark = pytest.mark.lab

HOOKS = {
    "virtio_net": "xdp-native",
    "vmxnet3": "xdp-native" if linux(6, 6) else EGRESS_HOOK,
    "e1000e": EGRESS_HOOK,
    "igb": "xdp-native",
}
"""Which is right for a driver."""

LONGEST_FOR_XDP = {"vmxnet3": 3000}
"""The MTU above which a driver takes no program; 3,500 or so, as pages are."""

GROUP, SOURCE = "239.1.2.3", "198.51.100.9"
FRAMES = 10_000
UNDER_WAY = 200
"""Frames; a NIC whose rings are full drops what comes."""

TAGGED = 20

STRICT = """\
[interface.{name}]
require_router_alert = "strict"
"""


class Site:
    """The NICs, the agent on one of them, and an application that has joined a group there."""

    def __init__(self, lab: Lab, driver: str, directory: Path) -> None:
        self.pair = Pair(lab, driver)
        self.host, self.switch, self.name = self.pair.host, self.pair.switch, self.pair.near
        config = directory / "mcastd.toml"
        config.write_text(STRICT.format(name=self.name))
        self.agent: RunningAgent = lab.agent(self.host, "-c", config, "--metrics", "")
        self.member = lab.keep(Member(self.host, self.name))
        self.member.join(GROUP)
        self.wire = lab.keep(Wire(self.switch, self.pair.far))

    @property
    def hook(self) -> str:
        return str(interface(self.agent, self.name).get("hook"))

    def counted(self) -> Counter[str]:
        return Counter(received(self.agent, self.name))

    def expect_all_well(self) -> None:
        """The querier is heard, the group is known here and to the bridge, all from now on."""
        heard = self.counted()["igmp query 3"]
        eventually(lambda: self.counted()["igmp query 3"] > heard + 1, what="queries")
        wanted = Filter("exclude", ())
        eventually(lambda: filter_of(self.agent, GROUP, self.name) == wanted, what=GROUP)
        eventually(
            lambda: any(
                each.get("grp") == GROUP and each.get("port") == self.pair.far
                for each in self.pair.bridge.memberships()
            ),
            what="the bridge has the group",
        )
        assert interface(self.agent, self.name)["igmp"]["querier"] == QUERIER

    def set(self, *words: str) -> None:
        """`ip link set` of the agent's NIC; skips what the driver refuses."""
        try:
            self.host.ip("link", "set", self.name, *words)
        except LabError as error:
            pytest.skip(f"{self.pair.driver}: {error}")

    def ethtool(self, *words: str) -> None:
        done = run_in(self.host, "ethtool", words[0], self.name, *words[1:])
        if done.returncode:
            pytest.skip(f"{self.pair.driver}: {done.stderr.strip()}")


@pytest.fixture(scope="module", params=HOOKS)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with Lab() as lab:
        try:
            made = Site(lab, request.param, tmp_path_factory.mktemp("site"))
        except NoSuchNics as error:
            pytest.skip(str(error))
        yield made


def test_the_hook_is_the_best_that_the_driver_has(
    site: Site, record_property: Callable[[str, object], None]
) -> None:
    status = interface(site.agent, site.name)
    assert status["hook"] == HOOKS[site.pair.driver], status["hook_reasons"]
    assert status["egress_hook"] == EGRESS_HOOK
    hooks = {"in": status["hook"], "out": status["egress_hook"]}
    record_property(f"driver {site.pair.driver}", json.dumps(hooks))
    site.expect_all_well()
    found = [each["text"] for each in site.agent.ask("doctor", name=site.name)]
    native = status["hook"] == "xdp-native"
    assert [each for each in found if "instead of native XDP" not in each] == []
    assert len(found) == (0 if native else 1), found


def test_every_frame_is_counted_as_what_it_is(site: Site) -> None:
    """All types and reasons; the NIC is told to let all of them through, which it would not else.

    Frames of 0x8100 and 0x88a8 come with and without their outer tag taken out.
    """
    own_6 = link_local(site.host, site.name)
    frames = all_frames(ip_address(ADDRESS).packed, ip_address(own_6).packed)
    loopback = next(each for each in frames if each.counts_as == "mld loopback")
    site.set("promisc", "on")
    before = site.counted()["mld loopback"]
    site.wire.send(loopback.frame)
    eventually(lambda: site.counted()["mld loopback"] > before, what="our address is known")
    with site.pair.quiet():
        before_all = site.counted()
        expected: Counter[str] = Counter()
        for number, each in enumerate(islice(cycle(frames), FRAMES), 1):
            site.wire.send(each.frame)
            if each.counts_as != NOTHING:
                expected[each.counts_as] += 1
            if number % UNDER_WAY == 0 or number == FRAMES:
                eventually(
                    lambda: (site.counted() - before_all).total() >= expected.total(),
                    what=f"{expected.total()} are counted",
                )
        assert site.counted() - before_all == expected
    site.set("promisc", "off")


@pytest.mark.parametrize("state", ["off", "on"])
def test_a_tag_is_told_whether_the_nic_takes_it_out_or_not(site: Site, state: str) -> None:
    """The VLAN's querier is not the parent's, and asks nothing of it."""
    features = run_in(site.host, "ethtool", "-k", site.name).stdout
    line = next(each for each in features.splitlines() if "rx-vlan-offload:" in each)
    if "[fixed]" in line and f" {state} " not in line:
        pytest.skip(f"{site.pair.driver}: {line}")
    if "[fixed]" not in line:
        site.ethtool("-K", "rxvlan", state)
    takes_out = site.hook == "xdp-native" and state == "on"
    eventually(lambda: interface(site.agent, site.name)["tags_taken_out"] == takes_out)

    message = ethernet(ipv4(igmp(b"\x13\1\0\0" + bytes(4))), VLAN)
    before = site.counted()["igmp other"]
    with site.agent.watching(type="query") as events:
        site.agent.ask("status")
        for _ in range(TAGGED):
            site.wire.send(message)
        tagged = next(each for each in events if each["from"] == VLAN_QUERIER)
    assert tagged["vlan"] == [VLAN]
    eventually(lambda: site.counted()["igmp other"] - before >= TAGGED)
    site.expect_all_well()
    assert site.counted()["igmp other"] - before == TAGGED
    queriers = site.agent.ask("querier", name=site.name)
    assert VLAN_QUERIER not in json.dumps(queriers)


def test_what_the_nics_filter_lets_through(
    site: Site, record_property: Callable[[str, object], None]
) -> None:
    """Queries to all hosts, and what groups that are joined get; of others' reports the agent hears
    what the NIC lets through: docs/supported.md has it."""
    reports = {"joined": GROUP, "not joined": "239.77.88.99"}
    found = {}
    for what, group in reports.items():
        packed = ip_address(group).packed
        packet = ipv4(igmp(b"\x16\0\0\0" + packed), destination=packed)
        low = bytes((packed[1] & 0x7F, *packed[2:]))
        frame = bytes.fromhex("01005e") + low + bytes.fromhex("0200000000010800") + packet
        before = site.counted()["igmp report 2"]
        for _ in range(TAGGED):
            site.wire.send(frame)
        heard = site.counted()["igmp query 3"]
        eventually(lambda: site.counted()["igmp query 3"] > heard)  # noqa: B023
        found[what] = site.counted()["igmp report 2"] - before
    assert found["joined"] == TAGGED
    assert found["not joined"] in (0, TAGGED)
    passes = "all multicast" if found["not joined"] else "joined groups"
    record_property(f"filter {site.pair.driver}", passes)


def test_the_agent_goes_on_when_the_link_flaps(site: Site) -> None:
    for _ in range(3):
        site.set("down")
        eventually(lambda: interface(site.agent, site.name)["running"] is False)
        site.set("up")
        eventually(lambda: interface(site.agent, site.name)["running"] is True)
    site.expect_all_well()


@pytest.mark.parametrize("mtu", [9000, 1280, 1500])
def test_the_mtu_changes_while_it_is_attached(site: Site, mtu: int) -> None:
    site.set("mtu", str(mtu))
    driver = site.pair.driver
    expected = EGRESS_HOOK if mtu > LONGEST_FOR_XDP.get(driver, mtu) else HOOKS[driver]
    eventually(lambda: site.hook == expected, what=expected)
    site.expect_all_well()
    assert site.hook == expected


def test_the_queues_change_while_it_is_attached(site: Site) -> None:
    site.ethtool("-L", "combined", "1")
    site.expect_all_well()


def test_the_rings_change_while_it_is_attached(site: Site) -> None:
    """Which makes the driver begin anew."""
    site.ethtool("-G", "rx", "256")
    site.expect_all_well()


def test_the_driver_is_taken_away_and_comes_back(site: Site) -> None:
    """What the application joined is gone with the device, as the kernel has it."""
    site.pair.bind("unbind")
    eventually(lambda: interface(site.agent, site.name)["problem"] == "is not there")
    site.pair.bind("bind")
    site.pair.bring_back()
    eventually(lambda: site.hook == HOOKS[site.pair.driver], what="the hook is back")
    member = site.pair.lab.keep(Member(site.host, site.name))
    member.join(GROUP)
    site.expect_all_well()
    assert "Traceback" not in site.agent.log()
