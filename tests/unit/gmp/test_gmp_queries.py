"""How queries are answered in IGMPv3 and MLDv2 (RFC 9776 §5.2, RFC 9777 §6.2, §6.3)."""

from __future__ import annotations

from mcastd.gmp.effects import SendRecords
from mcastd.gmp.events import Configure
from mcastd.gmp.time import Instant, milliseconds, seconds
from support.network import Network
from support.timeline import Fractions, Timeline


def test_a_general_query_is_answered_for_all_groups_in_ascending_order(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.g2).listens(net.g1, net.include(net.s1)).settles().at(20)
    timeline.hears(net.query(max_response=10)).at(100)

    assert timeline.sent() == [(30, [net.is_in(net.g1, net.s1), net.is_ex(net.g2)])]


def test_the_answer_waits_for_a_delay_within_the_max_response_time(net: Network) -> None:
    timeline = Timeline(net, Fractions(0.5)).joins(net.g1).settles().at(20)
    timeline.hears(net.query(max_response=8))

    assert timeline.host.general_response_due == Instant(seconds(24))
    assert timeline.at(23.999).sent() == []
    assert timeline.at(24).sent() == [(24, [net.is_ex(net.g1)])]


def test_records_are_made_when_they_are_asked_for(timeline: Timeline, net: Network) -> None:
    timeline.joins(net.g1, net.g2, net.g3).settles().at(20).hears(net.query(max_response=10))
    (effect,) = timeline.host.advance(Instant(seconds(30)))
    timeline.leaves(net.g2)

    assert isinstance(effect, SendRecords)
    assert list(effect.records) == [net.is_ex(net.g1), net.is_ex(net.g3)]


def test_a_query_without_a_group_to_report_schedules_nothing(
    timeline: Timeline, net: Network
) -> None:
    timeline.hears(net.query(), net.query(net.g1), net.query(net.g1, net.s1))

    assert timeline.host.next_deadline() is None


def test_a_general_query_is_not_answered_when_all_groups_have_been_left(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.g1).settles().at(20).hears(net.query()).leaves(net.g1)
    timeline.settles()

    assert timeline.sent() == []


def test_no_answer_is_sent_at_once_even_if_the_max_response_time_is_zero(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.g1).settles().at(20).hears(net.query(max_response=0))

    assert timeline.sent() == []
    assert timeline.host.next_deadline() == Instant(seconds(20) + milliseconds(10))


def test_a_group_query_is_answered_for_its_group(timeline: Timeline, net: Network) -> None:
    timeline.joins(net.g1, net.g2).settles().at(20).hears(net.query(net.g2, max_response=1))

    assert timeline.at(100).sent() == [(21, [net.is_ex(net.g2)])]


def test_a_group_and_source_query_is_answered_for_what_is_received_of_its_sources(
    timeline: Timeline, net: Network
) -> None:
    timeline.listens(net.g1, net.include(net.s1, net.s2))
    timeline.listens(net.g2, net.exclude(net.s1)).settles().at(20)
    timeline.hears(net.query(net.g1, net.s2, net.s3), net.query(net.g2, net.s1, net.s2))

    answer = [net.is_in(net.g1, net.s2), net.is_in(net.g2, net.s2)]
    assert timeline.at(100).sent() == [(30, answer)]


def test_a_query_of_sources_that_are_not_received_is_not_answered(
    timeline: Timeline, net: Network
) -> None:
    timeline.listens(net.g1, net.include(net.s1)).listens(net.g2, net.exclude(net.s2))
    timeline.settles().at(20)
    timeline.hears(net.query(net.g1, net.s2), net.query(net.g2, net.s2))

    assert timeline.at(100).sent() == []


def test_an_answer_tells_the_filter_of_the_moment_when_it_leaves(
    timeline: Timeline, net: Network
) -> None:
    timeline.listens(net.g1, net.include(net.s1)).settles().at(20)
    timeline.hears(net.query(net.g1, net.s1, net.s2)).at(25)
    timeline.listens(net.g1, net.include(net.s2)).at(29)
    timeline.sent()

    assert timeline.at(100).sent() == [(30, [net.is_in(net.g1, net.s2)])]


# The rules of §5.2, one by one.


def test_rule_1_a_sooner_general_answer_serves_every_later_query(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.g1).settles().at(20).hears(net.query(max_response=5))
    timeline.hears(net.query(max_response=10), net.query(net.g1), net.query(net.g1, net.s1))

    assert timeline.host.running_timers == 1
    assert timeline.at(100).sent() == [(25, [net.is_ex(net.g1)])]


def test_rule_2_a_sooner_general_answer_replaces_a_later_one(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.g1).settles().at(20)
    timeline.hears(net.query(max_response=10), net.query(max_response=5))

    assert timeline.at(100).sent() == [(25, [net.is_ex(net.g1)])]


