"""What is accepted and what is refused, and why; the classifier's own cases have a reference."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from struct import pack

import pytest
from mcastd import wire
from mcastd.gmp.family import IGMP, MLD, ProtocolFamily
from mcastd.gmp.messages import Other, Query, RecordReport
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.gmp.time import milliseconds, seconds
from mcastd.wire import Kind, Note, Reason, Received, ReceptionContext, Rejected
from support.network import Network
from support.packets import HOP_BY_HOP, ethernet, icmpv6, igmp, ipv4, ipv6

FILE = ReceptionContext(addresses_known=False)

ALL_HOSTS = IGMP.all_hosts
GROUP = IGMP.parse("239.1.2.3")
HOST = IGMP.parse("192.0.2.10")
QUERIER_6 = MLD.parse("fe80::1")
GROUP_6 = MLD.parse("ff15::abcd")

GENERAL_3 = igmp(bytes.fromhex("1164 0000 00000000 027d 0000"))


def v4(text: str) -> bytes:
    return ip_address(text).packed


def reason(packet: bytes, context: ReceptionContext = FILE) -> Reason | None:
    decoded = wire.decode_packet(packet, context)
    assert decoded is not None
    return decoded.reason if isinstance(decoded, Rejected) else None


def accepted(packet: bytes, context: ReceptionContext = FILE) -> Received:
    decoded = wire.decode_packet(packet, context)
    assert isinstance(decoded, Received), decoded
    return decoded


def refused(packet: bytes, context: ReceptionContext = FILE) -> Rejected:
    decoded = wire.decode_packet(packet, context)
    assert isinstance(decoded, Rejected), decoded
    return decoded


# What a message says


def test_a_float_code_is_read_both_ways() -> None:
    """FP-01 (RFC 9776 §4.1.1); a host that speaks an older version reads it linearly (§7.2.1)."""
    query = accepted(ipv4(igmp(bytes.fromhex("11b5 0000 00000000 0a90 0000")))).message

    assert isinstance(query, Query)
    assert query.max_response == milliseconds(134_400)
    assert query.older_max_response == milliseconds(18_100)
    assert (query.robustness, query.query_interval, query.suppress) == (2, seconds(256), True)


def test_the_flags_that_routers_use_among_themselves_change_nothing() -> None:
    """IN-19 (RFC 9776 §4.1.5)."""
    plain = accepted(ipv4(GENERAL_3)).message
    extended = accepted(ipv4(igmp(GENERAL_3[:8] + b"\xf2" + GENERAL_3[9:] + b"\1\2\3\4"))).message

    assert plain == extended


def test_sources_are_a_set_whatever_their_order_on_the_wire(net: Network) -> None:
    lowest, highest = net.s1, net.s4
    listed = lowest + highest + lowest if lowest > highest else highest + lowest + highest
    packet = query_with_sources(net.family, 3, listed)

    message = accepted(packet).message
    assert isinstance(message, Query)
    assert message.sources == net.sources(lowest, highest)


def query_with_sources(
    family: ProtocolFamily, count: int, sources: bytes, group: bytes | None = None
) -> bytes:
    tail = pack(">BBH", 2, 125, count) + sources
    asked = group if group is not None else {"igmp": GROUP, "mld": GROUP_6}[family.name]
    if family is IGMP:
        return ipv4(igmp(b"\x11\x0a\0\0" + asked + tail))
    message = icmpv6(b"\x82\0\0\0\3\xe8\0\0" + asked + tail, QUERIER_6, MLD.all_hosts)
    return ipv6(HOP_BY_HOP + message)


def report_with_records(family: ProtocolFamily, count: int, records: bytes) -> bytes:
    if family is IGMP:
        message = b"\x22\0\0\0\0\0" + pack(">H", count) + records
        return ipv4(igmp(message), source=HOST, destination=IGMP.all_report_routers)
    routers = MLD.all_report_routers
    message = icmpv6(b"\x8f\0\0\0\0\0" + pack(">H", count) + records, QUERIER_6, routers)
    return ipv6(HOP_BY_HOP + message, destination=routers)


def test_records_are_read_with_their_auxiliary_data_skipped(net: Network) -> None:
    """MF-03, MF-06 (RFC 9776 §4.2.11 and §4.2.12, RFC 9777 §5.2.11 and §5.2.12)."""
    records = (
        pack(">BBH", 4, 2, 1) + net.g1 + net.s1 + b"auxiliar"
        + pack(">BBH", 1, 0, 0) + net.g2 + b"additional data"
    )  # fmt: skip

    report = accepted(report_with_records(net.family, 2, records)).message
    assert isinstance(report, RecordReport)
    assert report.records == (
        GroupRecord(RecordType.CHANGE_TO_EXCLUDE_MODE, net.g1, net.sources(net.s1)),
        GroupRecord(RecordType.MODE_IS_INCLUDE, net.g2, net.sources()),
    )


def test_a_record_of_an_unknown_type_is_ignored_and_shown_apart(net: Network) -> None:
    """RFC 9776 §4.2.13, RFC 9777 §5.2.13."""
    records = b"".join(pack(">BBH", number, 0, 0) + net.g1 for number in (4, 7, 1))

    received = accepted(report_with_records(net.family, 3, records))
    assert isinstance(received.message, RecordReport)
    assert [record.type for record in received.message.records] == [4, 1]
    (unknown,) = received.unknown_records
    assert (unknown.place, unknown.type, unknown.group) == (1, 7, net.g1)
    assert received.notes == {Note.UNKNOWN_RECORD_TYPE}


# What is refused for its contents


def test_more_records_than_the_report_holds_are_refused(net: Network) -> None:
    record = pack(">BBH", 4, 0, 0) + net.g1
    for records in (record, record + b"\4\0\0\0", record + pack(">BBH", 4, 0, 1) + net.g1):
        rejected = refused(report_with_records(net.family, 2, records))
        assert rejected.reason is Reason.BAD_SOURCE_COUNT
        assert isinstance(rejected.message, RecordReport)
        assert len(rejected.message.records) == 1


def test_a_record_of_a_group_that_is_none_is_refused(net: Network) -> None:
    records = pack(">BBH", 4, 0, 0) + net.s1

    assert reason(report_with_records(net.family, 1, records)) is Reason.BAD_GROUP


def test_of_two_faults_in_the_records_the_first_of_the_order_is_told(net: Network) -> None:
    records = pack(">BBH", 4, 0, 0) + net.s1

    assert reason(report_with_records(net.family, 2, records)) is Reason.BAD_GROUP


def test_more_sources_than_the_query_holds_are_refused(net: Network) -> None:
    """IN-02, IN-03 (RFC 9776 §4.1.8); what is there is still told."""
    rejected = refused(query_with_sources(net.family, 3, net.s1 + net.s2))

    assert rejected.reason is Reason.BAD_SOURCE_COUNT
    assert isinstance(rejected.message, Query)
    assert rejected.message.sources == net.sources(net.s1, net.s2)


def test_a_general_query_with_sources_is_no_variant(net: Network) -> None:
    """IN-15 (RFC 9776 §4.1.11, RFC 9777 §5.1.13)."""
    packet = query_with_sources(net.family, 1, net.s1, group=net.family.unspecified)

    assert reason(packet) is Reason.BAD_GROUP


def test_with_an_older_maximum_the_newer_part_of_a_query_is_not_looked_at(net: Network) -> None:
    """IN-02, IN-03 (RFC 2236 §2.5, RFC 2710 §3.7)."""
    older = ReceptionContext(igmp_max_version=2, mld_max_version=1, addresses_known=False)

    assert accepted(query_with_sources(net.family, 3, net.s1), older).version == net.newest


def test_a_message_of_a_type_for_routers_is_accepted_as_such() -> None:
    received = accepted(ipv4(igmp(bytes.fromhex("1301 0000 0000 0000")), ttl=64))

    assert received.kind is Kind.IGMP_OTHER
    assert received.message == Other(0x13, v4("192.0.2.1"), ALL_HOSTS)
    assert received.version is None


def test_a_message_of_a_type_that_nobody_knows_is_refused_and_its_type_told() -> None:
    rejected = refused(ipv4(igmp(bytes.fromhex("4501 0000 0000 0000"))))

    assert rejected.reason is Reason.UNKNOWN_TYPE
    assert rejected.message == Other(0x45, v4("192.0.2.1"), ALL_HOSTS)
    assert rejected.family is IGMP
    assert rejected.version is None


# What depends on the interface


@dataclass(frozen=True)
class Here:
    """An interface with an address of its own that has joined one group."""

    net: Network

    def context(self) -> ReceptionContext:
        return ReceptionContext(
            own_addresses=frozenset({self.net.here}), joined=frozenset({self.net.g2})
        )


@pytest.fixture
def here(net: Network) -> Here:
    return Here(net)


def general_query_to(net: Network, destination: bytes) -> bytes:
    return wire.query(net.family, net.newest, source=net.querier, destination=destination)


def test_a_query_to_an_own_address_is_accepted_and_one_to_another_not(here: Here) -> None:
    """IN-09, IN-10 (RFC 9776 §4.1.12, RFC 9777 §5.1.15)."""
    net = here.net

    assert reason(general_query_to(net, net.here), here.context()) is None
    to_neighbour = refused(general_query_to(net, net.neighbour), here.context())
    assert to_neighbour.reason is Reason.BAD_DESTINATION
    assert (to_neighbour.source, to_neighbour.destination) == (net.querier, net.neighbour)


def test_a_query_about_a_group_may_go_to_any_group_joined(here: Here) -> None:
    """IN-09, IN-10 (RFC 9776 §4.1.12)."""
    net = here.net

    def query_to(destination: bytes) -> bytes:
        return wire.query(
            net.family, net.newest, source=net.querier, group=net.g1, destination=destination
        )

    for destination in (net.g1, net.g2, net.family.all_hosts):
        assert reason(query_to(destination), here.context()) is None
    assert reason(query_to(net.g3), here.context()) is Reason.BAD_DESTINATION


def test_a_wrong_destination_is_told_before_a_wrong_group(here: Here) -> None:
    net = here.net
    family = net.family
    packet = wire.query(
        family, net.newest, source=net.querier, group=net.s1, destination=net.neighbour
    )

    assert reason(packet, here.context()) is Reason.BAD_DESTINATION
    assert reason(packet, FILE) is Reason.BAD_GROUP


def test_an_own_report_is_told_from_those_of_others(here: Here) -> None:
    """IN-17."""
    net = here.net
    ours = wire.membership_report(net.family, net.older, net.g2, net.here)
    theirs = wire.membership_report(net.family, net.older, net.g2, net.neighbour)

    assert reason(ours, here.context()) is Reason.LOOPBACK
    assert reason(theirs, here.context()) is None
    assert reason(ours, FILE) is None


def test_an_own_query_is_not_refused(here: Here) -> None:
    """IN-17: a router that is a member answers its own queries (RFC 9776 §5)."""
    net = here.net
    packet = wire.query(net.family, net.newest, source=net.here)

    assert reason(packet, here.context()) is None


# How strictly


def test_a_query_without_router_alert_is_noted_or_refused() -> None:
    """IN-06 (RFC 9776 §9.1)."""
    packet = ipv4(GENERAL_3, options=b"")
    strict = ReceptionContext(require_router_alert=True, addresses_known=False)

    assert accepted(packet).notes == {Note.NO_ROUTER_ALERT}
    assert reason(packet, strict) is Reason.NO_ROUTER_ALERT


def test_a_ttl_other_than_1_can_be_allowed() -> None:
    """IN-05."""
    packet = ipv4(GENERAL_3, ttl=64)
    lenient = ReceptionContext(require_ttl1=False, addresses_known=False)

    assert reason(packet) is Reason.BAD_TTL
    assert reason(packet, lenient) is None


# What is not whole


def test_a_packet_cut_anywhere_is_refused_or_not_recognised_and_never_raises(net: Network) -> None:
    packet = query_with_sources(net.family, 2, net.s1 + net.s2)
    recognised = {"igmp": 10, "mld": 48}[net.family.name]

    for length in range(len(packet)):
        decoded = wire.decode_packet(packet[:length], FILE)
        assert (decoded is None) == (length < recognised)
        if decoded is not None:
            assert isinstance(decoded, Rejected)
            assert decoded.reason in (Reason.TOO_SHORT, Reason.BAD_LENGTH)


def test_what_can_be_read_of_a_packet_cut_short_is_told() -> None:
    packet = query_with_sources(IGMP, 2, v4("10.0.0.1") + v4("10.0.0.2"))

    without_addresses = refused(packet[:15])
    assert (without_addresses.source, without_addresses.destination) == (None, None)
    without_message = refused(packet[:24])
    assert without_message.source == v4("192.0.2.1")
    assert without_message.message is None
    with_head_only = refused(packet[:34])
    assert with_head_only.kind is Kind.IGMP_QUERY_3
    assert isinstance(with_head_only.message, Query)
    assert with_head_only.message.group == GROUP
    assert not with_head_only.message.sources


def test_a_report_whose_count_is_cut_off_tells_nothing_but_its_kind(net: Network) -> None:
    packet = report_with_records(net.family, 1, pack(">BBH", 4, 0, 0) + net.g1)
    end = len(packet) - 4 - net.family.address_width

    rejected = refused(packet[: end - 1])
    assert rejected.kind.label == f"{net.family.name} report {net.newest}"
    assert rejected.message is None


def test_a_fragment_is_refused() -> None:
    assert reason(ipv4(GENERAL_3, fragment=0x2000)) is Reason.FRAGMENT


def test_what_is_neither_igmp_nor_mld_is_none_of_ours() -> None:
    for packet in (b"", b"\x45", b"\x60", b"\x10" * 60, ipv4(GENERAL_3, protocol=17)):
        assert wire.decode_packet(packet, FILE) is None


@pytest.mark.parametrize("padding", [192, 200])
def test_headers_are_followed_no_deeper_than_256_bytes_into_a_frame(padding: int) -> None:
    """No implementation pads so much; the classifier's memory in the kernel has that size."""
    options = bytes((5, 2, 0, 0, 1, padding)) + bytes(padding)
    hop_by_hop = bytes((58, (len(options) + 2) // 8 - 1)) + options
    message = icmpv6(b"\x82\0\0\0\x27\x10" + bytes(18), QUERIER_6, MLD.all_hosts)

    rejected = refused(ipv6(hop_by_hop + message))
    assert rejected.reason in (Reason.TOO_SHORT, Reason.BAD_LENGTH)


# Frames and events


def test_a_frame_is_read_through_up_to_two_vlan_tags(net: Network) -> None:
    packet = query_with_sources(net.family, 1, net.s1)

    for tags in ((), (7,), (7, 0x2FFF)):
        received = wire.decode_frame(ethernet(packet, *tags), FILE)
        assert isinstance(received, Received)
        assert received.vlan == tuple(tag & 0xFFF for tag in tags)
        assert received.message == accepted(packet).message


@dataclass
class Event:
    """As the classifier in the kernel found it."""

    kind: int
    reason: int = 0
    flags: int = 0
    tags: int = 0
    vlan: tuple[int, int] = (0, 0)
    network: int = 14
    message: int = 0
    length: int = 0


def event_of(net: Network, message: bytes, kind: Kind) -> tuple[bytes, Event]:
    frame = ethernet(message)
    start = 14 + {"igmp": 24, "mld": 48}[net.family.name]
    return frame, Event(kind, message=start, length=len(frame) - start)


def test_an_event_is_read_without_being_classified_again(net: Network) -> None:
    packet = query_with_sources(net.family, 1, net.s1)
    kind = next(
        each
        for each in Kind
        if (each.family, each.type, each.version) == (net.family, "query", net.newest)
    )
    frame, event = event_of(net, packet, kind)

    received = wire.decode_event(frame, event, FILE)
    assert isinstance(received, Received)
    assert received.message == accepted(packet).message
    event.reason = Reason.BAD_TTL
    rejected = wire.decode_event(frame, event, FILE)
    assert isinstance(rejected, Rejected)
    assert rejected.reason is Reason.BAD_TTL
    assert wire.decode_event(frame, Event(0), FILE) is None


def test_an_event_of_which_less_was_handed_over_is_noted_as_truncated(net: Network) -> None:
    records = b"".join(pack(">BBH", 4, 0, 1) + net.g1 + net.s1 for _ in range(3))
    packet = report_with_records(net.family, 3, records)
    kind = {"igmp": Kind.IGMP_REPORT_3, "mld": Kind.MLD_REPORT_2}[net.family.name]
    frame, event = event_of(net, packet, kind)

    received = wire.decode_event(frame[:-1], event, FILE)
    assert isinstance(received, Received)
    assert received.notes == {Note.TRUNCATED}
    assert isinstance(received.message, RecordReport)
    assert len(received.message.records) == 2


def test_an_event_of_which_nothing_was_handed_over_is_too_short(net: Network) -> None:
    packet = query_with_sources(net.family, 1, net.s1)
    kind = {"igmp": Kind.IGMP_QUERY_3, "mld": Kind.MLD_QUERY_2}[net.family.name]
    _, event = event_of(net, packet, kind)

    rejected = wire.decode_event(b"", event, FILE)
    assert isinstance(rejected, Rejected)
    assert rejected.reason is Reason.TOO_SHORT


# Names


def test_kinds_and_reasons_have_the_names_of_the_interfaces() -> None:
    assert {kind.label for kind in Kind} == {
        "igmp query 1", "igmp query 2", "igmp query 3", "igmp report 1", "igmp report 2",
        "igmp report 3", "igmp leave 2", "igmp other", "mld query 1", "mld query 2",
        "mld report 1", "mld report 2", "mld leave 1", "mld other",
    }  # fmt: skip
    assert [reason.label for reason in sorted(Reason)] == [
        "fragment", "too_short", "bad_length", "bad_checksum", "bad_ttl", "no_router_alert",
        "bad_source", "bad_destination", "bad_group", "bad_source_count", "unknown_type",
        "loopback", "unlisted_querier",
    ]  # fmt: skip
