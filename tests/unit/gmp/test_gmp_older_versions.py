"""Reports and leaves of single groups: IGMPv1, IGMPv2, MLDv1 (RFC 2236 §3, §6, RFC 2710 §4, §5)."""

from __future__ import annotations

import pytest
from mcastd.gmp.effects import Effect, Listening, ReportsMatter, SendReport
from mcastd.gmp.family import Address
from mcastd.gmp.suppressing import MemberState, SuppressingReporter
from support.network import Network
from support.timeline import Fractions, Timeline


@pytest.fixture
def older(net: Network) -> Timeline:
    """A host that is configured to speak the version before the newest."""
    return Timeline(net, max_version=net.older)


def started(*groups: Address) -> Effect:
    return ReportsMatter(groups, Listening.STARTED)


def stopped(*groups: Address) -> Effect:
    return ReportsMatter(groups, Listening.STOPPED)


def test_a_join_is_reported_at_once_and_repeated_within_ten_seconds(
    older: Timeline, net: Network
) -> None:
    older.joins(net.g1).at(100)

    assert older.sent() == [(0, net.sent_report(net.g1)), (10, net.sent_report(net.g1))]


@pytest.mark.parametrize(("robustness", "reports"), [(2, 2), (3, 3), (7, 3)])
def test_a_join_is_repeated_once_or_twice(net: Network, robustness: int, reports: int) -> None:
    timeline = Timeline(net, max_version=net.older, robustness=robustness).joins(net.g1).at(100)

    assert len(timeline.sent()) == reports


def test_a_join_of_sources_is_reported_like_any_other(older: Timeline, net: Network) -> None:
    """RFC 4604 §2.2.3: the older message has no place for them."""
    older.listens(net.ssm, net.include(net.s1))

    assert older.sent() == [(0, net.sent_report(net.ssm))]


def test_a_change_of_filter_is_not_told(older: Timeline, net: Network) -> None:
    older.joins(net.g1).settles().listens(net.g1, net.include(net.s1))

    assert older.sent() == []


def test_a_leave_is_sent_once_by_the_last_reporter(older: Timeline, net: Network) -> None:
    older.joins(net.g1).settles().at(50).leaves(net.g1).at(100)

    assert older.sent() == [(50, net.sent_leave(net.g1))]


def test_a_leave_while_the_timer_runs_stops_it(older: Timeline, net: Network) -> None:
    older.joins(net.g1).at(1).leaves(net.g1).at(100)

    assert older.sent() == [(0, net.sent_report(net.g1)), (1, net.sent_leave(net.g1))]
    assert older.told() == [started(net.g1), stopped(net.g1)]


def test_no_leave_is_sent_after_another_host_reported_last(older: Timeline, net: Network) -> None:
    older.joins(net.g1).hears(net.report(net.g1)).at(50).leaves(net.g1)

    assert older.sent() == [(0, net.sent_report(net.g1))]


def test_a_leave_is_always_sent_if_the_optimisation_is_off(net: Network) -> None:
    """RFC 2710 §4."""
    timeline = Timeline(net, max_version=net.older, leave_only_if_last_reporter=False)
    timeline.joins(net.g1).hears(net.report(net.g1)).at(50).leaves(net.g1)

    assert timeline.sent()[-1] == (50, net.sent_leave(net.g1))


def test_igmp_version_1_has_no_leave(igmp: Timeline) -> None:
    """RFC 1112 Appendix I."""
    net = igmp.net
    igmp.configures(max_version=1).joins(net.g1).at(1).leaves(net.g1).at(100)

    assert igmp.sent() == [(0, SendReport(1, net.g1))]


def test_a_general_query_is_answered_for_each_group_after_a_delay_of_its_own(
    net: Network,
) -> None:
    delays = Fractions(0.1, 0.1, 0.5, 0.25)
    timeline = Timeline(net, delays, max_version=net.older)
    timeline.joins(net.g1, net.g2).settles().at(50).hears(net.older_query(max_response=8)).at(100)

    assert timeline.sent() == [(52, net.sent_report(net.g2)), (54, net.sent_report(net.g1))]


def test_a_group_query_is_answered_for_its_group(older: Timeline, net: Network) -> None:
    older.joins(net.g1, net.g2).settles().at(50).hears(net.older_query(net.g2, 1)).at(100)

    assert older.sent() == [(51, net.sent_report(net.g2))]


