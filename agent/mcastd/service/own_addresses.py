"""Tells the programs which addresses and groups belong to an interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mcastd.gmp.family import Address
from mcastd.service.addresses import Own
from mcastd.service.faults import Fault, Faults
from mcastd.service.programs import Programs

MAPS = {
    "assigned": "the groups and addresses of all interfaces",
    "queriers": "known queriers",
    "listed": "named queriers",
}
"""What is in the maps that can become full."""


class OwnAddresses:
    """Writes the map, for all interfaces. What the kernel refuses is a fault, and no error."""

    def __init__(self, programs: Programs, faults: Faults) -> None:
        self._programs = programs
        self._faults = faults
        self._refused: dict[str, int] = {}

    def take(self, index: int, addresses: Mapping[Address, Own]) -> None:
        """What addresses are to the interface from now on; a group is one that is usable."""
        for address, own in addresses.items():
            try:
                if own is Own.NO:
                    self._programs.unassign(index, address)
                else:
                    self._programs.assign(index, address, is_usable=own is Own.USABLE)
            except OSError as error:
                self._faults.tell_error(Fault.INTERFACE, f"interface {index}", error)
        self._report_full_maps()

    def add(self, index: int, groups: Iterable[Address]) -> None:
        """The interface receives these groups from now on."""
        self.take(index, dict.fromkeys(groups, Own.USABLE))

    def remove(self, index: int, addresses: Iterable[Address]) -> None:
        """They are no longer the interface's own."""
        self.take(index, dict.fromkeys(addresses, Own.NO))

    def _report_full_maps(self) -> None:
        """Reports entries that had no room, each time that there are more of them."""
        for name, count in self._programs.refused.items():
            if count > self._refused.get(name, 0):
                self._refused[name] = count
                text = f"the map of {MAPS.get(name, name)} is full: {count} times there was no room"
                self._faults.tell(Fault.MAP_FULL, text, about=name)
