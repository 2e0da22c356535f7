"""A map that is full is counted and told; what is in it stays, and the agent goes on."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from mcastd.fastpath.fast_path import FastPath
from mcastd.fastpath.kernel import Kernel
from mcastd.fastpath.objects import BpfObject
from mcastd.fastpath.policies import Policy
from mcastd.service.faults import Fault, Faults
from mcastd.service.own_addresses import OwnAddresses

pytestmark = pytest.mark.bpf

ROOM = 8
INDEX = 1
"""The loopback's: policies may be put for it, and nothing is attached."""


@pytest.fixture
def small(compiled: BpfObject) -> Iterator[FastPath]:
    made = FastPath(Kernel(compiled, entries={"assigned": ROOM, "queriers": ROOM, "counters": 8}))
    yield made
    made.close()


def groups(count: int) -> list[bytes]:
    first = int(ip_address("239.1.0.0"))
    return [ip_address(first + number).packed for number in range(count)]


def test_groups_beyond_the_room_are_counted_and_the_others_stay(small: FastPath) -> None:
    for group in groups(100):
        small.assign(INDEX, group)
        small.delay(INDEX, group, delaying=True)

    # A hash map holds exactly its entries, whatever came before.
    assert small.refused["assigned"] == 2 * (100 - ROOM)
    for group in groups(100):
        small.unassign(INDEX, group)
    small.assign(INDEX, groups(1)[0])
    assert small.refused["assigned"] == 2 * (100 - ROOM)


def test_it_is_told_once_and_as_what_it_is(
    small: FastPath, caplog: pytest.LogCaptureFixture
) -> None:
    faults = Faults()
    own = OwnAddresses(small, faults)

    own.add(INDEX, groups(100))

    assert faults.counts[Fault.MAP_FULL] == 1
    assert "the map of the groups and addresses of all interfaces is full" in caplog.text
    assert "92 times" in faults.last[Fault.MAP_FULL][1]
    own.remove(INDEX, groups(100))
    assert faults.counts[Fault.MAP_FULL] == 1


def test_queriers_beyond_the_room_are_strangers(small: FastPath) -> None:
    small._in_force[INDEX] = (0, Policy())
    for group in groups(50):
        small.know_querier(INDEX, group)
    for group in groups(50):
        small.know_querier(INDEX, group, known=False)

    assert small.refused["queriers"] > 0
