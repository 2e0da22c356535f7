"""Which version is spoken (RFC 9776 §7, RFC 9777 §8), and the configured maximum of it."""

from __future__ import annotations

from mcastd.gmp.effects import Listening, ReportsMatter, SendReport, VersionChanged, Warn
from mcastd.gmp.family import IGMP
from mcastd.gmp.time import Instant, seconds
from support.network import Network
from support.timeline import Timeline

OLDER_TIMEOUT = {"igmp": 350, "mld": 260}
"""After a query that allows ten seconds, with all values at their defaults."""


def test_an_older_general_query_changes_the_version_at_once(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.g1).settles().at(50).hears(net.older_query(max_response=10)).at(100)

    assert timeline.told()[0] == VersionChanged(net.newest, net.older)
    assert timeline.sent() == [(60, net.sent_report(net.g1))]
    assert timeline.host.compatibility_version == net.older


def test_the_older_version_is_spoken_until_its_querier_is_forgotten(
    timeline: Timeline, net: Network
) -> None:
    """RFC 9776 §8.12, RFC 9777 §9.12."""
    end = OLDER_TIMEOUT[net.family.name]
    timeline.hears(net.older_query(max_response=10))
    assert timeline.older_queriers() == {net.older: end}

    timeline.at(end - 0.001)
    assert timeline.host.version == net.older
    timeline.at(end)
    assert timeline.host.version == net.newest
    assert timeline.told()[-1] == VersionChanged(net.older, net.newest)


def test_every_older_general_query_starts_the_timer_again(timeline: Timeline, net: Network) -> None:
    end = OLDER_TIMEOUT[net.family.name]
    timeline.hears(net.older_query()).at(200).hears(net.older_query())

    assert timeline.older_queriers() == {net.older: 200 + end}


def test_an_older_query_about_one_group_changes_no_version(
    timeline: Timeline, net: Network
) -> None:
    """RFC 9776 §7.2.1, RFC 9777 §8.2.1; answered with records (RFC 4604 §2.2.5)."""
    timeline.joins(net.g1).settles().at(50).hears(net.older_query(net.g1, max_response=2))

    assert timeline.host.version == net.newest
    assert timeline.at(100).sent() == [(52, [net.is_ex(net.g1)])]


def test_a_listener_query_about_one_group_that_allows_no_delay_is_not_answered_at_once(
    mld: Timeline,
) -> None:
    net = mld.net
    mld.joins(net.g1).settles().at(50).hears(net.older_query(net.g1, max_response=0)).at(100)

    assert mld.sent() == [(50.01, [net.is_ex(net.g1)])]


def test_a_change_of_version_cancels_everything_pending(timeline: Timeline, net: Network) -> None:
    timeline.joins(net.g1, net.g2).at(0.5).leaves(net.g2)
    timeline.hears(net.query(net.g1, net.s1)).sent()
    timeline.hears(net.older_query(max_response=5))

    assert timeline.host.leaving == []
    assert timeline.host.running_timers == 1
    assert timeline.at(100).sent() == [(5.5, net.sent_report(net.g1))]


def test_the_return_to_the_newest_version_cancels_everything_and_sends_nothing(
    timeline: Timeline, net: Network
) -> None:
    end = OLDER_TIMEOUT[net.family.name]
    timeline.hears(net.older_query()).at(end - 1).joins(net.g1)
    timeline.told()
    timeline.sent()
    timeline.at(1000)

    assert timeline.sent() == []
    assert timeline.told() == [
        ReportsMatter(None, Listening.STOPPED),
        VersionChanged(net.older, net.newest),
    ]


def test_hearing_the_same_older_version_again_cancels_nothing(
    timeline: Timeline, net: Network
) -> None:
    timeline.hears(net.older_query()).joins(net.g1).hears(net.older_query()).at(100)

    assert len(timeline.sent()) == 2


