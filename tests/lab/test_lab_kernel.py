"""What differs from one kernel to the next: the hooks, and what a killed agent leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from mcastd.lab import Member
from support.host_lab import ANY, HostLab, host_lab
from support.kernel_features import EGRESS_HOOK, TCX
from support.lab import Cable, Filter, expect_filter, interface, run_in
from support.waiting import eventually

pytestmark = pytest.mark.lab

BEFORE_TCX = pytest.mark.skipif(TCX, reason="this kernel has TCX: clsact is not used")


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


def filters(net: HostLab) -> list[int]:
    """Identifiers of the programs of ours that are in clsact, at egress."""
    shown = run_in(net.host, "tc", "-json", "filter", "show", "dev", "eth0", "egress").stdout
    options = [each.get("options", {}) for each in json.loads(shown or "[]")]
    return [each["prog"]["id"] for each in options if "mcast" in each.get("bpf_name", "")]


def test_the_hooks_are_the_best_that_this_kernel_has(
    cable: Cable, record_property: Callable[[str, object], None]
) -> None:
    cable.observe()

    found = interface(cable.agent)
    record_property("in", found["hook"])
    record_property("out", found["egress_hook"])
    assert (found["hook"], found["egress_hook"]) == ("xdp-native", EGRESS_HOOK)
    member = cable.lab.keep(Member(cable.host, "eth0"))
    member.join("239.1.2.3")
    expect_filter(cable.agent, "239.1.2.3", Filter("exclude", ()))


@BEFORE_TCX
def test_a_filter_in_clsact_goes_with_the_agent(net: HostLab) -> None:
    agent = net.agent()
    assert len(filters(net)) == 1

    agent.close()

    assert filters(net) == []


@BEFORE_TCX
def test_what_a_killed_agent_left_in_clsact_is_inert_and_is_replaced(net: HostLab) -> None:
    member = net.member()
    member.join("239.1.1.1")
    agent = net.agent()
    net.expect({"239.1.1.1": ANY})

    agent.kill()
    (left,) = filters(net)
    member.join("239.1.1.2")

    net.expect({"239.1.1.1": ANY, "239.1.1.2": ANY})
    second = net.agent()
    (ours,) = filters(net)
    assert ours != left
    member.join("239.1.1.3")
    net.expect({f"239.1.1.{number}": ANY for number in (1, 2, 3)})
    second.close()
    eventually(lambda: filters(net) == [])
