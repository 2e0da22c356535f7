"""What a receiver knows besides the packet itself."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from mcastd._native import ffi
from mcastd.gmp.family import Address


@dataclass(frozen=True, slots=True)
class ReceptionContext:
    """How strictly to read, and on which interface.

    A maximum version below the newest reads queries as the older RFCs do, of which only the first
    bytes count (RFC 2236 §6, RFC 2710 §3.7). `require_router_alert` refuses IGMPv2 and IGMPv3
    queries without it (RFC 9776 §9.1); MLD must always have it.

    `own_addresses` are the interface's unicast addresses; an older report from one of them is our
    own. `joined` are the multicast groups assigned to it. A query may be sent to any of both (RFC
    9776 §4.1.12). Where `addresses_known` is false, as in a capture file, neither is asked.
    """

    igmp_max_version: int = 3
    mld_max_version: int = 2
    require_ttl1: bool = True
    require_router_alert: bool = False
    own_addresses: frozenset[Address] = frozenset()
    joined: Container[Address] = frozenset()
    addresses_known: bool = True
    rules: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Keeps the rules as `struct mcast_rules`, for the classifier."""
        rules = ffi.new("struct mcast_rules *")
        rules.igmp_max_version = self.igmp_max_version
        rules.mld_max_version = self.mld_max_version
        rules.require_ttl_1 = self.require_ttl1
        rules.require_router_alert = self.require_router_alert
        object.__setattr__(self, "rules", rules)

    def is_assigned(self, address: Address) -> bool:
        """Whether the interface has this address, unicast or multicast."""
        return address in self.own_addresses or address in self.joined