def test_the_last_reporter_flag_outlasts_a_change_of_version(net: Network) -> None:
    timeline = Timeline(net, max_version=net.older).joins(net.g1).settles()
    timeline.configures(max_version=net.newest).configures(max_version=net.older).leaves(net.g1)

    assert [message for _, message in timeline.sent()] == [net.sent_leave(net.g1)]


def test_the_last_reporter_flag_does_not_outlast_the_membership(net: Network) -> None:
    timeline = Timeline(net, max_version=net.older).joins(net.g1).leaves(net.g1)
    timeline.configures(max_version=net.newest).joins(net.g1)
    timeline.configures(max_version=net.older).sent()

    assert timeline.leaves(net.g1).sent() == []


def test_a_newest_query_is_answered_in_the_older_version_spoken(
    timeline: Timeline, net: Network
) -> None:
    """RFC 9776 §7.2.1, RFC 9777 §8.2.1; of its code, the older reading counts."""
    timeline.joins(net.g1, net.g2).settles().hears(net.older_query()).at(100)
    timeline.sent()
    timeline.hears(net.query(max_response=20, older_max_response=8)).at(200)

    assert timeline.sent() == [(108, net.sent_report(net.g1)), (108, net.sent_report(net.g2))]


def test_a_newest_query_about_one_group_is_answered_for_it_in_the_older_version(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.g1, net.g2).settles().hears(net.older_query()).at(100)
    timeline.sent()
    timeline.hears(net.query(net.g2, net.s1, max_response=2)).at(200)

    assert timeline.sent() == [(102, net.sent_report(net.g2))]


def test_a_newest_query_that_allows_no_delay_is_not_answered_at_once_in_the_older_version(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.g1).settles().hears(net.older_query()).at(100)
    timeline.sent()
    timeline.hears(net.query(net.g1, max_response=0)).at(200)

    assert timeline.sent() == [(100.01, net.sent_report(net.g1))]


# How long an older querier is remembered.


def test_igmp_counts_ten_times_the_max_response_time_by_default(igmp: Timeline) -> None:
    """RFC 9776 §8.12, from the default values whatever was learned."""
    net = igmp.net
    igmp.hears(net.query(robustness=7, query_interval=10), net.older_query(max_response=3))

    assert igmp.older_queriers() == {2: 2 * 125 + 30}


def test_igmp_counts_it_once_and_from_learned_values_by_the_earlier_formula() -> None:
    """RFC 3376 §8.12."""
    net = Network(IGMP)
    timeline = Timeline(net, ovqp_formula="rfc3376")
    timeline.hears(net.query(robustness=7, query_interval=10), net.older_query(max_response=3))

    assert timeline.older_queriers() == {2: 7 * 10 + 3}


def test_mld_takes_the_last_querys_values(mld: Timeline) -> None:
    """RFC 9777 §9.12."""
    net = mld.net
    mld.hears(net.query(robustness=7, query_interval=10), net.older_query(max_response=3))

    assert mld.older_queriers() == {1: 7 * 10 + 3}


def test_mld_takes_the_query_response_interval_if_the_query_allows_no_delay(
    mld: Timeline,
) -> None:
    mld.hears(mld.net.older_query(max_response=0))

    assert mld.older_queriers() == {1: 260}


# IGMP's three versions.


def test_a_version_1_query_is_answered_within_ten_seconds(igmp: Timeline) -> None:
    net = igmp.net
    igmp.joins(net.g1).settles().at(50).hears(net.query(version=1, max_response=0)).at(100)

    assert igmp.sent() == [(60, SendReport(1, net.g1))]
    assert igmp.older_queriers() == {1: 50 + 350}


def test_the_group_field_of_a_version_1_query_is_ignored(igmp: Timeline) -> None:
    """RFC 1112 Appendix I."""
    net = igmp.net
    igmp.joins(net.g1).settles().at(50)
    igmp.hears(net.query(net.g2, version=1, to=net.all_hosts)).at(100)

    assert igmp.sent() == [(60, SendReport(1, net.g1))]


