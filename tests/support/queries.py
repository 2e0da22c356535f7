"""Queries and reports as other machines send them, put together by hand: Ethernet frames."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from struct import pack

MAC = bytes.fromhex("02000000abcd")
ALL_HOSTS, ALL_NODES = "224.0.0.1", "ff02::1"
IPV4_ALERT = bytes.fromhex("94040000")
IPV6_ALERT = bytes.fromhex("3a00050200000100")


def internet_checksum(data: bytes) -> bytes:
    total = sum(
        int.from_bytes(data[i : i + 2].ljust(2, b"\0"), "big") for i in range(0, len(data), 2)
    )
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return pack(">H", total ^ 0xFFFF)


def igmp_frame(
    source: str, destination: str, message: bytes, *, alert: bool = True, ttl: int = 1
) -> bytes:
    """A message whose checksum is still zero. To a unicast address it goes as a broadcast."""
    to = ip_address(destination).packed
    options = IPV4_ALERT if alert else b""
    words = 5 + len(options) // 4
    head = pack(">BBHHHBBH", 0x40 | words, 0xC0, 4 * words + len(message), 0, 0x4000, ttl, 2, 0)
    head += ip_address(source).packed + to + options
    head = head[:10] + internet_checksum(head) + head[12:]
    message = message[:2] + internet_checksum(message) + message[4:]
    hardware = b"\x01\x00\x5e" + bytes((to[1] & 0x7F,)) + to[2:] if to[0] >= 224 else b"\xff" * 6
    return hardware + MAC + b"\x08\x00" + head + message


def mld_frame(source: str, destination: str, message: bytes, *, hop_limit: int = 1) -> bytes:
    """A message whose checksum is still zero, with Router Alert."""
    from_, to = ip_address(source).packed, ip_address(destination).packed
    total = internet_checksum(from_ + to + pack(">IxxxB", len(message), 58) + message)
    message = message[:2] + total + message[4:]
    head = pack(">IHBB", 6 << 28, len(IPV6_ALERT) + len(message), 0, hop_limit)
    head += from_ + to
    return b"\x33\x33" + to[12:] + MAC + b"\x86\xdd" + head + IPV6_ALERT + message


def igmp_query(
    version: int,
    source: str,
    *,
    response: int = 10,
    group: str = "0.0.0.0",
    sources: Sequence[str] = (),
    interval: int = 125,
    ttl: int = 1,
    to: str = "",
) -> bytes:
    """`response`: tenths of a second."""
    code = 0 if version == 1 else response
    message = pack(">BBH", 0x11, code, 0) + ip_address(group).packed
    if version == 3:
        message += pack(">BBH", 2, interval, len(sources))
        message += b"".join(ip_address(each).packed for each in sources)
    to = to or (ALL_HOSTS if group == "0.0.0.0" else group)
    return igmp_frame(source, to, message, alert=version > 1, ttl=ttl)


def mld_query(
    version: int,
    source: str,
    *,
    response: int = 1000,
    group: str = "::",
    sources: Sequence[str] = (),
    interval: int = 125,
    hop_limit: int = 1,
) -> bytes:
    """`response`: milliseconds."""
    message = pack(">BBHHH", 130, 0, 0, response, 0) + ip_address(group).packed
    if version == 2:
        message += pack(">BBH", 2, interval, len(sources))
        message += b"".join(ip_address(each).packed for each in sources)
    to = ALL_NODES if group == "::" else group
    return mld_frame(source, to, message, hop_limit=hop_limit)


def igmp_report(version: int, source: str, group: str) -> bytes:
    """Of one group; as IGMPv3, to EXCLUDE nothing."""
    address = ip_address(group).packed
    if version == 3:
        message = pack(">BBHHH", 0x22, 0, 0, 0, 1) + pack(">BBH", 4, 0, 0) + address
        return igmp_frame(source, "224.0.0.22", message)
    return igmp_frame(source, group, pack(">BBH", 0x16 if version == 2 else 0x12, 0, 0) + address)
