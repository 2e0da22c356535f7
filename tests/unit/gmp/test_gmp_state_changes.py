"""How a change of filter is told in IGMPv3 and MLDv2 (RFC 9776 §5.1, RFC 9777 §6.1)."""

from __future__ import annotations

import pytest
from support.network import Network
from support.timeline import Fractions, Timeline


def test_a_join_is_reported_at_once_and_repeated_once(timeline: Timeline, net: Network) -> None:
    timeline.joins(net.g1).at(100)

    assert timeline.sent() == [(0, [net.to_ex(net.g1)]), (1, [net.to_ex(net.g1)])]


def test_every_change_is_sent_robustness_variable_times_in_all(net: Network) -> None:
    timeline = Timeline(net, robustness=7).joins(net.g1).at(100)

    assert [moment for moment, _ in timeline.sent()] == [0, 1, 2, 3, 4, 5, 6]


def test_each_repeat_has_a_fresh_delay_within_the_unsolicited_report_interval(
    net: Network,
) -> None:
    """RFC 9776 §8.11, RFC 9777 §9.11: one second."""
    delays = Fractions(0.25, 0.5)
    timeline = Timeline(net, delays, robustness=3).joins(net.g1).at(100)

    assert [moment for moment, _ in timeline.sent()] == [0, 0.25, 0.75]
    assert delays.limits == [1, 1]


def test_a_join_of_sources_allows_them(timeline: Timeline, net: Network) -> None:
    timeline.listens(net.g1, net.include(net.s1, net.s2)).at(100)

    report = [net.allow(net.g1, net.s1, net.s2)]
    assert timeline.sent() == [(0, report), (1, report)]


def test_leaving_everything_changes_to_include_nothing(timeline: Timeline, net: Network) -> None:
    timeline.joins(net.g1).settles().at(10).leaves(net.g1).at(100)

    assert timeline.sent() == [(10, [net.to_in(net.g1)]), (11, [net.to_in(net.g1)])]


def test_leaving_sources_blocks_them(timeline: Timeline, net: Network) -> None:
    timeline.listens(net.g1, net.include(net.s1)).settles().at(10).leaves(net.g1).at(100)

    assert timeline.sent() == [(10, [net.block(net.g1, net.s1)]), (11, [net.block(net.g1, net.s1)])]


def test_a_change_of_mode_tells_the_whole_list(timeline: Timeline, net: Network) -> None:
    timeline.listens(net.g1, net.include(net.s1)).settles().at(10)
    timeline.listens(net.g1, net.exclude(net.s2)).at(20)
    timeline.listens(net.g1, net.include(net.s3)).at(30)

    assert timeline.sent() == [
        (10, [net.to_ex(net.g1, net.s2)]),
        (11, [net.to_ex(net.g1, net.s2)]),
        (20, [net.to_in(net.g1, net.s3)]),
        (21, [net.to_in(net.g1, net.s3)]),
    ]


def test_a_change_of_an_exclude_list_allows_and_blocks_in_one_report(
    timeline: Timeline, net: Network
) -> None:
    timeline.listens(net.g1, net.exclude(net.s1, net.s2)).settles().at(10)
    timeline.listens(net.g1, net.exclude(net.s2, net.s3))

    assert timeline.sent() == [(10, [net.allow(net.g1, net.s1), net.block(net.g1, net.s3)])]


def test_an_unchanged_filter_sends_nothing(timeline: Timeline, net: Network) -> None:
    timeline.joins(net.g1).settles().joins(net.g1).listens(net.g1, net.include(net.s1), "other")

    assert timeline.sent() == []


# The merging of a change into what is still owed, by the examples of the RFC's rules.


def test_a_source_added_while_another_is_repeated_joins_its_report(
    timeline: Timeline, net: Network
) -> None:
    timeline.listens(net.g1, net.include(net.s1)).settles().at(10)
    timeline.listens(net.g1, net.include(net.s1, net.s2))
    timeline.listens(net.g1, net.include(net.s1, net.s2, net.s3)).at(100)

    assert timeline.sent() == [
        (10, [net.allow(net.g1, net.s2)]),
        (10, [net.allow(net.g1, net.s2, net.s3)]),
        (11, [net.allow(net.g1, net.s3)]),
    ]


def test_a_source_removed_while_it_is_still_announced_is_only_blocked(
    timeline: Timeline, net: Network
) -> None:
    timeline.listens(net.g1, net.include(net.s1)).settles().at(10)
    timeline.listens(net.g1, net.include(net.s1, net.s2))
    timeline.listens(net.g1, net.include(net.s1)).at(100)

    assert timeline.sent() == [
        (10, [net.allow(net.g1, net.s2)]),
        (10, [net.block(net.g1, net.s2)]),
        (11, [net.block(net.g1, net.s2)]),
    ]


