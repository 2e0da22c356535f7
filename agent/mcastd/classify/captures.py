"""Packets out of pcap and pcapng files, whatever their byte order, resolution and link types.

dpkt knows the formats' structures. Its own readers hide how long a packet was on the wire and all
interfaces but the first, and end in silence where a file is cut off; so the reading is here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, BinaryIO

import dpkt

LARGEST_BLOCK = 1 << 24
"""More than any capture has in one piece: where a length says so, the file is damaged."""

_COMPRESSED = {b"\x1f\x8b": "zcat", b"\x28\xb5": "zstdcat", b"\xfd7": "xzcat", b"BZ": "bzcat"}


class CaptureError(Exception):
    """The rest of a file cannot be read; says why in one line."""


@dataclass(frozen=True, slots=True)
class CapturedPacket:
    """`data` begins with the header of `link_type` (the numbers of tcpdump.org/linktypes.html).

    `at`: nanoseconds since 1970; None where the file does not say. `length`: bytes on the wire.
    `interface`: its number in the file, through all sections; `interface_name`, if it has one.
    """

    at: int | None
    link_type: int
    data: bytes
    length: int
    interface: int = field(default=0, compare=False)
    interface_name: str | None = field(default=None, compare=False)

    @property
    def is_cut_short(self) -> bool:
        return len(self.data) < self.length


def read_capture(stream: BinaryIO) -> Iterator[CapturedPacket]:
    """All packets that are whole in the file; then CaptureError if it goes on differently."""
    magic = stream.read(4)
    if magic == _SECTION_HEADER:
        return _pcapng(stream)
    number = int.from_bytes(magic)
    if number in dpkt.pcap.MAGIC_TO_PKT_HDR:
        return _pcap(stream, magic)
    raise CaptureError(_why_no_capture(magic))


def _why_no_capture(magic: bytes) -> str:
    if not magic:
        return "the file is empty; give a pcap or pcapng file"
    if magic[:2] in _COMPRESSED:
        return f"the file is compressed; unpack it first: {_COMPRESSED[magic[:2]]} FILE | ... -"
    return "neither a pcap nor a pcapng file: it does not begin like one"


def _or_end(stream: BinaryIO, size: int, what: str) -> bytes:
    """`size` bytes, or none where the file may end."""
    data = stream.read(size)
    if 0 < len(data) < size:
        raise CaptureError(f"the file ends in the middle of {what}")
    return data


def _exactly(stream: BinaryIO, size: int, what: str) -> bytes:
    if not 0 <= size <= LARGEST_BLOCK:
        raise CaptureError(f"the file is damaged: {what} of {size} bytes")
    data = stream.read(size)
    if len(data) < size:
        raise CaptureError(f"the file ends in the middle of {what}")
    return data


# pcap


def _pcap(stream: BinaryIO, magic: bytes) -> Iterator[CapturedPacket]:
    number = int.from_bytes(magic)
    packet_header: type[Any] = dpkt.pcap.MAGIC_TO_PKT_HDR[number]
    file_header = dpkt.pcap.LEFileHdr if number in _LITTLE_MAGICS else dpkt.pcap.FileHdr
    size = file_header.__hdr_len__ - len(magic)
    head = file_header(magic + _exactly(stream, size, "its header"))
    link_type = head.linktype & _LINK_TYPE
    fraction = 1 if number in _NANOSECOND_MAGICS else 1000
    while raw := _or_end(stream, packet_header.__hdr_len__, "a packet's header"):
        packet = packet_header(raw)
        data = _exactly(stream, packet.caplen, "a packet")
        at = packet.tv_sec * 1_000_000_000 + packet.tv_usec * fraction
        yield CapturedPacket(at, link_type, data, packet.len)


_LITTLE_MAGICS = (
    dpkt.pcap.PMUDPCT_MAGIC,
    dpkt.pcap.PMUDPCT_MAGIC_NANO,
    dpkt.pcap.PACPDOM_MAGIC,
)
_NANOSECOND_MAGICS = (dpkt.pcap.TCPDUMP_MAGIC_NANO, dpkt.pcap.PMUDPCT_MAGIC_NANO)

_LINK_TYPE = 0x03FF_FFFF
"""The other bits of the field tell of a frame check sequence."""


# pcapng


@dataclass(frozen=True, slots=True)
class _Interface:
    """`ticks`: of its clock in a second; `offset`: seconds to add; `number`: in the whole file."""

    link_type: int
    snap_length: int
    ticks: int
    offset: int
    number: int = 0
    name: str | None = None

    def time(self, high: int, low: int) -> int:
        count = high << 32 | low
        return self.offset * 1_000_000_000 + count * 1_000_000_000 // self.ticks


@dataclass(frozen=True, slots=True)
class _ByteOrder:
    """How a section's blocks are read."""

    word: Struct
    section: type[Any]
    interface: type[Any]
    enhanced_packet: type[Any]
    packet: type[Any]


_SECTION_HEADER = b"\n\r\r\n"

