"""Finds packets that a capture has cut, and packets that are inside of others."""

from __future__ import annotations

from mcastd.classify.captures import CapturedPacket
from mcastd.classify.links import Decoded, decode_link, network_of
from mcastd.wire import Reason, ReceptionContext, Rejected

LENGTHS = frozenset({Reason.TOO_SHORT, Reason.BAD_LENGTH})
"""What a cut looks like to who sees no more of the packet."""

ENCAPSULATIONS = {
    0x8847: "MPLS", 0x8848: "MPLS", 0x8864: "PPPoE", 0x88E5: "MACsec", 0x88E7: "PBB",
    0x894F: "NSH",
}  # fmt: skip
"""EtherTypes whose payload may be a packet."""

TUNNELS = {4: "IP in IP", 41: "IPv6 in IP", 47: "GRE", 50: "ESP"}
"""Protocols of IP, likewise."""

EXTENSIONS, ICMPV6 = frozenset({0, 43, 60}), 58
"""Hop-by-hop options, routing, destination options (RFC 8200 §4)."""

IPV4, IPV6 = 0x0800, 0x86DD
LENGTH_AT = {IPV4: (2, 0), IPV6: (4, 40)}
"""Where the header has it, and what it does not count."""

PROTOCOL_AT = {IPV4: 9, IPV6: 6}


def judged(packet: CapturedPacket, context: ReceptionContext) -> tuple[Decoded, bool]:
    """What the packet is, and whether it was cut so short that it cannot be told if it is good.

    That it was cut is no fault of its sender's. A length is, if all of the packet was captured that
    its header tells of, or if that is more than was on the wire.
    """
    decoded = decode_link(packet.link_type, packet.data, context)
    if not packet.is_cut_short:
        return decoded, False
    if decoded is None:
        return None, is_undecided(packet)
    if not isinstance(decoded, Rejected) or decoded.reason not in LENGTHS:
        return decoded, False
    end = end_of(packet)
    return decoded, end is None or len(packet.data) < end <= packet.length


def end_of(packet: CapturedPacket) -> int | None:
    """Where it ends by its own header's word; None if it was cut before that."""
    ethertype, start = network_of(packet.link_type, packet.data)
    if ethertype not in LENGTH_AT:
        return None
    at, besides = LENGTH_AT[ethertype]
    field = packet.data[start + at : start + at + 2]
    return start + besides + int.from_bytes(field) if len(field) == 2 else None


def is_undecided(packet: CapturedPacket) -> bool:
    """Whether it ends before it is said which protocol it is of."""
    ethertype, start = network_of(packet.link_type, packet.data)
    if ethertype is None:
        return True
    if ethertype == IPV6:
        return ends_in_headers(packet.data[start:])
    return ethertype == IPV4 and len(packet.data) <= start + PROTOCOL_AT[IPV4]


def ends_in_headers(packet: bytes) -> bool:
    """Whether an IPv6 packet was cut before the first byte of its payload."""
    if len(packet) <= PROTOCOL_AT[IPV6]:
        return True
    following, at = packet[PROTOCOL_AT[IPV6]], 40
    while following in EXTENSIONS:
        if len(packet) < at + 2:
            return True
        following, at = packet[at], at + 8 * (packet[at + 1] + 1)
    return following == ICMPV6 and len(packet) <= at


def not_looked_into(packet: CapturedPacket) -> str | None:
    """The name of what the packet is in, if that may hold another packet."""
    ethertype, start = network_of(packet.link_type, packet.data)
    if ethertype is None:
        return None
    at = PROTOCOL_AT.get(ethertype)
    if at is None:
        return ENCAPSULATIONS.get(ethertype)
    protocol = packet.data[start + at : start + at + 1]
    return TUNNELS.get(protocol[0]) if protocol else None
