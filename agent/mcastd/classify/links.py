"""Strips the link header of a captured packet, and calls the decoders of `mcastd.wire`."""

from __future__ import annotations

from collections.abc import Callable

from mcastd.wire import Received, ReceptionContext, Rejected, decode_frame, decode_packet

Decoded = Received | Rejected | None

LINK_TYPE_NULL = 0
LINK_TYPE_ETHERNET = 1
LINK_TYPE_RAW_BSD = 12
LINK_TYPE_RAW_OPENBSD = 14
LINK_TYPE_RAW = 101
LINK_TYPE_LOOP = 108
LINK_TYPE_LINUX_COOKED = 113
LINK_TYPE_IPV4 = 228
LINK_TYPE_IPV6 = 229
LINK_TYPE_LINUX_COOKED_2 = 276

_NO_ADDRESSES = bytes(12)


def _cooked(data: bytes, context: ReceptionContext) -> Decoded:
    """Linux cooked capture: 16 bytes, of which the last two are the EtherType."""
    return decode_frame(_NO_ADDRESSES + data[14:], context)


def _cooked_2(data: bytes, context: ReceptionContext) -> Decoded:
    """Its second version: 20 bytes, of which the first two are the EtherType."""
    return decode_frame(_NO_ADDRESSES + data[:2] + data[20:], context)


def _null(data: bytes, context: ReceptionContext) -> Decoded:
    """BSD loopback: an address family, whose number differs by system, then the packet."""
    return decode_packet(data[4:], context)


_DECODERS: dict[int, Callable[[bytes, ReceptionContext], Decoded]] = {
    LINK_TYPE_NULL: _null,
    LINK_TYPE_ETHERNET: decode_frame,
    LINK_TYPE_RAW_BSD: decode_packet,
    LINK_TYPE_RAW_OPENBSD: decode_packet,
    LINK_TYPE_RAW: decode_packet,
    LINK_TYPE_LOOP: _null,
    LINK_TYPE_LINUX_COOKED: _cooked,
    LINK_TYPE_IPV4: decode_packet,
    LINK_TYPE_IPV6: decode_packet,
    LINK_TYPE_LINUX_COOKED_2: _cooked_2,
}


TAGS = frozenset({0x8100, 0x88A8, 0x9100})
"""EtherTypes of VLAN tags, four bytes each."""

_ETHERTYPE_AT = {LINK_TYPE_ETHERNET: (12, 14), LINK_TYPE_LINUX_COOKED: (14, 16)}
"""Where it is, and where what follows begins."""


def network_of(link_type: int, data: bytes) -> tuple[int | None, int]:
    """The EtherType, and where the network's header begins; None if the data end before."""
    if link_type == LINK_TYPE_LINUX_COOKED_2:
        return _number(data, 0), 20
    if link_type not in _ETHERTYPE_AT:
        start = 4 if link_type in (LINK_TYPE_NULL, LINK_TYPE_LOOP) else 0
        version = data[start] >> 4 if len(data) > start else 0
        return {4: 0x0800, 6: 0x86DD}.get(version), start
    at, start = _ETHERTYPE_AT[link_type]
    ethertype = _number(data, at)
    while ethertype in TAGS:
        ethertype = _number(data, start + 2)
        start += 4
    return ethertype, start


def _number(data: bytes, at: int) -> int | None:
    return int.from_bytes(data[at : at + 2]) if len(data) >= at + 2 else None


def is_readable(link_type: int) -> bool:
    return link_type in _DECODERS


def decode_link(link_type: int, data: bytes, context: ReceptionContext) -> Decoded:
    """None for what is neither IGMP nor MLD, and for link types that cannot be read."""
    decode = _DECODERS.get(link_type)
    return decode(data, context) if decode else None