def test_rule_4_a_group_query_forgets_the_sources_recorded_before_it(
    timeline: Timeline, net: Network
) -> None:
    timeline.listens(net.g1, net.include(net.s1, net.s2)).settles().at(20)
    timeline.hears(net.query(net.g1, net.s1, max_response=10)).at(21)
    timeline.hears(net.query(net.g1, max_response=10))

    assert timeline.at(100).sent() == [(30, [net.is_in(net.g1, net.s1, net.s2)])]


def test_rule_4_a_source_query_does_not_narrow_a_pending_answer_for_the_whole_group(
    timeline: Timeline, net: Network
) -> None:
    timeline.listens(net.g1, net.include(net.s1, net.s2)).settles().at(20)
    timeline.hears(net.query(net.g1, max_response=10)).at(21)
    timeline.hears(net.query(net.g1, net.s1, max_response=2))

    assert timeline.at(100).sent() == [(23, [net.is_in(net.g1, net.s1, net.s2)])]


def test_rule_5_sources_of_several_queries_are_recorded_together(
    timeline: Timeline, net: Network
) -> None:
    timeline.listens(net.g1, net.include(net.s1, net.s2, net.s3)).settles().at(20)
    timeline.hears(net.query(net.g1, net.s1, max_response=10)).at(21)
    timeline.hears(net.query(net.g1, net.s2, max_response=4))

    assert timeline.at(100).sent() == [(25, [net.is_in(net.g1, net.s1, net.s2)])]


def test_a_general_answer_includes_the_pending_answers_of_single_groups(
    timeline: Timeline, net: Network
) -> None:
    """RFC 9776 §5.2 clears the recorded sources; telling the group again would say nothing new."""
    timeline.listens(net.g1, net.include(net.s1, net.s2)).settles().at(20)
    timeline.hears(net.query(net.g1, net.s1, max_response=10)).at(21)
    timeline.hears(net.query(net.g1, max_response=9), net.query(max_response=2))

    assert timeline.at(23).sent() == [(23, [net.is_in(net.g1, net.s1, net.s2)])]
    assert timeline.host.next_deadline() is None


def test_leaving_a_group_cancels_its_pending_answer(timeline: Timeline, net: Network) -> None:
    timeline.joins(net.g1).settles().at(20).hears(net.query(net.g1)).leaves(net.g1)

    assert "response" not in timeline.host.timers(net.g1)
    assert timeline.at(100).sent() == [(20, [net.to_in(net.g1)]), (21, [net.to_in(net.g1)])]


def test_a_group_that_is_leaving_is_not_reported_to_queries(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.g1).settles().at(20).leaves(net.g1)
    timeline.hears(net.query(max_response=0.5), net.query(net.g1, max_response=0.5))

    assert timeline.at(100).sent() == [(20, [net.to_in(net.g1)]), (21, [net.to_in(net.g1)])]


def test_too_many_recorded_sources_become_a_question_about_the_group(net: Network) -> None:
    """RFC 9776 §9.1."""
    timeline = Timeline(net, max_pending_sources=366)
    timeline.listens(net.g1, net.include(net.s1)).settles().at(20)
    first = int.from_bytes(net.s2)
    many = [(first + i).to_bytes(net.family.address_width) for i in range(400)]
    timeline.hears(net.query(net.g1, *many[:200])).hears(net.query(net.g1, *many[200:]))

    assert timeline.at(100).sent() == [(30, [net.is_in(net.g1, net.s1)])]


def test_a_change_of_tunables_leaves_pending_answers_alone(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.g1).settles().at(20).hears(net.query(net.g1))
    timeline.takes(Configure(net.config(query_interval=60)))

    assert timeline.at(100).sent() == [(30, [net.is_ex(net.g1)])]


# What is learned from queries (RFC 9776 §4.1.6, §4.1.7, RFC 9777 §5.1.8, §5.1.9).


def test_a_query_teaches_its_robustness_and_interval(timeline: Timeline, net: Network) -> None:
    timeline.hears(net.query(net.g1, robustness=3, query_interval=20))

    assert (timeline.host.robustness, timeline.host.query_interval) == (3, seconds(20))


def test_zero_stands_for_the_configured_values(net: Network) -> None:
    timeline = Timeline(net, robustness=4, query_interval=60)
    timeline.hears(net.query(robustness=3, query_interval=20))
    timeline.hears(net.query(robustness=0, query_interval=0))

    assert (timeline.host.robustness, timeline.host.query_interval) == (4, seconds(60))


def test_a_robustness_of_one_is_taken_as_two(timeline: Timeline, net: Network) -> None:
    timeline.hears(net.query(robustness=7)).hears(net.query(robustness=1))

    assert timeline.host.robustness == 2


def test_nothing_is_learned_while_an_older_version_is_spoken(
    timeline: Timeline, net: Network
) -> None:
    timeline.hears(net.older_query(), net.query(robustness=7, query_interval=20))

    assert (timeline.host.robustness, timeline.host.query_interval) == (2, seconds(125))


def test_nothing_is_learned_from_a_bad_query(timeline: Timeline, net: Network) -> None:
    timeline.hears(net.query(net.s1, robustness=7), net.query(None, net.s1, robustness=7))

    assert timeline.host.robustness == 2
