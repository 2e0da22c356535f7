"""What cannot be run says what to name instead, or what to switch on."""

from __future__ import annotations

import pytest
from mcastd.net.fitness import ARPHRD_ETHER, unfitness

TUN = 0xFFFE


@pytest.mark.parametrize(
    ("hardware_type", "has_multicast", "kind", "remedy"),
    [
        (TUN, False, "tun", "name the NIC below it"),
        (TUN, True, "wireguard", "name the NIC below it"),
        (ARPHRD_ETHER, False, "vrf", "name the interfaces in it"),
        (ARPHRD_ETHER, False, "dummy", "ip link set dev x0 multicast on"),
        (ARPHRD_ETHER, False, "", "ip link set dev x0 multicast on"),
    ],
)
def test_a_refusal_has_its_remedy(
    hardware_type: int, has_multicast: bool, kind: str, remedy: str
) -> None:
    said = unfitness(
        "x0", is_loopback=False, hardware_type=hardware_type, has_multicast=has_multicast, kind=kind
    )
    assert remedy in (said or "")


@pytest.mark.parametrize("kind", ["", "veth", "vlan", "bond", "team", "bridge", "macvlan", "vxlan"])
def test_what_has_ethernet_frames_and_multicast_can_be_run(kind: str) -> None:
    assert (
        unfitness(
            "x0", is_loopback=False, hardware_type=ARPHRD_ETHER, has_multicast=True, kind=kind
        )
        is None
    )
