"""The IPv6 header and the Hop-by-Hop Options header around an MLD message (RFC 9777 §5)."""

from __future__ import annotations

from struct import Struct

from mcastd.gmp.family import Address
from mcastd.native import checksum

HEADER_LENGTH = 40
SOURCE = 8
DESTINATION = 24

HOP_BY_HOP = bytes((58, 0, 5, 2, 0, 0, 1, 0))
"""Next header ICMPv6, 8 bytes, Router Alert of value 0 "MLD" (RFC 2711 §2.1), PadN of 2 bytes."""

_HEADER = Struct(">IHBB16s16s")
_PSEUDO_HEADER = Struct(">16s16sIxxxB")
_VERSION = 6 << 28
_NEXT_HEADER_HOP_BY_HOP = 0
_NEXT_HEADER_ICMPV6 = 58


def header(
    source: Address, destination: Address, length: int, *, ttl: int = 1, router_alert: bool = True
) -> bytes:
    """For an MLD message of `length` bytes: Hop Limit `ttl`, Router Alert (RFC 9777 §5)."""
    extension = HOP_BY_HOP if router_alert else b""
    following = _NEXT_HEADER_HOP_BY_HOP if extension else _NEXT_HEADER_ICMPV6
    payload = len(extension) + length
    return _HEADER.pack(_VERSION, payload, following, ttl, source, destination) + extension


def pseudo_header_sum(source: Address, destination: Address, length: int) -> int:
    """Of the pseudo-header for a message of `length` bytes, without the extension headers.

    RFC 8200 §8.1: next header is 58 whatever the IPv6 header says.
    """
    pseudo_header = _PSEUDO_HEADER.pack(source, destination, length, _NEXT_HEADER_ICMPV6)
    return checksum(pseudo_header) ^ 0xFFFF
