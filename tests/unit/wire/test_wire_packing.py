"""Records into packets: what fits, what is split, what is left out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from mcastd.gmp.family import IGMP, MLD, ProtocolFamily
from mcastd.gmp.messages import RecordReport
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.native import SourceList
from mcastd.wire import Received, ReceptionContext, can_send, decode_packet, report_packets

ALLOW = RecordType.ALLOW_NEW_SOURCES
BLOCK = RecordType.BLOCK_OLD_SOURCES
TO_EX = RecordType.CHANGE_TO_EXCLUDE_MODE
IS_EX = RecordType.MODE_IS_EXCLUDE
SPLITTABLE = [each for each in RecordType if each not in (TO_EX, IS_EX)]

ADDRESSES = {"igmp": "192.0.2.10", "mld": "fe80::10"}


def groups(family: ProtocolFamily, count: int) -> list[bytes]:
    first = int.from_bytes(family.parse({"igmp": "239.0.0.0", "mld": "ff15::1:0"}[family.name]))
    return [(first + number).to_bytes(family.address_width) for number in range(count)]


def sources(family: ProtocolFamily, count: int) -> SourceList:
    first = int.from_bytes(family.parse({"igmp": "10.0.0.0", "mld": "2001:db8::"}[family.name]))
    width = family.address_width
    return SourceList.of(((first + number).to_bytes(width) for number in range(count)), width)


def packets(family: ProtocolFamily, records: list[GroupRecord], mtu: int = 1500) -> list[bytes]:
    return list(report_packets(family, records, family.parse(ADDRESSES[family.name]), mtu))


def reported(packet: bytes) -> list[GroupRecord]:
    received = decode_packet(packet, ReceptionContext(addresses_known=False))
    assert isinstance(received, Received)
    assert isinstance(received.message, RecordReport)
    return list(received.message.records)


def empty_records(family: ProtocolFamily, count: int) -> list[GroupRecord]:
    return [GroupRecord(IS_EX, group, family.no_sources) for group in groups(family, count)]


@pytest.mark.parametrize(
    ("family", "mtu", "records", "listed"),
    [(IGMP, 1500, 183, 365), (MLD, 1500, 72, 89), (MLD, 1280, 61, 75), (IGMP, 68, 4, 7)],
)
def test_a_packet_holds_as_much_as_the_mtu_allows(
    family: ProtocolFamily, mtu: int, records: int, listed: int
) -> None:
    """PK-01."""
    many = packets(family, empty_records(family, records + 1), mtu)
    assert [len(reported(packet)) for packet in many] == [records, 1]

    (group,) = groups(family, 1)
    allow = GroupRecord(ALLOW, group, sources(family, listed + 1))
    split = packets(family, [allow], mtu)
    assert [len(reported(packet)[0].sources) for packet in split] == [listed, 1]


def test_records_are_packed_in_order_until_the_next_does_not_fit(family: ProtocolFamily) -> None:
    """PK-02 (RFC 9776 §4.2.17, RFC 9777 §5.2.16)."""
    records = [
        GroupRecord(IS_EX, group, sources(family, number % 60))
        for number, group in enumerate(groups(family, 500))
    ]

    sent = packets(family, records)
    assert [record for packet in sent for record in reported(packet)] == records
    for packet, following in itertools.pairwise(sent):
        next_record = reported(following)[0]
        size = 4 + family.address_width * (1 + len(next_record.sources))
        assert len(packet) + size > 1500


@pytest.mark.parametrize("type_", SPLITTABLE)
def test_all_sources_of_a_record_too_large_for_a_packet_are_sent_in_several(
    family: ProtocolFamily, type_: RecordType
) -> None:
    """PK-03."""
    (group,) = groups(family, 1)
    every = sources(family, 1000)

    sent = packets(family, [GroupRecord(type_, group, every)])
    parts = [reported(packet) for packet in sent]
    assert [len(part) for part in parts] == [1] * len(parts)
    assert {(part[0].type, part[0].group) for part in parts} == {(type_, group)}
    assert b"".join(part[0].sources.packed for part in parts) == every.packed


@pytest.mark.parametrize("type_", [IS_EX, TO_EX])
def test_of_an_exclude_record_too_large_for_a_packet_the_lowest_sources_are_sent_each_time(
    family: ProtocolFamily, type_: RecordType
) -> None:
    """PK-03, PK-04."""
    (group,) = groups(family, 1)
    every = sources(family, 1000)
    before = empty_records(family, 3)

    for neighbours in ([], before):
        sent = packets(family, [*neighbours, GroupRecord(type_, group, every)])
        record = reported(sent[-1])[-1]
        assert record.sources == every.first(len(record.sources))
        assert len(record.sources) == {"igmp": 365, "mld": 89}[family.name]
        assert sum(len(reported(packet)) for packet in sent) == len(neighbours) + 1


def test_allow_and_block_of_one_change_share_a_packet_where_they_fit_in_one(
    family: ProtocolFamily,
) -> None:
    """PK-06: they would still fit one by one, the first at the end of the packet before."""
    many, few = {"igmp": (300, 20), "mld": (60, 10)}[family.name]
    first, second = groups(family, 2)
    before = GroupRecord(IS_EX, first, sources(family, many))
    allow = GroupRecord(ALLOW, second, sources(family, few))
    block = GroupRecord(BLOCK, second, sources(family, 3 * few))

    sent = packets(family, [before, allow, block])
    assert [reported(packet) for packet in sent] == [[before], [allow, block]]


def test_allow_and_block_too_large_for_one_packet_are_packed_one_by_one(
    family: ProtocolFamily,
) -> None:
    """PK-06."""
    (group,) = groups(family, 1)
    allow = GroupRecord(ALLOW, group, sources(family, {"igmp": 200, "mld": 50}[family.name]))
    block = GroupRecord(BLOCK, group, allow.sources)

    sent = packets(family, [allow, block])
    assert [reported(packet) for packet in sent] == [[allow], [block]]


def test_an_allow_is_sent_also_when_no_block_of_its_group_follows(family: ProtocolFamily) -> None:
    first, second = groups(family, 2)
    some = sources(family, 2)
    records = [
        GroupRecord(ALLOW, first, some),
        GroupRecord(BLOCK, second, some),
        GroupRecord(ALLOW, first, some),
    ]

    (packet,) = packets(family, records)
    assert reported(packet) == records


def test_nothing_to_report_makes_no_packet(family: ProtocolFamily) -> None:
    """TX-04."""
    assert packets(family, []) == []


def test_nothing_is_sent_on_a_link_that_cannot_carry_the_family(family: ProtocolFamily) -> None:
    """PK-07."""
    records = empty_records(family, 1)

    assert can_send(family, family.minimum_mtu)
    assert len(packets(family, records, family.minimum_mtu)) == 1
    assert not can_send(family, family.minimum_mtu - 1)
    assert packets(family, records, family.minimum_mtu - 1) == []


def test_no_mtu_makes_a_packet_longer_than_its_header_can_say(family: ProtocolFamily) -> None:
    """PK-08: nor more records or sources than 16 bits can count."""
    sent = packets(family, empty_records(family, 20_000), 1 << 20)

    assert max(len(packet) for packet in sent) <= 0xFFFF
    assert sum(len(reported(packet)) for packet in sent) == 20_000


def test_records_are_taken_no_earlier_than_their_packet(family: ProtocolFamily) -> None:
    """A general query's answer of 100,000 groups must not stand in memory at once."""
    taken = 0

    def records() -> Iterator[GroupRecord]:
        nonlocal taken
        for record in empty_records(family, 1000):
            taken += 1
            yield record

    sent = report_packets(family, records(), family.parse(ADDRESSES[family.name]), 1500)
    assert taken == 0
    held = len(reported(next(sent)))
    assert taken == held + 1
