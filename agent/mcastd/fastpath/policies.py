"""Tells the programs what to do on each interface, in an open-addressing hash table."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from typing import NamedTuple

from mcastd._native import lib as abi
from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.kernel import Map

PLACES = abi.MCAST_PLACES
TRIED = abi.MCAST_PLACES_TRIED

NANOSECONDS = 1_000_000_000

ANY_ADDRESS = (1 << 64) - 1
"""Any address may be the interface's own."""


class Limit(NamedTuple):
    """Events handed over a second, and how many at once after a pause; 0 a second is no limit."""

    per_second: int
    burst: int

    def packed(self) -> bytes:
        """struct mcast_limit."""
        interval = NANOSECONDS // self.per_second if self.per_second else 0
        return struct.pack("=QQ", interval, interval * max(self.burst - 1, 0))


class Prefix(NamedTuple):
    """Addresses of one family that begin with so many bits of this one."""

    address: bytes
    length: int


SWITCHES = {
    "hand_over_reports": abi.MCAST_HAND_OVER_REPORTS,
    "host_mode": abi.MCAST_HOST_MODE,
    "discard_floods": abi.MCAST_DISCARD_FLOODS,
    "hold_igmp": abi.MCAST_HOLD_IGMP,
    "hold_mld": abi.MCAST_HOLD_MLD,
    "consume_igmp": abi.MCAST_CONSUME_IGMP,
    "consume_mld": abi.MCAST_CONSUME_MLD,
    "strict_kernel": abi.MCAST_STRICT_KERNEL,
    "has_ipv4": abi.MCAST_HAS_IPV4,
    "has_ipv6": abi.MCAST_HAS_IPV6,
    "tags_taken_out": abi.MCAST_TAGS_TAKEN_OUT,
    "lists_igmp": abi.MCAST_LISTED_IGMP,
    "lists_mld": abi.MCAST_LISTED_MLD,
}
"""Fields of a policy, and their bits in `struct mcast_policy`."""


QUERIES, REPORTS, QUERIER = Limit(1000, 200), Limit(2000, 500), Limit(50, 50)
"""Unless files say otherwise: of all queries, all reports, and one known querier's queries."""


class Policy(NamedTuple):
    """What is done with an interface's packets.

    In host mode only, while the heartbeat is fresh: `discard_floods`: what is beyond the limits is
    kept from the kernel, too; `hold_igmp`, `hold_mld`: the kernel's own reports are held back;
    `consume_igmp`, `consume_mld`: older queries are kept from it; `strict_kernel`: those that are
    refused are, too. `hardware`: the interface's own address; `has_ipv4`, `has_ipv6`: whether it
    has one that reports come from. `asking`: from which hardware address the agent's questions to
    the kernel come. `tags_taken_out`: the program at XDP has one behind it, which is told VLAN
    tags. `listed`: the queriers that are named, if any are; `lists_igmp`, `lists_mld`: those of
    others are refused.
    """

    igmp_max_version: int = 3
    mld_max_version: int = 2
    require_ttl1: bool = True
    require_router_alert: bool = False
    hand_over_reports: bool = False
    host_mode: bool = False
    discard_floods: bool = False
    hold_igmp: bool = False
    hold_mld: bool = False
    consume_igmp: bool = False
    consume_mld: bool = False
    strict_kernel: bool = False
    has_ipv4: bool = False
    has_ipv6: bool = False
    hardware: bytes = bytes(6)
    asking: bytes = b"\xff" * 6
    tags_taken_out: bool = False
    lists_igmp: bool = False
    lists_mld: bool = False
    listed: tuple[Prefix, ...] = ()
    queries: Limit = QUERIES
    reports: Limit = REPORTS
    egress: Limit = Limit(20000, 4000)
    known_querier: Limit = QUERIER

    def packed(self, ifindex: int, slot: int, own: int, queriers: int) -> bytes:
        """struct mcast_policy; see `Policies.put`."""
        head = struct.pack(
            "=IIIBBBB6s2x6s2xQQ",
            ifindex,
            slot,
            sum(bit for name, bit in SWITCHES.items() if getattr(self, name)),
            self.igmp_max_version,
            self.mld_max_version,
            self.require_ttl1,
            self.require_router_alert,
            self.hardware,
            self.asking,
            own,
            queriers,
        )
        limits = (self.queries, self.reports, self.egress, self.known_querier)
        return head + b"".join(limit.packed() for limit in limits)


class Policies:
    """The maps `policies` and `elsewhere`, which nobody else writes.

    An interface's place is one of the few that are tried for its index. When others have all of
    these, it is behind them, and `elsewhere` says where: whatever the indices are, all fit.
    """

    def __init__(self, maps: Mapping[str, Map]) -> None:
        self._map, self._elsewhere = maps["policies"], maps["elsewhere"]
        self._place_of: dict[int, int] = {}
        self._taken: set[int] = set()
        self._behind = list(range(self._map.spec.entries - 1, PLACES - 1, -1))

    def put(
        self,
        ifindex: int,
        slot: int,
        policy: Policy,
        own: int = ANY_ADDRESS,
        queriers: int = ANY_ADDRESS,
    ) -> None:
        """The interface has this policy from now on, and its counters in this slot.

        `own`, `queriers`: the bits, of `own_bit`, of its unicast addresses and of the queriers that
        are known. FastPathError if there is no place.
        """
        place = self._place_of.get(ifindex)
        if place is None:
            place = self._place_for(ifindex)
        self._write(place, policy.packed(ifindex, slot, own, queriers))
        if ifindex not in self._place_of and place >= PLACES:
            self._elsewhere.update(_number(ifindex), _number(place))
        self._place_of[ifindex] = place
        self._taken.add(place)

    def _place_for(self, ifindex: int) -> int:
        near = ((ifindex + i) % PLACES for i in range(TRIED))
        place: int | None = next((each for each in near if each not in self._taken), None)
        if place is None and self._behind:
            place = self._behind.pop()
        if place is None:
            raise FastPathError(f"interface {ifindex}: there is no place for its policy")
        return place

    def leave(self, ifindex: int) -> None:
        """The interface is no longer looked at; nothing happens if it was not."""
        place = self._place_of.pop(ifindex, None)
        if place is None:
            return
        if place >= PLACES:
            self._elsewhere.delete(_number(ifindex))
            self._behind.append(place)
        self._write(place, bytes(self._map.spec.value_size))
        self._taken.discard(place)

    def _write(self, place: int, value: bytes) -> None:
        self._map.update(_number(place), value)


def _number(value: int) -> bytes:
    return struct.pack("=I", value)


def own_bit(address: bytes) -> int:
    """The bit that stands for a unicast address in `struct mcast_policy`; see bpf/addresses.h."""
    return 1 << (address[-1] & 63)


def bits(addresses: Iterable[bytes]) -> int:
    """Of all of them."""
    return reduce(or_, map(own_bit, addresses), 0)
