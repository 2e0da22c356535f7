"""Scenarios that are too long to be written: full packets, full lists, floods."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from mcastd.gmp.family import FAMILIES
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.native import SourceList
from mcastd.wire import report_packets
from support.scenarios import differences

NEWEST = {"igmp": 3, "mld": 2}
GROUP = {"igmp": "239.1.2.3", "mld": "ff15::abcd"}
FIRST_GROUP = {"igmp": ip_address("239.100.0.0"), "mld": ip_address("ff15::1:0:0")}
FIRST_SOURCE = {"igmp": ip_address("198.18.0.0"), "mld": ip_address("2001:db8::1:0")}

both_families = pytest.mark.parametrize("family", list(FAMILIES))


def groups(family: str, count: int) -> list[str]:
    return [str(FIRST_GROUP[family] + number) for number in range(1, count + 1)]


def sources(family: str, count: int, first: int = 1) -> str:
    return ", ".join(str(FIRST_SOURCE[family] + number) for number in range(first, first + count))


def head(family: str, until: float, more: str = "") -> str:
    return f"family: {family}\n{more}\ndelay: max\nuntil: {until}\n"


def listen(at: float, group: str, mode: str = "exclude", listed: str = "", app: str = "a") -> str:
    asked = f"{{app: {app}, group: '{group}', mode: {mode}, sources: [{listed}]}}"
    return f"  - {{at: {at}, listen: {asked}}}\n"


def query(at: float, family: str, more: str = "") -> str:
    asked = f"{{message: query, version: {NEWEST[family]}, max_resp: 1{more}}}"
    return f"  - {{at: {at}, receive: {asked}}}\n"


def record(kind: str, group: str, listed: str = "") -> str:
    return f"{{type: {kind}, group: '{group}', sources: [{listed}]}}"


def sends(at: float, records: list[str], more: str = "") -> str:
    return f"  - {{at: {at}, send: {{records: [{', '.join(records)}]}}{more}}}\n"


def answer_in_packets(family: str, count: int, packets: int, interface: str) -> list[str]:
    """Differences from `count` groups being reported in so many packets."""
    joins = "".join(listen(0, group) for group in groups(family, count))
    records = [record("IS_EX", group) for group in groups(family, count)]
    mtu = interface.strip("{}").split(": ")[1]
    return differences(
        head(family, 20, f"interface: {interface}\nexhaustive: false")
        + f"steps:\n{joins}{query(10, family)}expect:\n"
        + sends(11, records, f", packets: true, count: {packets}, max_packet: {mtu}")
    )


FULL = [("igmp", 1500, 183), ("mld", 1500, 72), ("mld", 1280, 61), ("igmp", 9000, 1121)]


@pytest.mark.requirement("PK-01", "PK-02", "TX-02")
@pytest.mark.parametrize(("family", "mtu", "capacity"), FULL)
def test_a_packet_holds_as_many_records_as_fit(family: str, mtu: int, capacity: int) -> None:
    interface = f"{{mtu: {mtu}}}"
    assert answer_in_packets(family, capacity, 1, interface) == []
    assert answer_in_packets(family, capacity + 1, 2, interface) == []


@pytest.mark.requirement("PK-08")
@pytest.mark.parametrize(("name", "capacity"), [("igmp", 8187), ("mld", 3273)])
def test_no_packet_outgrows_its_own_length_fields(name: str, capacity: int) -> None:
    family = FAMILIES[name]
    nothing = SourceList(b"", family.address_width)
    records = [
        GroupRecord(RecordType.MODE_IS_EXCLUDE, group.packed, nothing)
        for group in (FIRST_GROUP[name] + number for number in range(capacity + 1))
    ]
    for mtu in (65_535, 1_000_000):
        packets = [*report_packets(family, records, family.unspecified, mtu)]
        assert [len(packet) <= 65_535 for packet in packets] == [True, True]
        assert len([*report_packets(family, records[:-1], family.unspecified, mtu)]) == 1


LISTS = [("igmp", 1500, 365), ("mld", 1500, 89), ("mld", 1280, 75)]


@pytest.mark.requirement("PK-01", "PK-03", "PK-04", "RTX-05")
@pytest.mark.parametrize(("family", "mtu", "capacity"), LISTS)
def test_a_packet_holds_as_many_sources_as_fit(family: str, mtu: int, capacity: int) -> None:
    group = GROUP[family]
    more = f"interface: {{mtu: {mtu}}}"
    for count, packets in ((capacity, 1), (capacity + 1, 2), (2 * capacity + 1, 3)):
        listed = sources(family, count)
        in_packets = f", packets: true, count: {packets}, max_packet: {mtu}"
        allowed = [record("ALLOW", group, listed)]
        assert not differences(
            head(family, 5, more)
            + f"steps:\n{listen(0, group, 'include', listed)}expect:\n"
            + sends(0, allowed, in_packets)
            + sends(1, allowed, in_packets)
        )
    told = [record("TO_EX", group, sources(family, capacity))]
    assert not differences(
        head(family, 5, more)
        + f"steps:\n{listen(0, group, 'exclude', sources(family, capacity + 7))}expect:\n"
        + sends(0, told)
        + sends(1, told)
    )


@pytest.mark.requirement("API-04")
@both_families
def test_a_list_may_have_4096_sources_and_no_more(family: str) -> None:
    group = GROUP[family]
    assert not differences(
        head(family, 5, "exhaustive: false")
        + "steps:\n"
        + listen(0, group, "include", sources(family, 4096))
        + listen(1, group, "include", sources(family, 4097))
        + "expect:\n  - {at: 1, error: {step: 2, code: ENOBUFS}}\n"
        + f"  - end: {{groups: {{'{group}': {{sources: [{sources(family, 4096)}]}}}}}}\n"
    )


@pytest.mark.requirement("Q3-06")
@both_families
def test_more_sources_asked_for_than_are_kept_are_answered_as_a_group_query(family: str) -> None:
    """RFC 9776 §9.1: the whole filter is told, not a part of what was asked for."""
    group = GROUP[family]
    kept = head(family, 20, "config: {max_pending_sources: 366}") + f"steps:\n{listen(0, group)}"
    joins = sends(0, [record("TO_EX", group)]) + sends(1, [record("TO_EX", group)])
    for count, answer in (
        (66, record("IS_IN", group, sources(family, 366))),
        (67, record("IS_EX", group)),
    ):
        first = query(10, family, f", group: '{group}', sources: [{sources(family, 300)}]")
        listed = sources(family, count, first=301)
        second = query(10.5, family, f", group: '{group}', sources: [{listed}]")
        expected = f"expect:\n{joins}{sends(11, [answer], ', packets: true')}"
        assert not differences(kept + first + second + expected)