def test_a_version_1_query_sent_to_a_group_is_bad(igmp: Timeline) -> None:
    """RFC 9776 §9.1."""
    net = igmp.net
    igmp.joins(net.g1).settles().hears(net.query(net.g1, version=1))

    assert igmp.host.version == 3
    assert igmp.host.next_deadline() is None
    assert igmp.host.statistics.as_mapping()["igps_rcv_badqueries"] == 1


def test_version_1_goes_before_version_2(igmp: Timeline) -> None:
    net = igmp.net
    igmp.hears(net.query(version=1)).at(100).hears(net.query(version=2)).at(300)
    assert igmp.host.version == 1

    igmp.at(351)
    assert igmp.host.version == 2
    igmp.at(451)
    assert igmp.host.version == 3
    assert igmp.told() == [VersionChanged(3, 1), VersionChanged(1, 2), VersionChanged(2, 3)]


def test_the_end_of_version_2_is_not_seen_while_version_1_lasts(igmp: Timeline) -> None:
    net = igmp.net
    igmp.hears(net.query(version=2)).at(100).hears(net.query(version=1)).at(351)

    assert igmp.older_queriers() == {1: 450}
    assert igmp.told() == [VersionChanged(3, 2), VersionChanged(2, 1)]


def test_a_version_2_query_is_answered_in_version_1_within_its_own_time(igmp: Timeline) -> None:
    net = igmp.net
    igmp.hears(net.query(version=1)).joins(net.g1, net.g2).at(50)
    igmp.sent()
    igmp.hears(net.query(net.g1, version=2, max_response=3)).at(100)

    assert igmp.sent() == [(53, SendReport(1, net.g1))]


def test_a_version_3_query_is_a_general_one_in_version_1(igmp: Timeline) -> None:
    net = igmp.net
    igmp.hears(net.query(version=1)).joins(net.g1, net.g2).at(50)
    igmp.sent()
    igmp.hears(net.query(net.g1, max_response=3)).at(100)

    assert igmp.sent() == [(60, SendReport(1, net.g1)), (60, SendReport(1, net.g2))]


# A configured maximum.


def test_lowering_the_maximum_takes_effect_at_once(timeline: Timeline, net: Network) -> None:
    timeline.listens(net.g1, net.include(net.s1)).configures(max_version=net.older).at(100)

    assert timeline.told() == [VersionChanged(net.newest, net.older)]
    assert timeline.sent() == [(0, [net.allow(net.g1, net.s1)])]
    assert timeline.host.groups == {net.g1: net.include(net.s1)}


def test_raising_the_maximum_takes_effect_at_once(net: Network) -> None:
    timeline = Timeline(net, max_version=net.older).joins(net.g1)
    timeline.configures(max_version=net.newest).at(100)

    assert timeline.told()[-1] == VersionChanged(net.older, net.newest)
    assert timeline.sent() == [(0, net.sent_report(net.g1))]


def test_raising_the_maximum_waits_for_an_older_querier(timeline: Timeline, net: Network) -> None:
    timeline.configures(max_version=net.older).hears(net.older_query())
    timeline.configures(max_version=net.newest)

    assert timeline.host.version == net.older
    assert timeline.settles().host.version == net.newest


def test_a_change_of_the_maximum_can_be_announced(net: Network) -> None:
    timeline = Timeline(net, announce_version_change=True)
    timeline.listens(net.g1, net.include(net.s1)).settles()
    timeline.configures(max_version=net.older).configures(max_version=net.newest)

    assert [report for _, report in timeline.sent()] == [
        net.sent_report(net.g1),
        [net.allow(net.g1, net.s1)],
    ]


def test_a_change_of_the_maximum_that_changes_no_version_is_not_announced(net: Network) -> None:
    timeline = Timeline(net, announce_version_change=True).joins(net.g1).settles()
    timeline.hears(net.older_query()).configures(max_version=net.older)

    assert timeline.sent() == []