def test_a_query_for_a_group_that_is_not_held_is_nothing(older: Timeline, net: Network) -> None:
    older.joins(net.g1).settles().hears(net.older_query(net.g2))

    assert older.host.running_timers == 0


@pytest.mark.parametrize(("max_response", "due"), [(3, 52.5), (4, 55), (10, 55)])
def test_a_running_timer_is_replaced_only_if_it_may_run_longer_than_the_query_allows(
    net: Network, max_response: float, due: float
) -> None:
    """RFC 2236 §3: only if the requested Max Response Time is less than the remaining time."""
    timeline = Timeline(net, Fractions(1, 1, 0.5), max_version=net.older)
    timeline.joins(net.g1).settles().at(50).hears(net.older_query(max_response=5)).at(51)
    timeline.hears(net.older_query(net.g1, max_response)).at(100)

    assert timeline.sent() == [(due, net.sent_report(net.g1))]


def test_a_query_and_the_repeats_share_one_timer(older: Timeline, net: Network) -> None:
    older.joins(net.g1).at(1).hears(net.older_query(max_response=2)).at(100)

    assert older.sent() == [(0, net.sent_report(net.g1)), (3, net.sent_report(net.g1))]


def test_another_hosts_report_stops_the_answer(older: Timeline, net: Network) -> None:
    older.joins(net.g1).settles().at(50).hears(net.older_query()).at(51)
    older.hears(net.report(net.g1)).at(100)

    assert older.sent() == []
    assert older.told() == [started(net.g1), stopped(net.g1)]


def test_another_hosts_report_stops_all_unsolicited_repeats(net: Network) -> None:
    timeline = Timeline(net, max_version=net.older, robustness=3).joins(net.g1)
    timeline.hears(net.report(net.g1)).at(100)

    assert timeline.sent() == [(0, net.sent_report(net.g1))]


def test_repeats_that_were_stopped_do_not_follow_a_later_answer(net: Network) -> None:
    timeline = Timeline(net, max_version=net.older, robustness=3).joins(net.g1)
    timeline.hears(net.report(net.g1)).at(50).hears(net.older_query(max_response=1)).at(100)

    assert [moment for moment, _ in timeline.sent()] == [0, 51]


def test_a_report_of_an_even_older_version_suppresses_too(igmp: Timeline) -> None:
    net = igmp.net
    igmp.configures(max_version=2).joins(net.g1).hears(net.report(net.g1, version=1)).at(100)

    assert igmp.sent() == [(0, SendReport(2, net.g1))]


def test_a_report_heard_while_idle_leaves_the_flag_alone(older: Timeline, net: Network) -> None:
    """The diagrams of RFC 2236 §6 and RFC 2710 §5 ignore it."""
    older.joins(net.g1).settles().hears(net.report(net.g1)).leaves(net.g1)

    assert [message for _, message in older.sent()] == [net.sent_leave(net.g1)]


def test_a_report_of_another_group_suppresses_nothing(older: Timeline, net: Network) -> None:
    older.joins(net.g1).hears(net.report(net.g2), net.report(net.s1)).at(100)

    assert len(older.sent()) == 2


def test_others_reports_matter_while_the_timer_runs(older: Timeline, net: Network) -> None:
    older.joins(net.g1)
    assert older.told() == [started(net.g1)]

    older.at(100)
    assert older.told() == [stopped(net.g1)]


def test_a_listener_query_that_allows_no_delay_is_answered_at_once(mld: Timeline) -> None:
    """RFC 2710 §4."""
    net = mld.net
    mld.configures(max_version=1).joins(net.g1, net.g2).settles().at(50)
    mld.hears(net.older_query(max_response=0))

    assert mld.sent() == [(50, SendReport(1, net.g1)), (50, SendReport(1, net.g2))]


def test_a_group_is_a_delaying_member_while_its_timer_runs(older: Timeline, net: Network) -> None:
    reporter = older.host._speaker.reporter
    assert isinstance(reporter, SuppressingReporter)

    assert reporter.member_state(net.g1) is MemberState.NON_MEMBER
    older.joins(net.g1)
    assert reporter.member_state(net.g1) is MemberState.DELAYING_MEMBER
    assert set(older.host.timers(net.g1)) == {"delay"}
    older.settles()
    assert reporter.member_state(net.g1) is MemberState.IDLE_MEMBER
    assert older.host.timers(net.g1) == {}
    assert older.host.leaving == []
    assert older.host.general_response_due is None
