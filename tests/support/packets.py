"""Packets by hand, for tests: apart from the product's encoder."""

from __future__ import annotations

from struct import pack


def internet_checksum(data: bytes) -> int:
    """RFC 1071, the plain way."""
    padded = data + b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(padded[i : i + 2]) for i in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def without_senders_choices(packet: bytes) -> bytes:
    """IPv4 with precedence, identification, Don't Fragment and the header checksum zeroed."""
    if packet[0] >> 4 != 4:
        return packet
    return packet[:1] + b"\0" + packet[2:4] + bytes(4) + packet[8:10] + bytes(2) + packet[12:]


def ipv4(
    payload: bytes,
    *,
    source: bytes = bytes((192, 0, 2, 1)),
    destination: bytes = bytes((224, 0, 0, 1)),
    protocol: int = 2,
    ttl: int = 1,
    options: bytes = bytes((0x94, 4, 0, 0)),
    fragment: int = 0,
) -> bytes:
    """An IPv4 packet; `options` are a multiple of four bytes, `fragment` the word of that field."""
    words = 5 + len(options) // 4
    length = 4 * words + len(payload)
    head = pack(">BBHHHBBH", 0x40 | words, 0, length, 0, fragment, ttl, protocol, 0)
    head += source + destination + options
    return head[:10] + internet_checksum(head).to_bytes(2) + head[12:] + payload


def igmp(message: bytes) -> bytes:
    """With its checksum."""
    without = message[:2] + b"\0\0" + message[4:]
    return without[:2] + internet_checksum(without).to_bytes(2) + without[4:]


def ipv6(
    payload: bytes,
    *,
    source: bytes = bytes.fromhex("fe80") + bytes(13) + b"\1",
    destination: bytes = bytes.fromhex("ff02") + bytes(13) + b"\1",
    next_header: int = 0,
    hop_limit: int = 1,
) -> bytes:
    """An IPv6 packet; extension headers are the beginning of the payload."""
    return (
        pack(">IHBB", 6 << 28, len(payload), next_header, hop_limit)
        + source
        + destination
        + payload
    )


def icmpv6(message: bytes, source: bytes, destination: bytes) -> bytes:
    """With its checksum."""
    without = message[:2] + b"\0\0" + message[4:]
    pseudo_header = source + destination + pack(">IxxxB", len(message), 58)
    return without[:2] + internet_checksum(pseudo_header + without).to_bytes(2) + without[4:]


HOP_BY_HOP = bytes.fromhex("3a00050200000100")
"""Router Alert "MLD" and two bytes of padding, before ICMPv6."""


def ethernet(packet: bytes, *tags: int) -> bytes:
    """An Ethernet frame with these VLAN tags, outermost first."""
    ethertype = b"\x86\xdd" if packet[:1] and packet[0] >> 4 == 6 else b"\x08\x00"
    outer = (b"\x88\xa8", b"\x81\x00") if len(tags) > 1 else (b"\x81\x00",)
    fields = b"".join(kind + tag.to_bytes(2) for kind, tag in zip(outer, tags, strict=False))
    return bytes.fromhex("01005e000001 020000000001") + fields + ethertype + packet
