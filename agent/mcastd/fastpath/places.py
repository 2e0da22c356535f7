"""Where the programs find an interface: a table that they search without a hash or a call."""

from __future__ import annotations

import struct

from mcastd._native import lib as abi
from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.kernel import Map

PLACES = abi.MCAST_PLACES
TRIED = abi.MCAST_PLACES_TRIED

PLACE = struct.Struct("=II")
"""struct mcast_place: the interface's index and its slot."""


class Places:
    """The map `places`, which nobody else writes."""

    def __init__(self, places: Map) -> None:
        self._map = places
        self._taken: dict[int, int] = {}
        self._place_of: dict[int, int] = {}

    def take(self, ifindex: int, slot: int) -> None:
        """The interface has this slot from now on.

        FastPathError if TRIED others have indices that differ from its own by multiples of PLACES.
        """
        place = self._place_of.get(ifindex)
        if place is None:
            near = ((ifindex + i) % PLACES for i in range(TRIED))
            place = next((each for each in near if each not in self._taken), None)
        if place is None:
            raise FastPathError(f"interface {ifindex}: {TRIED} others have its place in the table")
        self._write(place, ifindex, slot)
        self._taken[place], self._place_of[ifindex] = ifindex, place

    def leave(self, ifindex: int) -> None:
        """The interface is no longer looked at; nothing happens if it was not."""
        place = self._place_of.pop(ifindex, None)
        if place is not None:
            self._write(place, 0, 0)
            del self._taken[place]

    def _write(self, place: int, ifindex: int, slot: int) -> None:
        self._map.update(struct.pack("=I", place), PLACE.pack(ifindex, slot))
