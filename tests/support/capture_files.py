"""pcap and pcapng files by hand, in every form that there is of them."""

from __future__ import annotations

from struct import pack

MICROSECONDS = 0xA1B2C3D4
NANOSECONDS = 0xA1B23C4D

SECTION = 0x0A0D0D0A
INTERFACE, PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 1, 2, 3, 6


def pcap(
    *packets: bytes,
    order: str = "<",
    magic: int = MICROSECONDS,
    link_type: int = 1,
    seconds: int = 1_700_000_000,
    fraction: int = 500,
    left_out: int = 0,
) -> bytes:
    """`left_out`: bytes at the end of each packet that were not captured."""
    file = pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262144, link_type)
    for packet in packets:
        captured = packet[: len(packet) - left_out]
        file += pack(f"{order}IIII", seconds, fraction, len(captured), len(packet)) + captured
    return file


def block(order: str, type_: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = pack(f"{order}I", 12 + len(body))
    return pack(f"{order}I", type_) + length + body + length


def section(order: str = "<", version: int = 1) -> bytes:
    return block(order, SECTION, pack(f"{order}IHHq", 0x1A2B3C4D, version, 0, -1))


def option(order: str, code: int, data: bytes) -> bytes:
    return pack(f"{order}HH", code, len(data)) + data + bytes(-len(data) % 4)


def interface(
    order: str = "<", link_type: int = 1, snap_length: int = 0, options: bytes = b""
) -> bytes:
    return block(order, INTERFACE, pack(f"{order}HHI", link_type, 0, snap_length) + options)


def enhanced_packet(
    data: bytes, order: str = "<", number: int = 0, time: int = 0, length: int | None = None
) -> bytes:
    head = pack(
        f"{order}IIIII", number, time >> 32, time & 0xFFFFFFFF, len(data), length or len(data)
    )
    return block(
        order, ENHANCED_PACKET, head + data + bytes(-len(data) % 4) + b"\1\0\2\0\xff\xfe\0\0"
    )
