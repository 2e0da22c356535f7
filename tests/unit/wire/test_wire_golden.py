"""Packets put together by hand, both ways."""

from __future__ import annotations

import pytest
from mcastd import wire
from mcastd.gmp.messages import Leave, MembershipReport, Query, RecordReport
from mcastd.wire import Received, ReceptionContext
from support.golden import Golden, golden_messages
from support.packets import without_senders_choices

FILE = ReceptionContext(addresses_known=False)


@pytest.fixture(params=golden_messages(), ids=lambda golden: golden.name)
def golden(request: pytest.FixtureRequest) -> Golden:
    value: Golden = request.param
    return value


def test_a_golden_packet_is_read_as_what_it_says(golden: Golden) -> None:
    """MF-01, MF-02, MF-03, MF-04, MF-05, MF-06, MF-12."""
    received = wire.decode_packet(golden.packet, FILE)

    assert isinstance(received, Received)
    assert received.message == golden.message
    assert received.family is golden.family
    assert received.version == golden.message.version  # type: ignore[union-attr]
    assert received.notes == frozenset()


def test_a_golden_packet_is_what_its_message_is_written_as(golden: Golden) -> None:
    """MF-01, MF-02, MF-03, MF-04, MF-05, MF-06, MF-10, MF-12."""
    written = packets_of(golden)

    assert [without_senders_choices(packet) for packet in written] == [
        without_senders_choices(golden.packet)
    ]


def packets_of(golden: Golden) -> list[bytes]:
    family = golden.family
    match golden.message:
        case Query() as query:
            return [
                wire.query(
                    family,
                    query.version,
                    source=query.source,
                    group=query.group,
                    sources=query.sources,
                    max_response=query.max_response,
                    robustness=query.robustness,
                    query_interval=query.query_interval,
                    destination=query.destination,
                )
            ]
        case MembershipReport() as report:
            return [wire.membership_report(family, report.version, report.group, report.source)]
        case Leave() as leave:
            return [wire.leave(family, leave.group, leave.source)]
        case RecordReport() as report:
            return list(wire.report_packets(family, report.records, report.source, 1500))
        case other:
            raise AssertionError(f"no golden packet says {other}")
