"""Which interfaces can be run at all."""

from __future__ import annotations

IFF_LOOPBACK, IFF_MULTICAST = 0x8, 0x1000
ARPHRD_ETHER = 1


def unfitness(
    name: str, *, is_loopback: bool, is_ethernet: bool, has_multicast: bool
) -> str | None:
    """Why an interface cannot be run; None if it can."""
    if is_loopback:
        return "is the loopback interface, on which there is no IGMP or MLD"
    if not is_ethernet:
        return "is not an Ethernet interface"
    if not has_multicast:
        return f"has multicast switched off (ip link set {name} multicast on)"
    return None