@pytest.mark.parametrize(("robustness", "mode_changes"), [(2, 1), (3, 2)])
def test_sources_changed_under_a_change_of_mode_are_told_after_it(
    net: Network, robustness: int, mode_changes: int
) -> None:
    timeline = Timeline(net, robustness=robustness)
    timeline.listens(net.g1, net.exclude(net.s1, net.s2))
    timeline.listens(net.g1, net.exclude(net.s2, net.s3)).at(100)

    reports = [report for _, report in timeline.sent()]
    whole, difference = (
        [net.to_ex(net.g1, net.s2, net.s3)],
        [net.allow(net.g1, net.s1), net.block(net.g1, net.s3)],
    )
    assert reports == [[net.to_ex(net.g1, net.s1, net.s2)], *[whole] * mode_changes, difference]


def test_repeats_owed_about_other_sources_keep_their_count(net: Network) -> None:
    timeline = Timeline(net, robustness=3)
    timeline.listens(net.g1, net.exclude(net.s1, net.s2)).at(1)
    timeline.listens(net.g1, net.exclude(net.s2, net.s3)).at(100)

    difference = [net.allow(net.g1, net.s1), net.block(net.g1, net.s3)]
    assert timeline.sent() == [
        (0, [net.to_ex(net.g1, net.s1, net.s2)]),
        (1, [net.to_ex(net.g1, net.s1, net.s2)]),
        (1, [net.to_ex(net.g1, net.s2, net.s3)]),
        (2, difference),
        (3, difference),
    ]


def test_a_second_change_of_mode_replaces_the_first(timeline: Timeline, net: Network) -> None:
    timeline.listens(net.g1, net.include(net.s1))
    timeline.listens(net.g1, net.exclude(net.s2))
    timeline.listens(net.g1, net.include(net.s3)).at(100)

    assert timeline.sent() == [
        (0, [net.allow(net.g1, net.s1)]),
        (0, [net.to_ex(net.g1, net.s2)]),
        (0, [net.to_in(net.g1, net.s3)]),
        (1, [net.to_in(net.g1, net.s3)]),
    ]


def test_a_new_change_restarts_the_interval(timeline: Timeline, net: Network) -> None:
    """The new report ends the series of the old one."""
    timeline.joins(net.g1).at(0.5).listens(net.g1, net.exclude(net.s1)).at(100)

    assert [moment for moment, _ in timeline.sent()] == [0, 0.5, 1.5]


def test_a_learned_robustness_does_not_change_what_is_owed_already(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.g1).hears(net.query(net.g2, robustness=7)).at(100)

    assert len(timeline.sent()) == 2


def test_a_group_rejoined_at_once_is_told_as_it_is_now(timeline: Timeline, net: Network) -> None:
    timeline.joins(net.g1).settles().at(10).leaves(net.g1).joins(net.g1).at(100)

    assert timeline.sent() == [
        (10, [net.to_in(net.g1)]),
        (10, [net.to_ex(net.g1)]),
        (11, [net.to_ex(net.g1)]),
    ]


def test_a_group_rejoined_for_other_sources_still_blocks_the_old_ones(
    timeline: Timeline, net: Network
) -> None:
    timeline.listens(net.g1, net.include(net.s1)).settles().at(10)
    timeline.leaves(net.g1).listens(net.g1, net.include(net.s2)).at(100)

    assert timeline.sent() == [
        (10, [net.block(net.g1, net.s1)]),
        (10, [net.allow(net.g1, net.s2), net.block(net.g1, net.s1)]),
        (11, [net.allow(net.g1, net.s2)]),
    ]


def test_a_group_rejoined_for_the_same_source_allows_it_again(
    timeline: Timeline, net: Network
) -> None:
    timeline.listens(net.g1, net.include(net.s1)).settles().at(10)
    timeline.leaves(net.g1).listens(net.g1, net.include(net.s1)).at(100)

    assert timeline.sent() == [
        (10, [net.block(net.g1, net.s1)]),
        (10, [net.allow(net.g1, net.s1)]),
        (11, [net.allow(net.g1, net.s1)]),
    ]


def test_a_group_that_was_left_is_leaving_until_its_leave_is_repeated(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.g1).settles().leaves(net.g1)

    assert timeline.host.leaving == [net.g1]
    assert net.g1 not in timeline.host.groups
    assert timeline.settles().host.leaving == []


def test_repeats_due_at_the_same_time_share_a_report_in_ascending_order(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.g2, net.g1).at(100)

    assert timeline.sent()[-1] == (1, [net.to_ex(net.g1), net.to_ex(net.g2)])


def test_answering_a_query_does_not_end_the_repeats(timeline: Timeline, net: Network) -> None:
    timeline.joins(net.g1).hears(net.query(net.g1, max_response=0.5)).at(100)

    assert timeline.sent() == [
        (0, [net.to_ex(net.g1)]),
        (0.5, [net.is_ex(net.g1)]),
        (1, [net.to_ex(net.g1)]),
    ]
