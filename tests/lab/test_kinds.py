"""Kinds of interface: each is heard, counted and spoken for as what it is, once.

All are in one host, followed by one agent. The judge is the bridge at the other end of each.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from mcastd.client import Client
from mcastd_lab import AgentError, Lab, Member, RunningAgent, Wire
from support.kernel_features import EGRESS_HOOK
from support.kinds import KINDS, REFUSED, UNFIT, Built, Kind, Network, NotHere, Place
from support.lab import Filter, filter_of, interface, received
from support.packets import ethernet, igmp, ipv4
from support.sniffer import Sniffer
from support.waiting import eventually

pytestmark = pytest.mark.lab

ANY, ANY_6 = "239.1.2.3", "ff15::db8:1"
ONE, ONE_6 = "232.1.2.3", "ff3e::db8:2"
SOURCE, SOURCE_6 = "198.51.100.1", "2001:db8::1"
JOINED = {
    ANY: Filter("exclude", ()),
    ANY_6: Filter("exclude", ()),
    ONE: Filter("include", (SOURCE,)),
    ONE_6: Filter("include", (SOURCE_6,)),
}
ANOTHER = "239.5.5.5"
ROBUSTNESS = 2
AGENTS_OWN = "239.9.9.9"
COUNTED = 25
KEPT_QUERIES = 8
"""So many queries of the bridge's later it has forgotten what nobody reports (5 of them)."""


class Site:
    """The host with all kinds that this kernel has, and its agent."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.network = Network(lab)
        self.places: dict[str, Place] = {}
        self.built: dict[str, Built] = {}
        self.missing: dict[str, str] = {}
        for kind in (*KINDS, *REFUSED, *UNFIT):
            self._build(kind)
        late = self.network.place()
        self.late = late.cable()[1]
        late.carry_out()
        self.agent = self._agent()
        self.members = {
            kind.name: lab.keep(Member(self.network.host, self.built[kind.name].name))
            for kind in (*KINDS, *REFUSED)
            if kind.name in self.built
        }

    def _build(self, kind: Kind) -> None:
        place = self.network.place()
        try:
            self.built[kind.name] = kind.build(place)
            self.places[kind.name] = place
        except NotHere as error:
            self.missing[kind.name] = str(error)

    def _agent(self) -> RunningAgent:
        """On all, on what is below a VLAN, too, and on a NIC that a bond takes later."""
        below = self.built["VLAN"].below if "VLAN" in self.built else ()
        names = dict.fromkeys([*(each.name for each in self.built.values()), *below, self.late])
        arguments = [word for name in names for word in ("-i", name)]
        return self.lab.agent(self.network.host, *arguments, "--metrics", "")

    def of(self, kind: Kind) -> tuple[Place, Built]:
        if kind.name in self.missing:
            pytest.skip(self.missing[kind.name])
        return self.places[kind.name], self.built[kind.name]

    def status(self, name: str) -> dict[str, Any]:
        return interface(self.agent, name)

    def held(self, kind: Kind, *ports: str) -> dict[str, Filter]:
        """What the bridge holds at these ports, or whichever of them leads to the interface."""
        place, built = self.of(kind)
        return {
            entry["grp"]: Filter(entry["filter_mode"], sources_of(entry))
            for entry in place.bridge.memberships()
            if entry.get("port") in (ports or built.ports)
            and "src" not in entry
            and "filter_mode" in entry
        }

    def expect_held(self, kind: Kind, wanted: Mapping[str, Filter]) -> None:
        def holds() -> bool:
            held = self.held(kind)
            assert held.items() >= wanted.items(), f"the bridge holds {held}"
            return True

        eventually(holds, what=f"{kind.name}: the bridge holds {wanted}")

    def queries(self, name: str) -> int:
        return received(self.agent, name).get("igmp query 3", 0)


def sources_of(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Those whose timer runs, of an INCLUDE; the kernel of the host excludes none here."""
    listed = entry.get("source_list", [])
    return tuple(sorted(each["address"] for each in listed if float(each["timer"]) > 0))


