"""Group records on the wire, one layout for both families by address width.

Type, Aux Data Len, Number of Sources, group, sources, auxiliary data (RFC 9776 §4.2.5, RFC 9777
§5.2.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.native import SourceList

HEADS = {width: Struct(f">BBH{width}s") for width in (4, 16)}

_TYPES = {int(each): each for each in RecordType}


@dataclass(frozen=True, slots=True)
class UnknownRecord:
    """A record of a type that no RFC defines: to be ignored (RFC 9776 §4.2.13).

    `place`: how many records of any type come before it in the message.
    """

    place: int
    type: int
    group: Address
    sources: SourceList


@dataclass(frozen=True, slots=True)
class RecordList:
    """The records of a report, as far as they could be read.

    `whole`: all that the report announces lie within it. `groups_are_multicast`: of those read.
    """

    records: tuple[GroupRecord, ...]
    unknown: tuple[UnknownRecord, ...]
    whole: bool
    groups_are_multicast: bool


def read_records(family: ProtocolFamily, message: bytes, start: int, count: int) -> RecordList:
    """The `count` records that begin at `start`; auxiliary and additional data are skipped.

    Never raises: reading ends before the first record that is not all there.
    """
    width = family.address_width
    head = HEADS[width]
    records: list[GroupRecord] = []
    unknown: list[UnknownRecord] = []
    groups_are_multicast = True
    at = start
    for place in range(count):
        if at + head.size > len(message):
            break
        number, auxiliary_words, sources_count, group = head.unpack_from(message, at)
        sources_at = at + head.size
        auxiliary_at = sources_at + sources_count * width
        at = auxiliary_at + 4 * auxiliary_words
        if at > len(message):
            break
        groups_are_multicast = groups_are_multicast and family.is_multicast(group)
        sources = read_sources(family, message, sources_at, sources_count)
        if number in _TYPES:
            records.append(GroupRecord(_TYPES[number], group, sources))
        else:
            unknown.append(UnknownRecord(place, number, group, sources))
    whole = len(records) + len(unknown) == count
    return RecordList(tuple(records), tuple(unknown), whole, groups_are_multicast)


def read_sources(family: ProtocolFamily, message: bytes, start: int, count: int) -> SourceList:
    """`count` addresses in any order and perhaps repeated; less where the message ends before."""
    width = family.address_width
    there = min(count, max(0, len(message) - start) // width)
    addresses = message[start : start + there * width]
    return SourceList.from_wire(addresses, width) if there > 1 else SourceList(addresses, width)
