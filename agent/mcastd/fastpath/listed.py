"""Tells the programs which queriers are configured, as prefixes that they look up."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from mcastd.fastpath.errors import FULL
from mcastd.fastpath.kernel import Map
from mcastd.fastpath.policies import Policy, Prefix

FIXED_BITS = 64
"""Of a key: interface and protocol."""

IPV4, IPV6 = 4, 16
"""Widths of addresses."""


class Listed:
    """The map `listed`, which nobody else writes."""

    def __init__(self, listed: Map) -> None:
        self._map = listed
        self._there: dict[int, frozenset[Prefix]] = {}
        self.refused = 0
        """How often there was no room: the programs then let queries of anybody pass."""

    def put(self, ifindex: int, policy: Policy) -> Policy:
        """Has all that is named for the interface in the map; the policy that may be in force then.

        Of a family that does not fit into it, nobody's queries are refused here. What is no longer
        named stays until `tidy`, after the policy has been put in force. OSError.
        """
        wanted = frozenset(policy.listed)
        there = self._there.get(ifindex, frozenset())
        if not wanted and not there:
            return policy
        fits = {
            width: self._add(ifindex, {each for each in wanted - there if is_of(each, width)})
            for width in (IPV4, IPV6)
        }
        named = {len(each.address) for each in wanted}
        return policy._replace(
            lists_igmp=IPV4 in named and fits[IPV4], lists_mld=IPV6 in named and fits[IPV6]
        )

    def _add(self, ifindex: int, new: Iterable[Prefix]) -> bool:
        for each in new:
            try:
                self._map.update(listed_key(ifindex, each), bytes(4))
            except OSError as error:
                if error.errno not in FULL:
                    raise
                self.refused += 1
                return False
            self._there[ifindex] = self._there.get(ifindex, frozenset()) | {each}
        return True

    def tidy(self, ifindex: int, policy: Policy | None = None) -> None:
        """Only what the policy names is left; nothing without one."""
        wanted = frozenset(policy.listed) if policy is not None else frozenset()
        there = self._there.pop(ifindex, frozenset())
        for each in there - wanted:
            self._map.delete(listed_key(ifindex, each))
        if there & wanted:
            self._there[ifindex] = there & wanted


def listed_key(ifindex: int, prefix: Prefix) -> bytes:
    """struct mcast_listed."""
    protocol = 1 if is_of(prefix, IPV6) else 0
    length = FIXED_BITS + prefix.length
    return struct.pack("=III16s", length, ifindex, protocol, prefix.address)


def is_of(prefix: Prefix, width: int) -> bool:
    return len(prefix.address) == width
