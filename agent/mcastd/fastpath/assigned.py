"""Tells the programs each interface's own addresses and groups, and the queriers it knows."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping

from mcastd._native import lib as abi
from mcastd.fastpath.errors import FULL
from mcastd.fastpath.kernel import Map


class Assigned:
    """The maps `assigned` and `queriers`, and what a policy says of them.

    `refused`: what a map had no room for, by its name. `is_anew`: the maps are those of an agent
    before this one; `settle` deletes what has not been assigned again.
    """

    def __init__(self, maps: Mapping[str, Map], refused: Counter[str], *, is_anew: bool) -> None:
        self._assigned, self._queriers = maps["assigned"], maps["queriers"]
        self._refused = refused
        self.unicast: dict[int, dict[bytes, bool]] = {}
        """The addresses of each interface, and whether more than reports comes from each."""
        self.queriers: dict[int, set[bytes]] = {}
        self._delaying: set[bytes] = set()
        self._again: set[bytes] | None = set() if is_anew else None

    def assign(self, ifindex: int, address: bytes, *, is_usable: bool) -> bool:
        """As `FastPath.assign`; whether the policy of the interface says something else now."""
        key = assigned_key(ifindex, address)
        delaying = abi.MCAST_DELAYING if key in self._delaying else 0
        if not self._put("assigned", self._assigned, key, flags(abi.MCAST_ASSIGNED | delaying)):
            return False
        if self._again is not None:
            self._again.add(key)
        if not is_unicast(address):
            return False
        unicast = self.unicast.setdefault(ifindex, {})
        changes = unicast.get(address) != is_usable
        unicast[address] = is_usable
        return changes

    def unassign(self, ifindex: int, address: bytes) -> bool:
        """Whether the policy of the interface says something else now."""
        key = assigned_key(ifindex, address)
        self._delaying.discard(key)
        self._assigned.delete(key)
        return self.unicast.get(ifindex, {}).pop(address, None) is not None

    def delay(self, ifindex: int, group: bytes, *, delaying: bool) -> None:
        """Whether other hosts' older reports for the group are handed over: its own is due."""
        key = assigned_key(ifindex, group)
        if not delaying and key not in self._delaying:
            return
        (self._delaying.add if delaying else self._delaying.discard)(key)
        value = abi.MCAST_ASSIGNED | (abi.MCAST_DELAYING if delaying else 0)
        if self._put("assigned", self._assigned, key, flags(value)) and self._again is not None:
            self._again.add(key)

    def know_querier(self, ifindex: int, address: bytes, *, known: bool) -> None:
        key, queriers = assigned_key(ifindex, address), self.queriers.setdefault(ifindex, set())
        if not known:
            self._queriers.delete(key)
            queriers.discard(address)
        elif self._put("queriers", self._queriers, key, bytes(self._queriers.spec.value_size)):
            queriers.add(address)

    def settle(self) -> None:
        if self._again is None:
            return
        again, self._again = self._again, None
        for key in [each for each in self._assigned.keys() if each not in again]:  # noqa: SIM118
            self._assigned.delete(key)

    def _put(self, name: str, map_: Map, key: bytes, value: bytes) -> bool:
        """Whether the map has room for it: others decide how much that is. OSError."""
        try:
            map_.update(key, value)
        except OSError as error:
            if error.errno not in FULL:
                raise
            self._refused[name] += 1
            return False
        return True


def is_unicast(address: bytes) -> bool:
    return address[0] != 0xFF and (len(address) == 16 or address[0] >> 4 != 0xE)


def assigned_key(ifindex: int, address: bytes) -> bytes:
    """struct mcast_assigned."""
    return struct.pack("=I16s", ifindex, address)


def flags(value: int) -> bytes:
    return struct.pack("=I", value)
