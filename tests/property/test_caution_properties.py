"""Nothing is said that takes away what anybody on the host wants."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcastd.gmp.caution import takes_away, without_harm
from mcastd.gmp.family import FAMILIES, ProtocolFamily
from mcastd.gmp.filters import FilterMode, SourceFilter
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.native import SourceList

UNIVERSE = [ip_address(f"10.0.0.{i}").packed for i in range(1, 6)]
GROUP = ip_address("239.1.1.1").packed
IGMP: ProtocolFamily = FAMILIES["igmp"]

lists = st.frozensets(st.sampled_from(UNIVERSE)).map(lambda chosen: SourceList.of(chosen, 4))
filters = st.builds(SourceFilter, st.sampled_from(FilterMode), lists)
records = st.builds(GroupRecord, st.sampled_from(RecordType), st.just(GROUP), lists)

NEW = ip_address("10.9.9.9").packed
"""Stands for all sources that nobody has listed."""


def wanted(*filters_: SourceFilter) -> set[bytes]:
    return {source for source in (*UNIVERSE, NEW) if any(each.admits(source) for each in filters_)}


def taken(record: GroupRecord) -> set[bytes]:
    """What a router asks about before it forgets it, or forgets (RFC 9776 §6.4.2)."""
    listed = set(record.sources)
    match record.type:
        case RecordType.CHANGE_TO_INCLUDE_MODE:
            return {*UNIVERSE, NEW} - listed
        case RecordType.CHANGE_TO_EXCLUDE_MODE | RecordType.BLOCK_OLD_SOURCES:
            return listed
        case _:
            return set()


def added(record: GroupRecord) -> set[bytes]:
    match record.type:
        case RecordType.BLOCK_OLD_SOURCES:
            return set()
        case RecordType.CHANGE_TO_EXCLUDE_MODE | RecordType.MODE_IS_EXCLUDE:
            return {*UNIVERSE, NEW} - set(record.sources)
        case _:
            return set(record.sources)


@given(records, filters, filters)
def test_nothing_is_taken_away_that_anybody_wants(
    record: GroupRecord, own: SourceFilter, others: SourceFilter
) -> None:
    said = without_harm(record, own, others)

    if said is not None:
        assert not taken(said) & wanted(own, others)


@given(records, filters)
def test_of_what_is_not_known_nothing_is_taken_away(record: GroupRecord, own: SourceFilter) -> None:
    said = without_harm(record, own, None)

    assert said is None or not taken(said)


@given(records, filters, st.none() | filters)
def test_what_the_record_adds_is_added_all_the_same(
    record: GroupRecord, own: SourceFilter, others: SourceFilter | None
) -> None:
    """Of what is wanted."""
    said = without_harm(record, own, others)

    still = added(record) & wanted(own)
    assert still <= (added(said) if said is not None else set())


@given(records, filters)
def test_alone_on_the_host_the_whole_change_is_said(record: GroupRecord, own: SourceFilter) -> None:
    """If it is still true of whoever says it."""
    nothing = SourceFilter(FilterMode.INCLUDE, IGMP.no_sources)
    if not takes_away(record, own) and record.type is not RecordType.CHANGE_TO_INCLUDE_MODE:
        assert without_harm(record, own, nothing) in (record, None)
        if taken(record):
            assert without_harm(record, own, nothing) == record


@given(records, filters)
def test_a_record_takes_away_if_a_router_would_lose_something_wanted(
    record: GroupRecord, own: SourceFilter
) -> None:
    assert takes_away(record, own) == bool(taken(record) & wanted(own))


@pytest.mark.parametrize("type_", RecordType)
def test_the_end_of_a_membership_is_said_when_nobody_else_wants_it(type_: RecordType) -> None:
    nothing = SourceFilter(FilterMode.INCLUDE, IGMP.no_sources)
    record = GroupRecord(type_, GROUP, SourceList.of(UNIVERSE[:2], 4))
    if type_ is RecordType.CHANGE_TO_INCLUDE_MODE:
        record = record._replace(sources=IGMP.no_sources)

    assert without_harm(record, nothing, nothing) == record
