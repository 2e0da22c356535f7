"""Group records into as few reports as the MTU asks for (RFC 9776 §4.2.17, RFC 9777 §5.2.16)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct

from mcastd.gmp.current_state import START, CurrentState, Position
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.wire.codecs import codec_of
from mcastd.wire.records import HEADS

REPORT_HEAD = Struct(">BxxxxxH")
"""Type, Reserved, Checksum, Flags, Number of Group Records: in both families."""

AT_ONCE = 32
"""Messages made together at the most: what a run of long lists may take of memory."""

_LARGEST_PACKET = 0xFFFF
"""What IPv4's Total Length can say; with it no count in a report exceeds 16 bits either."""

_INDIVISIBLE = frozenset({RecordType.MODE_IS_EXCLUDE, RecordType.CHANGE_TO_EXCLUDE_MODE})
"""Records of which a router believes the last only: two halves would be two different filters."""


def can_send(family: ProtocolFamily, mtu: int) -> bool:
    """Whether a link of this MTU carries the family's IP at all (RFC 791 §3.2, RFC 8200 §5)."""
    return mtu >= family.minimum_mtu


def report_packets(
    family: ProtocolFamily, records: Iterable[GroupRecord], source: Address, mtu: int
) -> Iterator[bytes]:
    """IGMPv3 or MLDv2 reports of `records` in their order, as IP packets of at most `mtu` bytes.

    Lazy: a packet's records are taken when it is asked for, those of a `CurrentState` a few packets
    ahead. No packet for no records, and none on a link on which the family cannot be spoken: ask
    `can_send` to tell the two apart.
    """
    if not can_send(family, mtu):
        return
    codec = codec_of(family)
    room = min(mtu, _LARGEST_PACKET) - family.overhead - REPORT_HEAD.size
    report_type = codec.report_types[family.newest]
    if isinstance(records, CurrentState):
        messages = _messages_of_state(records, report_type, room)
    else:
        messages = _messages(records, report_type, family.address_width, room)
    for message in messages:
        yield codec.packet(source, family.all_report_routers, message)


def _messages_of_state(state: CurrentState, report_type: int, room: int) -> Iterator[bytes]:
    """As `_messages`, made in C."""
    position: Position | None = START
    while position is not None:
        messages, position = state.pack(report_type, room, position, AT_ONCE)
        yield from messages


def _messages(
    records: Iterable[GroupRecord], report_type: int, width: int, room: int
) -> Iterator[bytes]:
    """Messages that lack their checksum, of at most `room` bytes of records."""
    for count, body in _filled(_blocks(records, width, room), room):
        yield REPORT_HEAD.pack(report_type, count) + body


def _filled(blocks: Iterable[tuple[int, bytes]], room: int) -> Iterator[tuple[int, bytes]]:
    """Blocks in their order, joined until the next does not fit; with the number of records."""
    parts: list[bytes] = []
    count = 0
    left = room
    for records, block in blocks:
        if len(block) > left:
            yield count, b"".join(parts)
            parts.clear()
            count = 0
            left = room
        parts.append(block)
        count += records
        left -= len(block)
    if parts:
        yield count, b"".join(parts)


def _blocks(records: Iterable[GroupRecord], width: int, room: int) -> Iterator[tuple[int, bytes]]:
    """Records as bytes, with their number: one, or an ALLOW and the BLOCK of the same change.

    No block exceeds `room`.
    """
    pack = HEADS[width].pack
    most = (room - HEADS[width].size) // width * width
    allow = b""
    allowed_group: Address = b""
    for record in records:
        type_, group, sources = record.type, record.group, record.sources.packed
        for portion in _portions(type_, sources, most) if len(sources) > most else (sources,):
            block = pack(type_, 0, len(portion) // width, group) + portion
            if allow:
                is_its_block = type_ is RecordType.BLOCK_OLD_SOURCES and group == allowed_group
                if is_its_block and len(allow) + len(block) <= room:
                    yield 2, allow + block
                    allow = b""
                    continue
                yield 1, allow
                allow = b""
            if type_ is RecordType.ALLOW_NEW_SOURCES:
                allow, allowed_group = block, group
            else:
                yield 1, block
    if allow:
        yield 1, allow


def _portions(type_: RecordType, sources: bytes, most: int) -> Iterator[bytes]:
    """A record's sources, too many for one packet, in portions of at most `most` bytes.

    Of an exclude record only the lowest ones are told, so that it is the same ones each time; the
    others are split (RFC 9776 §4.2.17, RFC 9777 §5.2.16).
    """
    end = most if type_ in _INDIVISIBLE else len(sources)
    for start in range(0, end, most):
        yield sources[start : start + most]
