"""The IP headers around what is sent."""

from __future__ import annotations

import pytest
from mcastd import wire
from mcastd.gmp.family import IGMP, MLD, ProtocolFamily
from mcastd.gmp.records import GroupRecord, RecordType
from support.packets import internet_checksum

HOST_4 = IGMP.parse("192.0.2.10")
HOST_6 = MLD.parse("fe80::10")
GROUP_4 = IGMP.parse("239.1.2.3")
GROUP_6 = MLD.parse("ff15::abcd")


def everything_sent(family: ProtocolFamily, group: bytes, source: bytes) -> list[bytes]:
    record = GroupRecord(RecordType.MODE_IS_EXCLUDE, group, family.no_sources)
    older = family.versions[:-1]
    reports = [wire.membership_report(family, version, group, source) for version in older]
    queries = [wire.query(family, version, source=source) for version in family.versions]
    leave = wire.leave(family, group, source)
    return [*wire.report_packets(family, [record], source, 1500), *reports, leave, *queries]


def test_igmp_leaves_with_ttl_1_as_internetwork_control_in_an_atomic_datagram() -> None:
    """MF-07, MF-09 (RFC 9776 §4)."""
    for packet in everything_sent(IGMP, GROUP_4, HOST_4):
        header = packet[: 4 * (packet[0] & 0x0F)]
        assert header[1] == 0xC0
        assert int.from_bytes(header[2:4]) == len(packet)
        assert header[4:8] == bytes.fromhex("00004000")
        assert header[8:10] == bytes((1, 2))
        assert header[12:16] == HOST_4
        assert internet_checksum(header) == 0
        assert internet_checksum(packet[len(header) :]) == 0


def test_igmp_leaves_with_router_alert_but_in_a_version_1_query() -> None:
    """MF-07 (RFC 9776 §4, RFC 2236 §2); RFC 1112 knows no such option."""
    version_1_query = wire.query(IGMP, 1, source=HOST_4)
    for packet in everything_sent(IGMP, GROUP_4, HOST_4):
        alert = b"" if packet == version_1_query else bytes.fromhex("94040000")
        assert packet[20 : 4 * (packet[0] & 0x0F)] == alert


def test_mld_leaves_with_hop_limit_1_and_router_alert() -> None:
    """MF-08, MF-09 (RFC 9777 §5, RFC 2711 §2.1)."""
    for packet in everything_sent(MLD, GROUP_6, HOST_6):
        assert packet[:4] == bytes.fromhex("60000000")
        assert int.from_bytes(packet[4:6]) == len(packet) - 40
        assert packet[6:8] == bytes((0, 1))
        assert packet[8:24] == HOST_6
        assert packet[40:48] == bytes.fromhex("3a00050200000100")
        pseudo_header = packet[8:40] + (len(packet) - 48).to_bytes(4) + b"\0\0\0\x3a"
        assert internet_checksum(pseudo_header + packet[48:]) == 0


@pytest.mark.parametrize(
    ("family", "source", "length"), [(IGMP, HOST_4, 20), (MLD, HOST_6, 40)], ids=["igmp", "mld"]
)
def test_a_query_can_be_sent_with_another_ttl_and_without_router_alert(
    family: ProtocolFamily, source: bytes, length: int
) -> None:
    packet = wire.query(family, family.newest, source=source, ttl=7, router_alert=False)

    assert packet[8 if family is IGMP else 7] == 7
    assert len(packet) == length + (12 if family is IGMP else 28)


@pytest.mark.parametrize(
    ("family", "group", "source"), [(IGMP, GROUP_4, HOST_4), (MLD, GROUP_6, HOST_6)]
)
def test_a_query_goes_to_the_group_it_asks_about_or_to_all_or_where_it_is_told(
    family: ProtocolFamily, group: bytes, source: bytes
) -> None:
    def goes_to(packet: bytes) -> bytes:
        end = 20 if family is IGMP else 40
        return packet[end - family.address_width : end]

    newest = family.newest
    assert goes_to(wire.query(family, newest, source=source)) == family.all_hosts
    assert goes_to(wire.query(family, newest, source=source, group=group)) == group
    told = wire.query(family, newest, source=source, group=group, destination=source)
    assert goes_to(told) == source
