"""Encoding and decoding undo each other, and no bytes break decoding."""

from __future__ import annotations

from ipaddress import ip_address
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mcastd import wire
from mcastd.gmp import current_state
from mcastd.gmp.config import HostConfig
from mcastd.gmp.current_state import CurrentState
from mcastd.gmp.delays import RandomDelays
from mcastd.gmp.effects import SendRecords
from mcastd.gmp.events import Listen
from mcastd.gmp.family import IGMP, MLD, ProtocolFamily
from mcastd.gmp.filters import exclude, include
from mcastd.gmp.host import Host
from mcastd.gmp.messages import Leave, MembershipReport, Query, RecordReport
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.gmp.time import Duration, Instant, seconds
from mcastd.native import SourceList
from mcastd.wire import Reason, Received, ReceptionContext, Rejected, packing
from support.frames import frames, spoilt_packets

FILE = ReceptionContext(addresses_known=False)
SOURCES = {"igmp": ip_address("192.0.2.10").packed, "mld": ip_address("fe80::10").packed}

families = st.sampled_from([IGMP, MLD])


def group_addresses(family: ProtocolFamily) -> st.SearchStrategy[bytes]:
    rest = st.binary(min_size=family.address_width - 1, max_size=family.address_width - 1)
    first = b"\xef" if family is IGMP else b"\xff"
    return rest.map(lambda tail: first + tail)


def source_lists(family: ProtocolFamily, most: int = 8) -> st.SearchStrategy[SourceList]:
    width = family.address_width
    address = st.binary(min_size=width, max_size=width)
    return st.lists(address, max_size=most).map(lambda each: SourceList.of(each, width))


def long_lists(family: ProtocolFamily) -> st.SearchStrategy[SourceList]:
    """Of some hundred addresses, cheap to make."""
    width = family.address_width

    def counted(start: int, count: int) -> SourceList:
        return SourceList.of(((start + each).to_bytes(width) for each in range(count)), width)

    return st.builds(counted, st.integers(0, 1 << 30), st.integers(0, 400))


def records(family: ProtocolFamily) -> st.SearchStrategy[GroupRecord]:
    lists = st.one_of(source_lists(family), long_lists(family))
    return st.builds(GroupRecord, st.sampled_from(RecordType), group_addresses(family), lists)


def decoded(packet: bytes) -> object:
    received = wire.decode_packet(packet, FILE)
    assert isinstance(received, Received), received
    return received.message


@st.composite
def queries(draw: st.DrawFn) -> tuple[ProtocolFamily, Query, bytes]:
    """A query, and how it is written; times are such as have a code."""
    family = draw(families)
    version = draw(st.sampled_from(family.versions))
    general = draw(st.booleans())
    group = family.unspecified if general else draw(group_addresses(family))
    sources = family.no_sources if general else draw(source_lists(family))
    limit = 127 if family is IGMP else 32767
    max_response = Duration(draw(st.integers(1, limit)) * family.max_response_unit)
    interval = Duration(draw(st.integers(0, 127)) * 1_000_000_000)
    suppress, robustness = draw(st.booleans()), draw(st.integers(0, 7))
    packet = wire.query(
        family, version, source=SOURCES[family.name], group=group, sources=sources,
        max_response=max_response, robustness=robustness, query_interval=interval,
        suppress=suppress, destination=family.all_hosts,
    )  # fmt: skip
    head = (version, SOURCES[family.name], family.all_hosts, group)
    if version == family.newest:
        said = Query(*head, sources, max_response, max_response, robustness, interval, suppress)
    elif (family, version) == (IGMP, 1):
        ten_seconds = Duration(10_000_000_000)
        said = Query(*head, family.no_sources, ten_seconds, Duration(0))
    else:
        said = Query(*head, family.no_sources, max_response, max_response)
    return family, said, packet


@given(query=queries())
def test_a_query_is_read_as_it_was_written(query: tuple[ProtocolFamily, Query, bytes]) -> None:
    _, said, packet = query

    assert decoded(packet) == said


@given(data=st.data(), family=families)
def test_older_reports_and_leaves_are_read_as_they_were_written(
    data: st.DataObject, family: ProtocolFamily
) -> None:
    group = data.draw(group_addresses(family))
    source = SOURCES[family.name]

    for version in family.versions[:-1]:
        report = wire.membership_report(family, version, group, source)
        assert decoded(report) == MembershipReport(version, source, group, group)
    (version,) = family.leaving_versions
    leave = wire.leave(family, group, source)
    assert decoded(leave) == Leave(version, source, family.all_routers, group)


