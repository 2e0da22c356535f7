"""rtnetlink's messages as links and addresses; pyroute2 writes what is read here."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcastd.net.links import latest
from mcastd.net.rtnetlink import (
    AddressChanged,
    Change,
    Link,
    LinkChanged,
    LinkGone,
    change_of,
    messages,
)
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

NEW_LINK, DEL_LINK, NEW_ADDRESS, DEL_ADDRESS, NEW_ROUTE = 16, 17, 20, 21, 24
UP, LOOPBACK, RUNNING, MULTICAST = 0x1, 0x8, 0x40, 0x1000
ETHERNET, NONE, GRE, PPP = 1, 0xFFFE, 778, 512
BRIDGE = 7

ETH0 = Link(
    index=2, name="eth0", is_running=True, is_loopback=False, has_multicast=True,
    mtu=1500, hardware_address="02:00:00:00:00:01", kind="veth", carrier_losses=3,
)  # fmt: skip

ATTRIBUTES: dict[str, Any] = {
    "IFLA_IFNAME": "eth0",
    "IFLA_MTU": 1500,
    "IFLA_ADDRESS": "02:00:00:00:00:01",
    "IFLA_CARRIER_DOWN_COUNT": 3,
    "IFLA_LINKINFO": {"attrs": [("IFLA_INFO_KIND", "veth")]},
}


def encoded(message: Any, kind: int, fields: dict[str, Any], attributes: dict[str, Any]) -> bytes:
    message["header"]["type"] = kind
    for name, value in fields.items():
        message[name] = value
    message["attrs"] = [(name, value) for name, value in attributes.items() if value is not None]
    message.encode()
    return bytes(message.data)


def link_message(
    kind: int = NEW_LINK, attributes: dict[str, Any] | None = None, **fields: Any
) -> bytes:
    head = {"family": 0, "ifi_type": ETHERNET, "index": 2, "flags": UP | RUNNING | MULTICAST}
    return encoded(ifinfmsg(), kind, head | fields, ATTRIBUTES | (attributes or {}))


def address_message(
    kind: int = NEW_ADDRESS, *, family: int = 2, flags: int = 0x80, **addresses: Any
) -> bytes:
    fields = {"family": family, "prefixlen": 24, "flags": flags & 0xFF, "scope": 0, "index": 2}
    named = {f"IFA_{name.upper()}": value for name, value in addresses.items()}
    return encoded(ifaddrmsg(), kind, fields, named | {"IFA_FLAGS": flags})


def told(data: bytes) -> list[Change | None]:
    return [change_of(message) for message in messages(data)]


def link(attributes: dict[str, Any] | None = None, **fields: Any) -> Link:
    (change,) = told(link_message(attributes=attributes, **fields))
    assert isinstance(change, LinkChanged)
    return change.link


def test_a_link_is_read() -> None:
    assert link() == ETH0


def test_a_link_without_more_than_it_must_have_is_read() -> None:
    bare = dict.fromkeys(ATTRIBUTES) | {"IFLA_IFNAME": "eth0"}

    assert link(bare) == replace(ETH0, kind="", hardware_address="", mtu=0, carrier_losses=0)


@pytest.mark.parametrize(
    ("flags", "running"), [(UP | RUNNING, True), (UP, False), (RUNNING, False), (0, False)]
)
def test_a_link_runs_if_it_is_up_and_has_a_carrier(flags: int, running: bool) -> None:
    assert link(flags=flags | MULTICAST).is_running is running


def test_a_port_knows_what_it_is_a_port_of() -> None:
    info = [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_SLAVE_KIND", "bridge")]

    assert link({"IFLA_LINKINFO": {"attrs": info}}).master_kind == "bridge"


def test_a_bonds_active_port_is_read() -> None:
    data = {"attrs": [("IFLA_BOND_MODE", 1), ("IFLA_BOND_ACTIVE_SLAVE", 7)]}
    info = [("IFLA_INFO_KIND", "bond"), ("IFLA_INFO_DATA", data)]

    assert link({"IFLA_LINKINFO": {"attrs": info}}).active_port == 7


def test_alternative_names_are_read() -> None:
    names = [("IFLA_ALT_IFNAME", "enp0s3"), ("IFLA_ALT_IFNAME", "the-very-long-name-of-the-uplink")]

    found = link({"IFLA_PROP_LIST": {"attrs": names}})

    assert found.alternative_names == ("enp0s3", "the-very-long-name-of-the-uplink")


@pytest.mark.parametrize("event", [0, 1, 2, 3, 4, 5, 6])
def test_what_is_to_be_reported_again_is_told(event: int) -> None:
    """IFLA_EVENT_IGMP_RESEND is 5."""
    (change,) = told(link_message(attributes={"IFLA_EVENT": event}))

    assert isinstance(change, LinkChanged)
    assert change.resends is (event == 5)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({}, None),
        ({"flags": LOOPBACK | UP}, "name the interface that the groups come in by"),
        ({"ifi_type": NONE}, "tun, WireGuard"),
        ({"ifi_type": GRE}, "gretap"),
        ({"ifi_type": PPP}, "PPP"),
        ({"ifi_type": 12345}, "hardware type 12345"),
        ({"flags": UP | RUNNING}, "ip link set dev eth0 multicast on"),
    ],
)
def test_a_link_that_cannot_be_run_says_why_and_what_to_do(
    fields: dict[str, Any], problem: str | None
) -> None:
    unfit = link(**fields).unfit

    assert unfit is None if problem is None else problem in str(unfit)


def test_a_link_that_goes_is_gone() -> None:
    assert told(link_message(DEL_LINK)) == [LinkGone(2)]


@pytest.mark.parametrize("kind", [NEW_LINK, DEL_LINK])
def test_what_a_bridge_says_of_its_port_is_not_the_port(kind: int) -> None:
    """It is half a message, and the port that leaves its bridge is not gone."""
    assert told(link_message(kind, family=BRIDGE)) == [None]


@pytest.mark.parametrize("name", [None, ""])
def test_a_link_without_a_name_is_none(name: str | None) -> None:
    assert told(link_message(attributes={"IFLA_IFNAME": name})) == [None]


def test_what_a_wlan_says_of_its_scans_is_not_the_link() -> None:
    assert told(link_message(attributes={"IFLA_WIRELESS": "00:01"})) == [None]


@pytest.mark.parametrize(
    ("family", "addresses", "text"),
    [
        (2, {"address": "192.0.2.10", "local": "192.0.2.10"}, "192.0.2.10"),
        (2, {"address": "192.0.2.1", "local": "192.0.2.10"}, "192.0.2.10"),
        (10, {"address": "fe80::1"}, "fe80::1"),
    ],
    ids=["usual", "point to point", "ipv6"],
)
def test_an_address_is_read(family: int, addresses: dict[str, Any], text: str) -> None:
    assert told(address_message(family=family, **addresses)) == [
        AddressChanged(2, ip_address(text).packed, True)
    ]


@pytest.mark.parametrize("flags", [0x40, 0x08, 0x48], ids=["tentative", "duplicate", "both"])
def test_an_address_that_is_being_probed_is_not_usable(flags: int) -> None:
    (change,) = told(address_message(family=10, address="fe80::1", flags=0x80 | flags))

    assert isinstance(change, AddressChanged)
    assert not change.usable


def test_an_address_that_goes_is_not_usable() -> None:
    assert told(address_message(DEL_ADDRESS, local="192.0.2.10")) == [
        AddressChanged(2, ip_address("192.0.2.10").packed, False)
    ]


def test_other_messages_are_of_no_interest() -> None:
    assert told(link_message(NEW_ROUTE) + address_message()) == [None, None]


def test_several_messages_of_one_datagram_are_read() -> None:
    both = link_message(attributes={"IFLA_IFNAME": "odd"}) + link_message(DEL_LINK)

    assert [type(each) for each in told(both)] == [LinkChanged, LinkGone]


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 30))
def test_whatever_the_kernel_says_nothing_is_raised(noise: bytes, at: int, kind: int) -> None:
    data = bytearray(link_message() + address_message(local="192.0.2.10"))
    data[at : at + len(noise)] = noise
    data[4] = kind

    told(bytes(data))


# What comes together is told once.

UP_LINK, DOWN_LINK = LinkChanged(ETH0), LinkChanged(replace(ETH0, is_running=False))
ADDRESS = AddressChanged(2, bytes(4), True)
NO_ADDRESS = AddressChanged(2, bytes(4), False)


def test_the_same_thing_is_told_once_as_it_is_in_the_end() -> None:
    larger = LinkChanged(replace(ETH0, mtu=9000))

    assert latest([UP_LINK, ADDRESS, larger, NO_ADDRESS]) == [larger, NO_ADDRESS]


def test_a_link_that_went_is_told_before_the_one_that_came_with_its_index() -> None:
    assert latest([UP_LINK, ADDRESS, LinkGone(2), UP_LINK]) == [LinkGone(2), UP_LINK]


def test_down_and_up_again_is_not_nothing() -> None:
    assert latest([DOWN_LINK, UP_LINK]) == [DOWN_LINK, UP_LINK]
    assert latest([UP_LINK, DOWN_LINK, UP_LINK]) == [DOWN_LINK, UP_LINK]


def test_what_is_to_be_reported_again_outlasts_later_messages() -> None:
    assert latest([LinkChanged(ETH0, resends=True), UP_LINK]) == [LinkChanged(ETH0, resends=True)]
