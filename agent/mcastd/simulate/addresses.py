"""Addresses as a scenario writes them."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.native import SourceList
from mcastd.simulate.nodes import Node
from mcastd.simulate.scenario import InterfaceAddress


def address(node: Node, family: ProtocolFamily) -> Address:
    """An address of the family; a scope (`%eth0`) is none."""
    return parsed(node.text(), node, family)


def parsed(written: str, node: Node, family: ProtocolFamily) -> Address:
    """The address `written` at the node, or in its key."""
    try:
        found = ip_address(written)
    except ValueError:
        node.refuse(f"{written!r} is not an address")
    if len(found.packed) != family.address_width or "%" in written:
        node.refuse(f"{written} is not an address that {family.name} can carry")
    return found.packed


def source_list(node: Node, family: ProtocolFamily) -> SourceList:
    """A list of addresses of the family."""
    return SourceList.of((address(each, family) for each in node.items()), family.address_width)


def interface_address(node: Node, family: ProtocolFamily) -> InterfaceAddress:
    """A unicast address of the family with its prefix length, as in 192.0.2.10/24."""
    written = node.text()
    try:
        found = ip_interface(written)
    except ValueError:
        node.refuse(f"{written!r} is not an address with its prefix length, as in 192.0.2.10/24")
    if len(found.packed) != family.address_width or "%" in written:
        node.refuse(f"{written} is not an address that {family.name} can carry")
    if found.is_multicast or not any(found.packed):
        node.refuse(f"{written} cannot be an interface's address")
    return found