_ORDERS = {
    dpkt.pcapng.BYTE_ORDER_MAGIC: _ByteOrder(
        Struct(">I"),
        dpkt.pcapng.SectionHeaderBlock,
        dpkt.pcapng.InterfaceDescriptionBlock,
        dpkt.pcapng.EnhancedPacketBlock,
        dpkt.pcapng.PacketBlock,
    ),
    dpkt.pcapng.BYTE_ORDER_MAGIC_LE: _ByteOrder(
        Struct("<I"),
        dpkt.pcapng.SectionHeaderBlockLE,
        dpkt.pcapng.InterfaceDescriptionBlockLE,
        dpkt.pcapng.EnhancedPacketBlockLE,
        dpkt.pcapng.PacketBlockLE,
    ),
}


def _pcapng(stream: BinaryIO) -> Iterator[CapturedPacket]:
    order = _section(stream)
    interfaces: list[_Interface] = []
    described = 0
    while raw_type := _or_end(stream, 4, "a block's header"):
        if raw_type == _SECTION_HEADER:
            order = _section(stream)
            interfaces = []
            continue
        block = raw_type + _rest_of_block(stream, order)
        match order.word.unpack(raw_type)[0]:
            case dpkt.pcapng.PCAPNG_BT_IDB:
                interfaces.append(_interface(order, block, described))
                described += 1
            case dpkt.pcapng.PCAPNG_BT_EPB:
                yield _packet(order.enhanced_packet(), block, interfaces)
            case dpkt.pcapng.PCAPNG_BT_PB:
                yield _packet(order.packet(), block, interfaces)
            case dpkt.pcapng.PCAPNG_BT_SPB:
                yield _simple_packet(order, block, interfaces)


def _section(stream: BinaryIO) -> _ByteOrder:
    """Reads a section header block, whose type is read already."""
    raw_length = _exactly(stream, 4, "a section's header")
    raw_magic = _exactly(stream, 4, "a section's header")
    order = _ORDERS.get(int.from_bytes(raw_magic))
    if order is None:
        raise CaptureError("the file is damaged: a section of no known byte order")
    length = order.word.unpack(raw_length)[0]
    block = _SECTION_HEADER + raw_length + raw_magic
    block += _exactly(stream, length - len(block), "a section's header")
    section = _unpacked(order.section, block)
    if section.v_major != dpkt.pcapng.PCAPNG_VERSION_MAJOR:
        raise CaptureError(f"pcapng version {section.v_major} is not known")
    return order


def _rest_of_block(stream: BinaryIO, order: _ByteOrder) -> bytes:
    raw_length = _exactly(stream, 4, "a block's header")
    length = order.word.unpack(raw_length)[0]
    rest = _exactly(stream, length - 8, "a block")
    if rest[-4:] != raw_length:
        raise CaptureError("the file is damaged: a block's two lengths differ")
    return raw_length + rest


def _interface(order: _ByteOrder, block: bytes, number: int) -> _Interface:
    described = _unpacked(order.interface, block)
    options = {option.code: option.data for option in described.opts}
    resolution = (options.get(dpkt.pcapng.PCAPNG_OPT_IF_TSRESOL) or b"\x06")[0]
    raw_offset = options.get(dpkt.pcapng.PCAPNG_OPT_IF_TSOFFSET, b"")[:8]
    little = order.word.format.startswith("<")
    return _Interface(
        link_type=described.linktype,
        snap_length=described.snaplen,
        ticks=(2 if resolution & 0x80 else 10) ** (resolution & 0x7F),
        offset=int.from_bytes(raw_offset, "little" if little else "big", signed=True),
        number=number,
        name=_name(options.get(dpkt.pcapng.PCAPNG_OPT_IF_NAME)),
    )


def _name(raw: Any) -> str | None:
    if isinstance(raw, bytes):
        raw = raw.decode(errors="replace")
    return raw.rstrip("\0") or None if isinstance(raw, str) else None


def _packet(head: Any, block: bytes, interfaces: list[_Interface]) -> CapturedPacket:
    """Of an enhanced packet block or its predecessor; comments and other options are not read."""
    if len(block) < head.__hdr_len__:
        raise CaptureError("the file is damaged: a packet block without a packet")
    head.unpack_hdr(block)
    if head.iface_id >= len(interfaces):
        raise CaptureError("the file is damaged: a packet of an interface that is not described")
    interface = interfaces[head.iface_id]
    at = interface.time(head.ts_high, head.ts_low)
    start = head.__hdr_len__ - 4
    data = block[start : min(start + head.caplen, len(block) - 4)]
    if len(data) < head.caplen:
        raise CaptureError("the file is damaged: a packet longer than its block")
    return CapturedPacket(
        at, interface.link_type, data, head.pkt_len, interface.number, interface.name
    )


def _simple_packet(order: _ByteOrder, block: bytes, interfaces: list[_Interface]) -> CapturedPacket:
    """A packet without a time, of the first interface."""
    if len(block) < 16 or not interfaces:
        raise CaptureError("the file is damaged: a simple packet block without an interface")
    length = order.word.unpack_from(block, 8)[0]
    interface = interfaces[0]
    captured = min(length, interface.snap_length) if interface.snap_length else length
    data = block[12 : min(12 + captured, len(block) - 4)]
    return CapturedPacket(None, interface.link_type, data, length, interface.number, interface.name)


def _unpacked(kind: type[Any], block: bytes) -> Any:
    try:
        return kind(block)
    except (dpkt.Error, ValueError) as error:
        raise CaptureError(f"the file is damaged: {error}") from None
