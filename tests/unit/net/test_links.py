"""Netlink's messages as links and addresses."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from mcastd.net import AddressChanged, Link, LinkChanged, LinkGone
from mcastd.net.links import change_of

UP, LOOPBACK, RUNNING, MULTICAST = 0x1, 0x8, 0x40, 0x1000
ETHERNET, NONE = 1, 0xFFFE

ETH0 = Link(
    index=2, name="eth0", is_running=True, is_loopback=False, is_ethernet=True, has_multicast=True,
    mtu=1500, hardware_address="02:00:00:00:00:01", kind="veth", master_kind="",
)  # fmt: skip


def new_link(**parts: Any) -> dict[str, Any]:
    """An RTM_NEWLINK, as pyroute2 gives it."""
    return {
        "event": "RTM_NEWLINK", "family": 0, "index": 2, "ifname": "eth0", "ifi_type": ETHERNET,
        "flags": UP | RUNNING | MULTICAST, "mtu": 1500, "address": "02:00:00:00:00:01",
        "linkinfo": {"kind": "veth"},
    } | parts  # fmt: skip


def link(**parts: Any) -> Link:
    change = change_of(new_link(**parts))
    assert isinstance(change, LinkChanged)
    return change.link


def test_a_link_is_read() -> None:
    assert link() == ETH0


def test_a_link_without_more_than_it_must_have_is_read() -> None:
    found = link(linkinfo=None, address=None, mtu=None)

    assert found == replace(ETH0, kind="", hardware_address="", mtu=0)


@pytest.mark.parametrize(
    ("flags", "running"), [(UP | RUNNING, True), (UP, False), (RUNNING, False), (0, False)]
)
def test_a_link_runs_if_it_is_up_and_has_a_carrier(flags: int, running: bool) -> None:
    assert link(flags=flags | MULTICAST).is_running is running


def test_a_port_knows_what_it_is_a_port_of() -> None:
    assert link(linkinfo={"kind": "veth", "slave_kind": "bridge"}).master_kind == "bridge"


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({}, None),
        ({"flags": LOOPBACK | UP}, "loopback"),
        ({"ifi_type": NONE}, "not an Ethernet interface"),
        ({"flags": UP | RUNNING}, "ip link set eth0 multicast on"),
    ],
)
def test_a_link_that_cannot_be_run_says_why(parts: dict[str, Any], problem: str | None) -> None:
    unfit = link(**parts).unfit

    assert unfit is None if problem is None else problem in str(unfit)


def test_a_link_that_goes_is_gone() -> None:
    assert change_of(new_link(event="RTM_DELLINK")) == LinkGone(2)


def test_a_port_that_leaves_its_bridge_is_not_gone() -> None:
    """The bridge says so with its own family."""
    assert change_of(new_link(event="RTM_DELLINK", family=7)) is None


def new_address(**parts: Any) -> dict[str, Any]:
    return {"event": "RTM_NEWADDR", "family": 2, "index": 2, "flags": 0x80} | parts


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"address": "192.0.2.10", "local": "192.0.2.10"}, "192.0.2.10"),
        ({"address": "192.0.2.1", "local": "192.0.2.10"}, "192.0.2.10"),
        ({"family": 10, "address": "fe80::1"}, "fe80::1"),
    ],
    ids=["usual", "point to point", "ipv6"],
)
def test_an_address_is_read(parts: dict[str, Any], text: str) -> None:
    assert change_of(new_address(**parts)) == AddressChanged(2, ip_address(text).packed, True)


@pytest.mark.parametrize("flags", [0x40, 0x08, 0x48], ids=["tentative", "duplicate", "both"])
def test_an_address_that_is_being_probed_is_not_usable(flags: int) -> None:
    change = change_of(new_address(family=10, address="fe80::1", flags=0x80 | flags))

    assert isinstance(change, AddressChanged)
    assert not change.usable


def test_an_address_that_goes_is_not_usable() -> None:
    change = change_of(new_address(event="RTM_DELADDR", local="192.0.2.10"))

    assert change == AddressChanged(2, ip_address("192.0.2.10").packed, False)


def test_other_messages_are_of_no_interest() -> None:
    assert change_of({"event": "RTM_NEWROUTE", "index": 2}) is None
    assert change_of(new_address()) is None
