"""Which addresses are an interface's own while the kernel says nothing of them."""

from __future__ import annotations

from mcastd.net.links import Snapshot
from mcastd.net.rtnetlink import AddressChanged
from mcastd.service.addresses import Addresses, Own

ONE, OTHER, THIRD = (bytes([0xFE, 0x80, *bytes(13), number]) for number in (1, 2, 3))


def comes(address: bytes, index: int = 2) -> AddressChanged:
    return AddressChanged(index, address, usable=True)


def is_probed(address: bytes, index: int = 2) -> AddressChanged:
    return AddressChanged(index, address, usable=False, is_probed=True)


def goes(address: bytes, index: int = 2) -> AddressChanged:
    return AddressChanged(index, address, usable=False)


def after(*changes: AddressChanged, is_down: bool = False) -> Addresses:
    addresses = Addresses()
    for change in changes:
        addresses.take(change, is_down=is_down)
    return addresses


def test_an_address_that_is_probed_is_the_interfaces_own_and_nothing_comes_from_it() -> None:
    addresses = after(is_probed(ONE))

    assert addresses.of(2) == {ONE: Own.RESERVED}
    assert not addresses.usable(2)


def test_an_address_that_was_probed_can_be_used_then() -> None:
    addresses = after(is_probed(ONE), is_probed(OTHER))

    assert addresses.take(comes(ONE), is_down=False) == {ONE: Own.USABLE}
    assert addresses.of(2) == {ONE: Own.USABLE, OTHER: Own.RESERVED}


def test_an_address_whose_probing_failed_is_nobodys() -> None:
    addresses = after(is_probed(ONE))

    assert addresses.take(goes(ONE), is_down=False) == {ONE: Own.NO}
    assert addresses.of(2) == {}


def test_an_address_that_went_with_the_link_is_kept_until_one_comes() -> None:
    addresses = after(comes(ONE), comes(OTHER))

    assert addresses.take(goes(ONE), is_down=True) == {ONE: Own.RESERVED}
    assert addresses.take(goes(OTHER), is_down=True) == {OTHER: Own.RESERVED}
    assert not addresses.usable(2)
    assert addresses.take(comes(THIRD), is_down=False) == {
        ONE: Own.NO,
        OTHER: Own.NO,
        THIRD: Own.USABLE,
    }


def test_an_address_that_comes_again_after_the_link_went_is_kept() -> None:
    addresses = after(comes(ONE))
    addresses.take(goes(ONE), is_down=True)
    addresses.take(is_probed(ONE), is_down=False)

    assert addresses.take(comes(OTHER), is_down=False) == {OTHER: Own.USABLE}
    assert addresses.of(2) == {ONE: Own.RESERVED, OTHER: Own.USABLE}


def test_what_a_snapshot_does_not_have_is_gone_probed_or_not() -> None:
    addresses = after(comes(ONE), is_probed(OTHER), comes(THIRD, index=3))
    snapshot = Snapshot(links=(), addresses=(comes(THIRD, index=3),))

    assert set(addresses.gone_by(snapshot)) == {goes(ONE), goes(OTHER)}


def test_nothing_is_kept_of_links_that_are_gone() -> None:
    addresses = Addresses()
    for index in range(2, 1000):
        for change in (is_probed(ONE, index), comes(ONE, index), comes(OTHER, index)):
            addresses.take(change, is_down=False)
        addresses.take(goes(OTHER, index), is_down=True)
        addresses.forget(index)

    assert all(addresses.of(index) == {} for index in range(2, 1000))
    assert not any(vars(addresses).values())
