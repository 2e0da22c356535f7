"""The IPv4 header around an IGMP message (RFC 9776 §4)."""

from __future__ import annotations

from struct import Struct

from mcastd.gmp.family import Address
from mcastd.native import checksum

HEADER_LENGTH = 20
SOURCE = 12
DESTINATION = 16

ROUTER_ALERT = bytes((0x94, 0x04, 0x00, 0x00))
"""Copied on fragmentation, class 0, number 20, 4 bytes, value 0 (RFC 2113 §2.1)."""

_HEADER = Struct(">BBHHHBBH4s4s")
_PROTOCOL_IGMP = 2
_INTERNETWORK_CONTROL = 0xC0
_DONT_FRAGMENT = 0x4000


def header(
    source: Address, destination: Address, length: int, *, ttl: int = 1, router_alert: bool = True
) -> bytes:
    """For an IGMP message of `length` bytes.

    Precedence Internetwork Control, TTL 1, Router Alert (RFC 9776 §4; RFC 2236 §2 asks for the same
    but the precedence, and no RFC forbids it to the older versions). Don't Fragment with
    identification 0, an atomic datagram as RFC 6864 §4.1 has it.
    """
    options = ROUTER_ALERT if router_alert else b""
    words = (HEADER_LENGTH + len(options)) // 4
    without_checksum = _HEADER.pack(
        0x40 | words, _INTERNETWORK_CONTROL, 4 * words + length, 0, _DONT_FRAGMENT, ttl,
        _PROTOCOL_IGMP, 0, source, destination,
    )  # fmt: skip
    total = checksum(without_checksum + options)
    return without_checksum[:10] + total.to_bytes(2) + without_checksum[12:] + options


def pseudo_header_sum(source: Address, destination: Address, length: int) -> int:
    """IGMP's checksum covers the IP payload only (RFC 9776 §4.1.2)."""
    return 0