def test_below_the_newest_version_a_newest_query_counts_as_the_highest_spoken(
    net: Network,
) -> None:
    timeline = Timeline(net, max_version=net.older).joins(net.g1, net.g2).at(50)
    timeline.sent()
    timeline.hears(net.query(net.g1, net.s1, max_response=20, older_max_response=4)).at(100)

    assert timeline.sent() == [(54, net.sent_report(net.g1))]
    assert timeline.older_queriers() == {}
    assert timeline.host.robustness == 2


def test_sources_without_a_group_do_not_matter_to_an_older_version(net: Network) -> None:
    timeline = Timeline(net, max_version=net.older).joins(net.g1).at(50)
    timeline.hears(net.query(None, net.s1)).sent()

    assert timeline.at(100).sent() == [(60, net.sent_report(net.g1))]


def test_a_listener_of_version_1_answers_a_version_2_query_without_delay_at_once(
    mld: Timeline,
) -> None:
    """RFC 2710 §3.7, §4."""
    net = mld.net
    mld.configures(max_version=1).joins(net.g1).settles().at(50)
    mld.hears(net.query(max_response=0))

    assert mld.sent() == [(50, SendReport(1, net.g1))]


def test_at_most_version_2_a_code_of_zero_makes_a_version_1_query(igmp: Timeline) -> None:
    """RFC 2236 §4, §8.11."""
    net = igmp.net
    igmp.configures(max_version=2).hears(net.query(max_response=0))

    assert igmp.host.version == 1
    assert igmp.older_queriers() == {1: 400}


def test_at_most_version_1_every_query_is_a_general_one(igmp: Timeline) -> None:
    net = igmp.net
    igmp.configures(max_version=1).joins(net.g1, net.g2).settles().at(50)
    igmp.hears(net.query(net.g1, version=2, max_response=1, to=net.here)).at(100)

    assert igmp.sent() == [(60, SendReport(1, net.g1)), (60, SendReport(1, net.g2))]
    assert igmp.older_queriers() == {}


def test_at_most_version_1_a_query_sent_to_a_group_is_bad(igmp: Timeline) -> None:
    net = igmp.net
    igmp.configures(max_version=1).joins(net.g1).settles().hears(net.query(net.g1, version=2))

    assert igmp.host.running_timers == 0


def test_at_most_version_1_a_version_2_querier_is_remembered_all_the_same(
    igmp: Timeline,
) -> None:
    net = igmp.net
    igmp.configures(max_version=1).hears(net.query(version=2, max_response=3))
    igmp.configures(max_version=3)

    assert igmp.host.version == 2
    assert igmp.older_queriers() == {2: 280}


# With compatibility configured off.


def test_without_compatibility_older_queries_are_ignored(net: Network) -> None:
    timeline = Timeline(net, compat_enable=False).joins(net.g1).settles()
    timeline.hears(net.older_query(), net.older_query(net.g1))

    assert timeline.host.next_deadline() is None
    assert [type(each) for each in timeline.told()] == [Warn]


def test_without_compatibility_even_older_reports_are_ignored(igmp: Timeline) -> None:
    net = igmp.net
    igmp.configures(max_version=2, compat_enable=False).joins(net.g1)
    igmp.hears(net.report(net.g1, version=1)).at(100)

    assert len(igmp.sent()) == 2


def test_disabling_compatibility_forgets_older_queriers(timeline: Timeline, net: Network) -> None:
    timeline.hears(net.older_query()).configures(compat_enable=False)

    assert timeline.host.version == net.newest
    assert timeline.older_queriers() == {}


# Late calls.


def test_what_was_due_before_the_version_changed_is_sent_however_late(
    timeline: Timeline, net: Network
) -> None:
    end = OLDER_TIMEOUT[net.family.name]
    timeline.hears(net.older_query()).at(end - 5).joins(net.g1, net.g2).hears(net.report(net.g2))
    timeline.sent()
    timeline.hears(net.older_query(net.g2, max_response=2))
    effects = timeline.host.advance(Instant(seconds(10_000)))

    assert net.sent_report(net.g2) in effects
    assert net.sent_report(net.g1) not in effects
