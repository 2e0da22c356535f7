"""Decides which interfaces can be run, and what to name instead of one that cannot."""

from __future__ import annotations

from mcastd.net.names import word

IFF_LOOPBACK, IFF_MULTICAST = 0x8, 0x1000
ARPHRD_ETHER = 1

WITHOUT_ETHERNET = {
    32: "InfiniBand",
    280: "CAN",
    512: "PPP",
    519: "raw IP, such as a modem's",
    768: "an IPv4 tunnel",
    769: "an IPv6 tunnel",
    776: "an IPv6-in-IPv4 tunnel",
    778: "a GRE tunnel",
    801: "IEEE 802.11 without Ethernet frames",
    802: "IEEE 802.11 without Ethernet frames",
    803: "IEEE 802.11 without Ethernet frames",
    823: "a GRE tunnel",
    0xFFFE: "tun, WireGuard or another tunnel of bare IP",
}
"""ARPHRD types, include/uapi/linux/if_arp.h."""


def unfitness(
    name: str, *, is_loopback: bool, hardware_type: int, has_multicast: bool, kind: str = ""
) -> str | None:
    """Why an interface cannot be run, and what to do about it; None if it can.

    `hardware_type`: ARPHRD_ETHER and its like. `kind`: the device's, such as "vlan", if known.
    """
    if is_loopback:
        return (
            "is the loopback interface, on which there is no IGMP or MLD: name the interface that "
            "the groups come in by"
        )
    if hardware_type != ARPHRD_ETHER:
        what = WITHOUT_ETHERNET.get(hardware_type, f"hardware type {hardware_type}")
        return (
            f"is not an Ethernet interface ({what}): mcastd reads Ethernet frames, nothing else; "
            "name the NIC below it, which shows what comes outside of the tunnel, or use a tunnel "
            "with Ethernet frames in it (tap, gretap, vxlan)"
        )
    if not has_multicast and kind == "vrf":
        return "is a VRF, whose ports have the memberships: name the interfaces in it"
    if not has_multicast:
        return f"has multicast switched off (ip link set dev {word(name)} multicast on)"
    return None
