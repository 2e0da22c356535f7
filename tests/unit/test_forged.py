"""What a flood is made of, and what is expected of its counters."""

from __future__ import annotations

from collections import Counter

import pytest
from mcastd.wire import Kind, Received, ReceptionContext, decode_frame
from mcastd_bench import forged
from mcastd_bench.flood import verify, verify_consumed

ANYBODY = ReceptionContext()
TAGS = {b"\x81\x00": 1, b"\x88\xa8": 2}


def test_all_versions_of_both_families_are_in_it() -> None:
    found = [decode_frame(each, ANYBODY) for each in forged.flood()]
    kinds = {each.kind for each in found if isinstance(each, Received)}
    assert kinds == set(Kind) - {Kind.IGMP_OTHER, Kind.MLD_OTHER}


def test_some_frames_have_tags_and_some_are_damaged() -> None:
    frames = forged.flood()
    assert {TAGS.get(each[12:14], 0) for each in frames} == {0, 1, 2}
    refused = forged.expected(frames, len(frames), ANYBODY).received
    assert {"igmp bad_checksum", "igmp bad_ttl", "mld bad_checksum", "mld bad_ttl"} <= set(refused)


def test_nearly_every_frame_comes_from_somebody_else() -> None:
    frames = forged.flood()
    sources = {each[26:30] for each in frames if each[12:14] == b"\x08\x00"}
    assert len(sources) > 0.9 * sum(each[12:14] == b"\x08\x00" for each in frames)


def test_it_is_the_same_in_every_run() -> None:
    assert forged.flood() == forged.flood()


def test_frames_sent_in_turn_are_expected_as_often_as_they_are_sent() -> None:
    frames = forged.flood()
    one, two = forged.expected(frames[:5], 3, ANYBODY), forged.expected(frames[3:5], 2, ANYBODY)
    whole = forged.expected(frames[:5], 13, ANYBODY)
    seven = forged.expected(frames[:5], 5, ANYBODY)
    assert whole.received == seven.received + seven.received + one.received
    assert one.received + two.received == seven.received
    assert whole.queries == 2 * seven.queries + one.queries


def test_only_older_queries_outside_of_vlans_are_expected_to_be_consumed() -> None:
    for frame in forged.flood():
        found = decode_frame(frame, ANYBODY)
        assert found is not None
        older = found.kind in (Kind.IGMP_QUERY_1, Kind.IGMP_QUERY_2, Kind.MLD_QUERY_1)
        consumed = forged.expected([frame], 1, ANYBODY).consumed
        wanted = Counter({found.family.name: 1} if older and not found.vlan else {})
        assert consumed == wanted


def test_counters_that_are_not_what_was_sent_are_named() -> None:
    sent = forged.Expected(Counter({"igmp query 3": 5, "mld leave 1": 2}), 5, Counter(igmp=1))
    asked = {"igmp": 2, "mld": 1}
    counted = Counter({"igmp query 3": 7, "mld query 2": 1, "mld leave 1": 2})
    verify(forged.Expected(counted, 8, Counter(igmp=1)), sent, asked)
    with pytest.raises(RuntimeError, match=r"'mld leave 1': \(1, 2\)"):
        verify(sent._replace(received=counted - Counter({"mld leave 1": 1})), sent, asked)
    with pytest.raises(RuntimeError, match="queries 7 for 8"):
        verify(forged.Expected(counted, 7, Counter(igmp=1)), sent, asked)
    with pytest.raises(RuntimeError, match="consumed"):
        verify(forged.Expected(counted, 8, Counter(igmp=2)), sent, asked)


def test_an_older_query_is_consumed_or_beyond_the_limits_and_nothing_else_is() -> None:
    older = Counter(igmp=3, mld=2)
    verify_consumed(Counter(igmp=1, mld=2), Counter(igmp=9, mld=2), older)
    verify_consumed(Counter(), Counter(igmp=9), Counter())
    with pytest.raises(
        RuntimeError, match="igmp: 1 queries consumed and 2 kept from the kernel, of 3"
    ):
        verify_consumed(Counter(igmp=1), Counter(igmp=2, mld=2), older)
    with pytest.raises(
        RuntimeError, match="mld: 1 queries consumed and 1 kept from the kernel, of 0"
    ):
        verify_consumed(Counter(mld=1), Counter(mld=1), Counter())
