"""Finds out whether virtio_net runs an XDP program: it accepts one even where it never will.

Without mergeable buffers, and with segments that the host may have joined, the driver fills chains
of pages (receive_big() of Linux' drivers/net/virtio_net.c), and that way knows no XDP.
"""

from __future__ import annotations

import socket
from pathlib import Path

DRIVER = "virtio_net"

GUEST_TSO4, GUEST_TSO6, GUEST_ECN, GUEST_UFO, MRG_RXBUF = 7, 8, 9, 10, 15
GUEST_USO4, GUEST_USO6 = 54, 55
"""Bits of the features that device and driver agreed on (virtio 1.3, section 5.1.3)."""

JOINED_SEGMENTS = (GUEST_TSO4, GUEST_TSO6, GUEST_ECN, GUEST_UFO, GUEST_USO4, GUEST_USO6)

SYSFS = Path("/sys")


def fills_chains_of_pages(bus: str, ifindex: int, sysfs: Path = SYSFS) -> bool:
    """Of an interface of that driver, by its features as sysfs shows them: a digit for each bit.

    `bus`: where the device is on PCI, if it is, which sysfs shows for all network namespaces. False
    if they are not shown.
    """
    features = features_of(bus, ifindex, sysfs)
    return not is_on(features, MRG_RXBUF) and any(is_on(features, bit) for bit in JOINED_SEGMENTS)


def features_of(bus: str, ifindex: int, sysfs: Path) -> str:
    """Empty if they are not shown."""
    try:
        if bus and "/" not in bus:
            for each in (sysfs / "bus" / "pci" / "devices" / bus).glob("virtio*/features"):
                return each.read_text().strip()
        link = sysfs / "class" / "net" / socket.if_indextoname(ifindex)
        if int((link / "ifindex").read_text()) == ifindex:
            return (link / "device" / "features").read_text().strip()
    except (OSError, ValueError):
        pass  # as where sysfs is another network namespace's
    return ""


def is_on(features: str, bit: int) -> bool:
    """The first digit is that of bit 0."""
    return features[bit : bit + 1] == "1"