def other_message(place: Place) -> bytes:
    """DVMRP to all hosts: all bridges and NICs let it through, no kernel or querier sends it."""
    neighbour = bytes((10, 77, place.number, 3))
    return ethernet(ipv4(igmp(b"\x13\1\0\0" + bytes(4)), source=neighbour))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch, Lab() as lab:
        patch.setenv("STATE_DIRECTORY", str(tmp_path_factory.mktemp("state")))
        yield Site(lab)


@pytest.fixture(scope="module")
def joined(site: Site) -> Site:
    """An application on each has joined, from any source and from one, of both families."""
    for member in site.members.values():
        member.join(ANY)
        member.join(ANY_6)
        member.join_source(ONE, SOURCE)
        member.join_source(ONE_6, SOURCE_6)
    return site


@pytest.fixture(scope="module")
def taken_over(joined: Site) -> Site:
    """All kinds that can be are in host mode, and the agent has joined a group of its own."""
    with Client(str(joined.agent.control)) as client:
        for kind in KINDS:
            if kind.name in joined.built:
                name = joined.built[kind.name].name
                joined.agent.ask("mode", name=name, mode="host")
                client.join(name, AGENTS_OWN, name="own")
    return joined


def named(kinds: tuple[Kind, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", kinds, ids=[each.name for each in kinds])


@named((*KINDS, *REFUSED))
def test_it_is_observed(joined: Site, kind: Kind) -> None:
    """The hooks that are right for it; its querier, its groups; others' reports to the last one."""
    place, built = joined.of(kind)
    status = joined.status(built.name)
    hook = kind.hook if kind.hook != "tcx" else EGRESS_HOOK
    assert (status["hook"], status["egress_hook"]) == (hook, EGRESS_HOOK), status["hook_reasons"]
    eventually(lambda: joined.status(built.name)["igmp"]["querier"] == place.querier)
    eventually(lambda: joined.status(built.name)["mld"]["querier"])
    wanted = {} if kind in REFUSED else JOINED
    for group, filter_ in wanted.items():
        eventually(lambda: filter_of(joined.agent, group, built.name) == filter_, what=group)  # noqa: B023


@named((*KINDS, *REFUSED))
def test_messages_are_counted_once(joined: Site, kind: Kind) -> None:
    place, built = joined.of(kind)
    eventually(lambda: joined.queries(built.name) > 0)
    before = {
        name: received(joined.agent, name).get("igmp other", 0)
        for name in (built.name, *built.below)
        if joined.status(name)
    }
    message = other_message(place)
    wire = Wire(place.switch, built.ports[0])
    for _ in range(COUNTED):
        wire.send(message)
    wire.close()

    queries = joined.queries(built.name)
    eventually(lambda: joined.queries(built.name) > queries, what="what was sent later has come")
    after = {name: received(joined.agent, name).get("igmp other", 0) for name in before}
    assert {name: after[name] - before[name] for name in before} == dict.fromkeys(before, COUNTED)


@named(tuple(each for each in KINDS if each.answers_mld))
def test_the_bridge_keeps_all_groups_in_host_mode(taken_over: Site, kind: Kind) -> None:
    keeps(taken_over, kind, JOINED)


@named(tuple(each for each in KINDS if not each.answers_mld))
def test_where_linux_answers_no_mld_query_the_bridge_keeps_igmps(
    taken_over: Site, kind: Kind
) -> None:
    keeps(taken_over, kind, {group: each for group, each in JOINED.items() if ":" not in group})


def keeps(site: Site, kind: Kind, wanted: Mapping[str, Filter]) -> None:
    """These groups and the agent's own, while queries come and are answered."""
    _, built = site.of(kind)
    assert site.status(built.name)["mode"] == "host"
    wanted = {**wanted, AGENTS_OWN: Filter("exclude", ())}
    site.expect_held(kind, wanted)
    begun = site.queries(built.name)
    while site.queries(built.name) < begun + KEPT_QUERIES:
        held = site.held(kind)
        assert held.items() >= wanted.items(), held
        time.sleep(0.5)


@named(KINDS)
def test_a_join_is_spoken_of_once(taken_over: Site, kind: Kind) -> None:
    """As often as the robustness asks (RFC 9776 §5.1), whoever else of the host's sees it pass."""
    _, built = taken_over.of(kind)
    sniffer = taken_over.lab.keep(Sniffer(taken_over.network.switch, built.ports[0]))
    taken_over.members[kind.name].join(ANOTHER)
    taken_over.expect_held(kind, {ANOTHER: Filter("exclude", ())})
    begun = taken_over.queries(built.name)
    eventually(lambda: taken_over.queries(built.name) > begun + 2, what="later queries")
    said = [type_ for type_, _ in sniffer.records(ANOTHER) if type_ == "TO_EX"]
    assert len(said) == ROBUSTNESS
    assert all(
        filter_of(taken_over.agent, ANOTHER, name) is None
        for name in built.below
        if taken_over.status(name)
    ), "what is below does not take it for its own"


@named(tuple(each for each in KINDS if each.name in ("bond active-backup", "team")))
def test_groups_are_held_over_a_fail_over(taken_over: Site, kind: Kind) -> None:
    """The bridge knows them behind the other port without a question, and keeps them."""
    _, built = taken_over.of(kind)
    wanted = JOINED | {AGENTS_OWN: Filter("exclude", ())}
    for port, cable in ((1, 0), (0, 1)):
        taken_over.network.host.ip("link", "set", built.below[cable], "down")
        eventually(
            lambda: taken_over.held(kind, built.ports[port]).items() >= wanted.items(),  # noqa: B023
            what=f"all groups are behind {built.ports[port]}",
        )
        taken_over.network.host.ip("link", "set", built.below[cable], "up")
    assert taken_over.status(built.name)["mode"] == "host"


@pytest.mark.parametrize("slave", ["with XDP", "without XDP"])
def test_a_bond_that_is_followed_takes_new_ports(joined: Site, slave: str) -> None:
    """Whether their drivers have XDP or not, and whether the agent is on them or not."""
    bond = next(each for each in KINDS if each.name == "bond active-backup")
    _, built = joined.of(bond)
    host = joined.network.host
    if slave == "with XDP":
        name = joined.late
        eventually(lambda: joined.status(name)["hook"] == "xdp-native")
    else:
        name = "dummy77"
        host.ip("link", "add", name, "type", "dummy")
    host.ip("link", "set", name, "down")
    host.ip("link", "set", name, "master", built.name)
    host.ip("link", "set", name, "up")

    queries = joined.queries(built.name)
    eventually(lambda: joined.queries(built.name) > queries)
    if slave == "with XDP":
        assert joined.status(name)["hook"] == "xdp-native"
        with pytest.raises(AgentError, match="is a port of a bond device"):
            joined.agent.ask("mode", name=name, mode="host")
    host.ip("link", "set", name, "nomaster")


@named(REFUSED)
def test_host_mode_is_refused_where_another_device_speaks(joined: Site, kind: Kind) -> None:
    _, built = joined.of(kind)
    with pytest.raises(
        AgentError, match=r"is a port of a .*run (that \w+ device|the bridge) itself"
    ):
        joined.agent.ask("mode", name=built.name, mode="host")
    assert joined.status(built.name)["mode"] == "observe"


@named(UNFIT)
def test_what_cannot_be_run_says_why_and_what_to_name_instead(site: Site, kind: Kind) -> None:
    _, built = site.of(kind)
    status = site.status(built.name)
    assert status["hook"] == "none"
    assert re.search(r"name the |multicast on", status["problem"]), status["problem"]
