"""In host mode, what the kernel's own lists say against what its reports have said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from unittest.mock import Mock

import pytest
from mcastd.gmp.config import HostConfig
from mcastd.gmp.family import FAMILIES
from mcastd.gmp.filters import SourceFilter, exclude
from mcastd.gmp.time import Instant
from mcastd.service import host_mode
from mcastd.service.guard import Guard
from mcastd.service.host_mode import HostMode
from mcastd.service.interface import Interface
from mcastd.service.observer import AT_ONCE, KERNEL, Happening, Observer
from support.network import Network

Held = dict[bytes, SourceFilter]


class Drifting:
    """An interface in host mode whose kernel says one thing after the other."""

    def __init__(self, net: Network, lists: Iterator[Held], patch: pytest.MonkeyPatch) -> None:
        async def kernel_filters(_interface: Interface) -> Held:
            return next(lists)

        patch.setattr(host_mode, "kernel_filters", kernel_filters)
        patch.setattr(host_mode, "RECHECK_SECONDS", 0)
        configs = {name: HostConfig.from_mapping(family, {}) for name, family in FAMILIES.items()}
        self.interface = Interface("eth0", configs, Guard(), mode="host")
        self.observer: Observer = self.interface.of(net.family)
        self.told: list[str] = []
        self.host_mode = HostMode(Mock(), lambda: Instant(0), self.tell)
        self.host_mode._interfaces[1] = self.interface

    def tell(self, interface: Interface, family: str, happening: Happening) -> None:
        self.told.append(happening.name)

    def hears_of(self, group: bytes, wanted: SourceFilter) -> None:
        self.observer.listen(Instant(0), KERNEL, group, wanted)

    def check(self) -> None:
        asyncio.run(self.host_mode.check())


Kernel = Callable[[list[Held]], Drifting]


@pytest.fixture
def kernel(net: Network, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """Makes an interface of what its kernel will say."""
    return lambda lists: Drifting(net, iter(lists), monkeypatch)


def test_a_group_whose_report_was_missed_is_taken_up(net: Network, kernel: Kernel) -> None:
    everything = exclude(net.family.no_sources)
    drifting = kernel([{net.g1: everything}] * 2)

    drifting.check()

    assert drifting.observer.host.groups == {net.g1: everything}
    assert drifting.host_mode.drift_repairs == 1
    assert "joined" in drifting.told


def test_a_group_whose_leave_was_missed_is_given_up(net: Network, kernel: Kernel) -> None:
    drifting = kernel([{}, {}])
    drifting.hears_of(net.g1, exclude(net.family.no_sources))

    drifting.check()

    assert drifting.observer.host.groups == {}
    assert drifting.host_mode.drift_repairs == 1


def test_what_the_agent_itself_has_joined_is_none_of_the_kernels(
    net: Network, kernel: Kernel
) -> None:
    drifting = kernel([{}, {}])
    everything = exclude(net.family.no_sources)
    drifting.observer.listen(Instant(0), "an application", net.g1, everything)

    drifting.check()

    assert drifting.observer.host.groups == {net.g1: everything}
    assert drifting.host_mode.drift_repairs == 0


def test_what_was_only_on_its_way_is_left_alone(net: Network, kernel: Kernel) -> None:
    drifting = kernel([{net.g1: exclude(net.family.no_sources)}, {}])

    drifting.check()

    assert drifting.observer.host.groups == {}
    assert drifting.host_mode.drift_repairs == 0


def test_an_interface_that_is_given_back_meanwhile_is_left_alone(
    net: Network, kernel: Kernel
) -> None:
    drifting = kernel([{net.g1: exclude(net.family.no_sources)}] * 2)
    drifting.interface.mode = "observe"

    drifting.check()

    assert drifting.observer.host.groups == {}


def test_very_many_groups_are_compared_in_pieces(net: Network, kernel: Kernel) -> None:
    """The loop turns meanwhile: queries and the heartbeat do not wait for all of them."""
    width = net.family.address_width
    first = int.from_bytes(net.g1)
    everything = exclude(net.family.no_sources)
    held = {(first + i).to_bytes(width): everything for i in range(3 * AT_ONCE)}
    drifting = kernel([held, held])
    for group in held:
        drifting.hears_of(group, everything)
    turns = 0

    async def story() -> None:
        nonlocal turns
        checking = asyncio.ensure_future(drifting.host_mode._differences(drifting.interface, held))
        while not checking.done():
            turns += 1
            await asyncio.sleep(0)
        assert checking.result() == set()

    asyncio.run(story())

    assert turns > 3
