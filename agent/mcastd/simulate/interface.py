"""The interface that a simulated host stands on: link, MTU and addresses."""

from __future__ import annotations

from collections.abc import Iterable

from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.simulate.scenario import InterfaceAddress


class Interface:
    """What the host's surroundings know."""

    def __init__(
        self, family: ProtocolFamily, mtu: int, addresses: Iterable[InterfaceAddress]
    ) -> None:
        self.family = family
        self.mtu = mtu
        self.is_up = True
        self._addresses = {each.ip: each for each in addresses}

    def add(self, address: InterfaceAddress) -> None:
        self._addresses[address.ip] = address

    def remove(self, address: InterfaceAddress) -> None:
        """Without effect if there is no such address."""
        self._addresses.pop(address.ip, None)

    @property
    def addresses(self) -> frozenset[Address]:
        return frozenset(each.packed for each in self._addresses)

    @property
    def source(self) -> Address:
        """Where messages come from: all zeros if there is no fitting address.

        IGMP takes an address of the interface (RFC 9776 §4.2.14), MLD a link-local one (RFC 9777
        §5.2.14). The earliest stays, whatever comes later.
        """
        for each in self._addresses:
            if each.version == 4 or each.is_link_local:
                return each.packed
        return self.family.unspecified
