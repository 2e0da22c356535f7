"""Reads packets from pcap and pcapng files of any byte order, resolution and link type.

Readers of others hide how long a packet was on the wire and all interfaces but the first, and end
in silence where a file is cut off. Sources: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import BinaryIO, NamedTuple

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
    if number in _PCAP_FORMATS:
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


class _PcapFormat(NamedTuple):
    """What a file's first four bytes tell. `packet_header`: bytes, of which the first 16 count."""

    order: str
    nanoseconds: int
    packet_header: int


_PCAP_FORMATS = {
    0xA1B2C3D4: _PcapFormat(">", 1000, 16),
    0xD4C3B2A1: _PcapFormat("<", 1000, 16),
    0xA1B23C4D: _PcapFormat(">", 1, 16),
    0x4D3CB2A1: _PcapFormat("<", 1, 16),
    0xA1B2CD34: _PcapFormat(">", 1000, 24),  # a modified libpcap: its index, protocol and type
    0x34CDB2A1: _PcapFormat("<", 1000, 24),
}
"""By magic number; `nanoseconds` of one unit behind the seconds."""


def _pcap(stream: BinaryIO, magic: bytes) -> Iterator[CapturedPacket]:
    form = _PCAP_FORMATS[int.from_bytes(magic)]
    file_header = Struct(f"{form.order}HHIIII")
    *_, network = file_header.unpack(_exactly(stream, file_header.size, "its header"))
    packet_header = Struct(f"{form.order}IIII")
    while raw := _or_end(stream, form.packet_header, "a packet's header"):
        seconds, fraction, captured, length = packet_header.unpack_from(raw)
        data = _exactly(stream, captured, "a packet")
        at = seconds * 1_000_000_000 + fraction * form.nanoseconds
        yield CapturedPacket(at, network & _LINK_TYPE, data, length)


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


class _ByteOrder:
    """How a section's blocks are read, from their type to their contents.

    `section`: behind the magic number; `interface`, `enhanced_packet` and `packet`: whole heads.
    """

    def __init__(self, sign: str) -> None:
        self.is_little = sign == "<"
        self.word = Struct(f"{sign}I")
        self.section = Struct(f"{sign}12xHH8x")
        self.interface = Struct(f"{sign}8xH2xI")
        self.enhanced_packet = Struct(f"{sign}8xIIIII")
        self.packet = Struct(f"{sign}8xH2xIIII")
        self.option = Struct(f"{sign}HH")


_SECTION_HEADER = b"\n\r\r\n"
_ORDERS = {0x1A2B3C4D: _ByteOrder(">"), 0x4D3C2B1A: _ByteOrder("<")}

_INTERFACE, _PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 1, 2, 3, 6
"""Types of blocks."""

_OPTION_END, _OPTION_NAME, _OPTION_RESOLUTION, _OPTION_OFFSET = 0, 2, 9, 14
"""Options of an interface."""

_VERSION = 1


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
        kind = order.word.unpack(raw_type)[0]
        if kind == _INTERFACE:
            interfaces.append(_interface(order, block, described))
            described += 1
        elif kind == _ENHANCED_PACKET:
            yield _packet(order.enhanced_packet, block, interfaces)
        elif kind == _PACKET:
            yield _packet(order.packet, block, interfaces)
        elif kind == _SIMPLE_PACKET:
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
    major, _ = _unpacked(order.section, block)
    if block[-4:] != raw_length:
        raise CaptureError("the file is damaged: a block's two lengths differ")
    if major != _VERSION:
        raise CaptureError(f"pcapng version {major} is not known")
    return order


def _rest_of_block(stream: BinaryIO, order: _ByteOrder) -> bytes:
    raw_length = _exactly(stream, 4, "a block's header")
    length = order.word.unpack(raw_length)[0]
    rest = _exactly(stream, length - 8, "a block")
    if rest[-4:] != raw_length:
        raise CaptureError("the file is damaged: a block's two lengths differ")
    return raw_length + rest


def _interface(order: _ByteOrder, block: bytes, number: int) -> _Interface:
    link_type, snap_length = _unpacked(order.interface, block)
    options = dict(_options(order, block[order.interface.size : -4]))
    resolution = (options.get(_OPTION_RESOLUTION) or b"\x06")[0]
    raw_offset = options.get(_OPTION_OFFSET, b"")[:8]
    name = options.get(_OPTION_NAME, b"").decode(errors="replace").rstrip("\0")
    return _Interface(
        link_type=link_type,
        snap_length=snap_length,
        ticks=(2 if resolution & 0x80 else 10) ** (resolution & 0x7F),
        offset=int.from_bytes(raw_offset, "little" if order.is_little else "big", signed=True),
        number=number,
        name=name or None,
    )


def _options(order: _ByteOrder, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Codes and values; each is filled up to whole words."""
    at = 0
    while at + order.option.size <= len(data):
        code, length = order.option.unpack_from(data, at)
        at += order.option.size
        if code == _OPTION_END:
            return
        if at + length > len(data):
            raise CaptureError("the file is damaged: an option longer than its block")
        yield code, data[at : at + length]
        at += length + -length % 4


def _packet(head: Struct, block: bytes, interfaces: list[_Interface]) -> CapturedPacket:
    """Of an enhanced packet block or its predecessor; comments and other options are not read."""
    if len(block) < head.size + 4:
        raise CaptureError("the file is damaged: a packet block without a packet")
    number, high, low, captured, length = head.unpack_from(block)
    if number >= len(interfaces):
        raise CaptureError("the file is damaged: a packet of an interface that is not described")
    interface = interfaces[number]
    data = block[head.size : min(head.size + captured, len(block) - 4)]
    if len(data) < captured:
        raise CaptureError("the file is damaged: a packet longer than its block")
    at = interface.time(high, low)
    return CapturedPacket(at, interface.link_type, data, length, interface.number, interface.name)


def _simple_packet(order: _ByteOrder, block: bytes, interfaces: list[_Interface]) -> CapturedPacket:
    """A packet without a time, of the first interface."""
    if len(block) < 16 or not interfaces:
        raise CaptureError("the file is damaged: a simple packet block without an interface")
    length = order.word.unpack_from(block, 8)[0]
    interface = interfaces[0]
    captured = min(length, interface.snap_length) if interface.snap_length else length
    data = block[12 : min(12 + captured, len(block) - 4)]
    return CapturedPacket(None, interface.link_type, data, length, interface.number, interface.name)


def _unpacked(head: Struct, block: bytes) -> tuple[int, ...]:
    if len(block) < head.size + 4:
        raise CaptureError("the file is damaged: a block shorter than its head")
    return head.unpack_from(block)