@given(data=st.data(), family=families)
def test_records_are_read_as_they_were_written_or_as_the_rules_of_packing_allow(
    data: st.DataObject, family: ProtocolFamily
) -> None:
    """No packet exceeds the MTU, none is empty; of each record every source is told, in order, but
    of exclude records, of which the lowest that fit.
    """
    mtu = data.draw(st.sampled_from([family.minimum_mtu, 1500, 9000]))
    said = data.draw(st.lists(records(family), max_size=12))
    packets = list(wire.report_packets(family, said, SOURCES[family.name], mtu))

    assert all(len(packet) <= mtu for packet in packets)
    reports = [decoded(packet) for packet in packets]
    heard: list[GroupRecord] = []
    for report in reports:
        assert isinstance(report, RecordReport)
        assert report.records
        heard.extend(report.records)
    assert_same_told(said, heard)


def assert_same_told(said: list[GroupRecord], heard: list[GroupRecord]) -> None:
    rest = iter(heard)
    excluding = (RecordType.MODE_IS_EXCLUDE, RecordType.CHANGE_TO_EXCLUDE_MODE)
    for record in said:
        first = next(rest)
        told = first.sources.packed
        assert (first.type, first.group) == (record.type, record.group)
        if record.type in excluding:
            assert record.sources.packed.startswith(told)
            continue
        while len(told) < len(record.sources.packed):
            following = next(rest)
            assert (following.type, following.group) == (record.type, record.group)
            told += following.sources.packed
        assert told == record.sources.packed
    assert next(rest, None) is None


@given(data=st.binary(max_size=200))
def test_no_bytes_make_decoding_raise(data: bytes) -> None:
    for context in (FILE, ReceptionContext(), ReceptionContext(1, 1, False, True)):
        wire.decode_packet(data, context)
        wire.decode_frame(data, context)


@given(packet=spoilt_packets, frame=frames())
def test_no_packet_makes_decoding_raise(packet: bytes, frame: bytes) -> None:
    for context in (FILE, ReceptionContext(), ReceptionContext(1, 1, False, True)):
        wire.decode_packet(packet, context)
        wire.decode_frame(frame, context)


@given(query=queries(), data=st.data())
def test_a_bit_that_fell_over_in_a_message_is_noticed(
    query: tuple[ProtocolFamily, Query, bytes], data: st.DataObject
) -> None:
    """By the checksum, unless it made the message too short to have one."""
    family, said, packet = query
    assume((family, said.version) != (IGMP, 1))
    at = data.draw(st.integers(family.overhead, len(packet) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    changed = packet[:at] + bytes((packet[at] ^ bit,)) + packet[at + 1 :]

    heard = wire.decode_packet(changed, FILE)
    assert heard is None or (
        isinstance(heard, Rejected) and heard.reason in (Reason.BAD_CHECKSUM, Reason.TOO_SHORT)
    )


@given(st.data())
def test_current_state_packed_in_c_is_what_record_by_record_would_be(data: st.DataObject) -> None:
    family = data.draw(families)
    held = data.draw(
        st.dictionaries(
            group_addresses(family),
            st.tuples(st.booleans(), st.one_of(source_lists(family), long_lists(family))),
            max_size=20,
        )
    )
    host = Host(family, HostConfig.from_mapping(family, {}), RandomDelays(Random(1)))
    for group, (excluding, sources) in held.items():
        wanted = exclude(sources) if excluding else include(sources)
        host.handle(Instant(0), Listen("test", group, wanted, is_known=True))
    mtu = max(family.minimum_mtu, data.draw(st.sampled_from([0, 576, 1500, 65536])))
    run, at_once = data.draw(st.integers(1, 25)), data.draw(st.integers(1, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(current_state, "RUN", run)
        patch.setattr(packing, "AT_ONCE", at_once)
        for state in answers_to_a_general_query(family, host):
            packets = list(wire.report_packets(family, state, SOURCES[family.name], mtu))
            plain = list(wire.report_packets(family, list(state), SOURCES[family.name], mtu))
            assert packets == plain


def answers_to_a_general_query(family: ProtocolFamily, host: Host) -> list[CurrentState]:

    querier, response = SOURCES[family.name], seconds(1)
    no_group, no_sources = family.unspecified, family.no_sources
    query = Query(
        family.newest, querier, family.all_hosts, no_group, no_sources, response, response
    )
    effects = host.handle(Instant(0), query) + host.advance(Instant(response))
    states = [each.records for each in effects if isinstance(each, SendRecords)]
    assert len(states) <= 1
    assert all(isinstance(each, CurrentState) for each in states)
    return states  # type: ignore[return-value]
