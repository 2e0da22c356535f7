"""Keeps the unicast addresses of all links, and which of them can be used to send from.

The two differ for moments only, and under a cap those count: what comes from an address that is
not known to be the interface's own is not held back.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from mcastd.gmp.family import Address
from mcastd.net.links import Snapshot
from mcastd.net.rtnetlink import AddressChanged


class Own(Enum):
    """What an address is to an interface."""

    NO = auto()
    RESERVED = auto()
    """The kernel may report from it, and nothing else comes from it."""
    USABLE = auto()


class Addresses:
    """By link. Pure: what is to be told to the programs is returned.

    The kernel reports from an address the moment that its probing ends (RFC 4862 §5.4), before it
    tells that it can be used. So an address that is probed is the interface's own already, and one
    that went with the link is it still, until another comes.
    """

    def __init__(self) -> None:
        self._usable: dict[int, dict[Address, None]] = {}
        self._probed: dict[int, set[Address]] = {}
        self._gone_with_link: dict[int, set[Address]] = {}

    def usable(self, index: int) -> Mapping[Address, None]:
        """Those that messages can come from, in the order in which they came."""
        return self._usable.get(index, {})

    def of(self, index: int) -> dict[Address, Own]:
        """All that are the interface's own."""
        found: dict[Address, Own] = dict.fromkeys(self._gone_with_link.get(index, ()), Own.RESERVED)
        found |= dict.fromkeys(self._probed.get(index, ()), Own.RESERVED)
        return found | dict.fromkeys(self._usable.get(index, ()), Own.USABLE)

    def take(self, change: AddressChanged, *, is_down: bool) -> dict[Address, Own]:
        """What the addresses are from now on that this changes. `is_down`: the link is."""
        index, address = change.index, change.address
        if change.usable:
            self._usable.setdefault(index, {})[address] = None
            self._drop(self._probed, index, address)
            gone = self._gone_with_link.pop(index, set()) - self._known(index)
            return dict.fromkeys(gone, Own.NO) | {address: Own.USABLE}
        self._usable.get(index, {}).pop(address, None)
        self._drop(self._probed, index, address)
        if change.is_probed:
            self._probed.setdefault(index, set()).add(address)
        elif is_down:
            self._gone_with_link.setdefault(index, set()).add(address)
        elif address not in self._gone_with_link.get(index, ()):
            return {address: Own.NO}
        return {address: Own.RESERVED}

    def _known(self, index: int) -> set[Address]:
        return self._usable.get(index, {}).keys() | self._probed.get(index, set())

    @staticmethod
    def _drop(sets: dict[int, set[Address]], index: int, address: Address) -> None:
        """No link is kept that has none: they come and go."""
        found = sets.get(index, set())
        found.discard(address)
        if not found:
            sets.pop(index, None)

    def gone_by(self, snapshot: Snapshot) -> list[AddressChanged]:
        """What is known, and is not in a snapshot of all that there is."""
        there = {(each.index, each.address) for each in snapshot.addresses}
        return [
            AddressChanged(index, address, usable=False)
            for known in (self._usable, self._probed)
            for index, addresses in known.items()
            for address in addresses
            if (index, address) not in there
        ]

    def forget(self, index: int) -> None:
        """The link is gone."""
        for known in (self._usable, self._probed, self._gone_with_link):
            known.pop(index, None)

    def release(self, index: int) -> list[Address]:
        """All that were the interface's own, which the programs are to forget."""
        found = list(self.of(index))
        self._gone_with_link.pop(index, None)
        return found
