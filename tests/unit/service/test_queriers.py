"""Who asks on a link, of whom only so many are remembered."""

from __future__ import annotations

from dataclasses import replace

from mcastd.gmp.time import Instant, seconds
from mcastd.service.querier import KNOWN, REMEMBERED, Queriers
from support.network import Network


def hear(queriers: Queriers, net: Network, at: float, number: int = 1, **parts: object) -> bool:
    """A general query of the querier with this number, if nothing else is said."""
    address = net.querier[:-2] + number.to_bytes(2)
    query = replace(net.query(), source=address, **parts)  # type: ignore[arg-type]
    general = query.group == net.family.unspecified
    return queriers.hear(Instant(seconds(at)), query, general=general, router_alert=True)


def test_the_last_to_ask_everybody_is_the_querier(net: Network) -> None:
    queriers = Queriers()

    assert hear(queriers, net, 0, 1)
    assert not hear(queriers, net, 1, 1)
    assert hear(queriers, net, 2, 2)
    assert queriers.current is not None
    assert queriers.current.address == net.querier[:-2] + b"\0\2"


def test_who_asks_for_a_group_only_is_not_the_querier(net: Network) -> None:
    queriers = Queriers()
    hear(queriers, net, 0, 1)

    assert not hear(queriers, net, 1, 2, group=net.g1)
    assert queriers.current is not None
    assert queriers.current.address == net.querier[:-2] + b"\0\1"


def test_another_version_is_a_change(net: Network) -> None:
    queriers = Queriers()
    hear(queriers, net, 0)

    assert hear(queriers, net, 1, version=net.older)
    assert not hear(queriers, net, 2, version=net.older)


def test_the_interval_is_that_between_general_queries(net: Network) -> None:
    queriers = Queriers()
    hear(queriers, net, 0)
    assert queriers.current is not None
    assert queriers.current.observed_interval is None

    hear(queriers, net, 3, group=net.g1)
    hear(queriers, net, 10)

    assert queriers.current.observed_interval == seconds(10)
    assert queriers.current.queries == 3


def test_a_forged_flood_makes_no_flood_of_memory(net: Network) -> None:
    queriers = Queriers()
    for number in range(1000):
        hear(queriers, net, number, number)

    assert len(queriers.by_address) == REMEMBERED


def test_the_querier_is_not_forgotten_for_others_who_ask_for_groups(net: Network) -> None:
    queriers = Queriers()
    hear(queriers, net, 0, 1)
    for number in range(2, 100):
        hear(queriers, net, number, number, group=net.g1)

    assert not hear(queriers, net, 125, 1)
    assert len(queriers.by_address) == REMEMBERED
    assert queriers.current in queriers.by_address.values()


def address_of(net: Network, number: int) -> bytes:
    return net.querier[:-2] + number.to_bytes(2)


def test_who_is_expected_is_known_before_asking(net: Network) -> None:
    queriers = Queriers()
    queriers.expect(address_of(net, 1), Instant(seconds(100)))
    assert queriers.known == {address_of(net, 1)}

    hear(queriers, net, 1, 1)

    assert queriers.known == {address_of(net, 1)}
    assert queriers.expected == {}


def test_who_is_expected_in_vain_makes_room_for_others(net: Network) -> None:
    queriers = Queriers()
    for number in range(1, KNOWN + 2):
        queriers.expect(address_of(net, number), Instant(seconds(100)))
    assert queriers.known == {address_of(net, number) for number in range(1, KNOWN + 1)}
    for at in (90, 95, 100, 105):
        hear(queriers, net, at, 9)

    assert queriers.known == {address_of(net, 9)}


def test_who_comes_too_late_is_a_stranger(net: Network) -> None:
    queriers = Queriers()
    queriers.expect(address_of(net, 1), Instant(seconds(100)))

    hear(queriers, net, 101, 1)

    assert queriers.known == set()
