"""The link, the source address, groups that are not reported, and what operators are told."""

from __future__ import annotations

from mcastd.gmp.effects import Listening, ReportsMatter, VersionChanged, Warn
from mcastd.gmp.events import LinkDown, LinkUp, SourceAddressChanged
from mcastd.gmp.messages import Other
from support.network import Network
from support.timeline import Timeline


def test_a_link_that_goes_down_cancels_everything_but_what_applications_want(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.g1).listens(net.g2, net.include(net.s1)).leaves(net.g2)
    timeline.hears(net.query(robustness=5, query_interval=20)).takes(LinkDown())

    assert timeline.host.next_deadline() is None
    assert timeline.host.robustness == 2
    assert timeline.host.leaving == []
    assert timeline.host.groups == {net.g1: net.everything}


def test_a_link_that_goes_down_forgets_older_queriers(timeline: Timeline, net: Network) -> None:
    timeline.hears(net.older_query()).joins(net.g1).told()
    timeline.takes(LinkDown())

    assert timeline.told() == [
        ReportsMatter(None, Listening.STOPPED),
        VersionChanged(net.older, net.newest),
    ]
    assert timeline.older_queriers() == {}


def test_nothing_is_sent_or_learned_while_the_link_is_down(
    timeline: Timeline, net: Network
) -> None:
    timeline.takes(LinkDown()).joins(net.g1)
    timeline.hears(net.query(), net.older_query(), net.report(net.g1)).at(100)

    assert timeline.sent() == []
    assert timeline.host.version == net.newest
    assert not timeline.host.link_is_up


def test_a_link_that_comes_up_announces_all_groups_as_if_just_joined(
    timeline: Timeline, net: Network
) -> None:
    timeline.takes(LinkDown()).joins(net.g2).listens(net.g1, net.include(net.s1)).at(10)
    timeline.takes(LinkUp()).at(100)

    report = [net.allow(net.g1, net.s1), net.to_ex(net.g2)]
    assert timeline.sent() == [(10, report), (11, report)]


def test_a_link_that_comes_up_announces_in_the_older_version_configured(net: Network) -> None:
    timeline = Timeline(net, max_version=net.older).joins(net.g1).takes(LinkDown()).at(10)
    timeline.sent()
    timeline.takes(LinkUp()).at(100)

    assert timeline.sent() == [(10, net.sent_report(net.g1)), (20, net.sent_report(net.g1))]


def test_saying_again_how_the_link_is_changes_nothing(timeline: Timeline, net: Network) -> None:
    timeline.joins(net.g1).settles().takes(LinkUp())
    assert timeline.sent() == []

    timeline.takes(LinkDown(), LinkDown(), LinkUp(), LinkUp())
    assert timeline.sent() == [(1, [net.to_ex(net.g1)])]


def test_a_last_reporter_flag_does_not_outlast_the_link(net: Network) -> None:
    timeline = Timeline(net, max_version=net.older).joins(net.g1).settles()
    timeline.configures(max_version=net.newest).takes(LinkDown(), LinkUp())
    timeline.configures(max_version=net.older).sent()

    assert timeline.leaves(net.g1).sent() == []


def test_a_listener_announces_all_groups_from_its_first_address(mld: Timeline) -> None:
    """RFC 3590 §4, RFC 9777 §5.2.14."""
    net = mld.net
    mld.joins(net.g1).settles().at(10).takes(SourceAddressChanged(net.here)).at(100)

    assert mld.sent() == [(10, [net.to_ex(net.g1)]), (11, [net.to_ex(net.g1)])]


def test_a_listener_announces_nothing_from_another_address(mld: Timeline) -> None:
    net = mld.net
    mld.takes(SourceAddressChanged(net.here)).joins(net.g1).settles()
    mld.takes(SourceAddressChanged(net.neighbour), SourceAddressChanged(net.neighbour))

    assert mld.sent() == []


def test_a_listener_announces_again_after_it_had_no_address(mld: Timeline) -> None:
    net = mld.net
    mld.takes(SourceAddressChanged(net.here)).joins(net.g1).settles()
    mld.takes(SourceAddressChanged(net.family.unspecified), SourceAddressChanged(net.here))

    assert mld.sent() == [(1, [net.to_ex(net.g1)])]


def test_an_address_on_a_link_that_is_down_announces_nothing(mld: Timeline) -> None:
    net = mld.net
    mld.joins(net.g1).settles().takes(LinkDown(), SourceAddressChanged(net.here))

    assert mld.sent() == []


def test_igmp_announces_nothing_from_its_first_address(igmp: Timeline) -> None:
    igmp.joins(igmp.net.g1).settles().takes(SourceAddressChanged(igmp.net.here))

    assert igmp.sent() == []


def test_an_announcement_merges_with_what_is_owed(mld: Timeline) -> None:
    net = mld.net
    mld.listens(net.g1, net.include(net.s1)).listens(net.g1, net.include(net.s2))
    mld.leaves(net.g1).listens(net.g2, net.include(net.s1)).sent()
    mld.takes(SourceAddressChanged(net.here)).at(100)

    assert mld.sent() == [
        (0, [net.allow(net.g2, net.s1)]),
        (1, [net.block(net.g1, net.s2), net.allow(net.g2, net.s1)]),
    ]


# Groups that are not reported (RFC 9776 §5, RFC 9777 §6).


def test_no_message_ever_concerns_the_all_hosts_group(timeline: Timeline, net: Network) -> None:
    timeline.joins(net.all_hosts).hears(net.query(), net.query(net.all_hosts)).leaves(net.all_hosts)
    timeline.hears(net.older_query()).joins(net.all_hosts)
    timeline.hears(net.report(net.all_hosts), net.older_query(net.all_hosts)).at(100)
    timeline.leaves(net.all_hosts)

    assert timeline.sent() == []
    assert timeline.host.running_timers == 0


def test_a_group_is_reported_though_an_unreported_one_was_left(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.all_hosts).leaves(net.all_hosts).joins(net.g1).settles()
    timeline.hears(net.query())

    assert timeline.at(100).sent() == [(11, [net.is_ex(net.g1)])]


def test_no_listener_message_concerns_a_group_that_stays_on_the_host(mld: Timeline) -> None:
    net = mld.net
    mld.joins(*map(net.family.parse, ("ff01::5", "ff30::1:5", "ff11::5")))
    mld.joins(net.g1).settles().hears(net.query())

    assert mld.at(100).sent() == [(11, [net.is_ex(net.g1)])]


def test_link_local_groups_are_reported_unless_the_operator_says_no(net: Network) -> None:
    timeline = Timeline(net, report_link_local_groups=False).joins(net.link_local)
    timeline.hears(net.query())
    assert timeline.settles().sent() == []

    timeline.configures(report_link_local_groups=True).hears(net.query(net.link_local))
    assert timeline.at(100).sent() == [(10, [net.is_ex(net.link_local)])]


def test_what_is_pending_for_a_group_ends_when_it_is_not_to_be_reported_any_more(
    timeline: Timeline, net: Network
) -> None:
    timeline.joins(net.link_local).hears(net.query(net.link_local)).at(0.5)
    timeline.configures(report_link_local_groups=False)
    assert timeline.host.running_timers == 0

    timeline.configures(report_link_local_groups=True).leaves(net.link_local)
    timeline.configures(report_link_local_groups=False)
    assert timeline.host.running_timers == 0

    timeline.configures(max_version=net.older, report_link_local_groups=True)
    timeline.leaves(net.link_local).joins(net.link_local).sent()
    timeline.told()
    timeline.configures(report_link_local_groups=False)
    assert timeline.told() == [ReportsMatter((net.link_local,), Listening.STOPPED)]
    assert timeline.configures(report_link_local_groups=False).told() == []
    assert timeline.at(100).sent() == []


# Source-specific groups (RFC 4604).


def warnings(timeline: Timeline) -> list[str]:
    return [each.cause for each in timeline.told() if isinstance(each, Warn)]


def test_an_any_source_filter_of_a_source_specific_group_is_never_told(net: Network) -> None:
    """RFC 9776 §4.2.13; it exists only where requests are not refused."""
    timeline = Timeline(net, ssm_enforce=False).joins(net.ssm, net.g1).at(2)
    timeline.hears(net.query(), net.query(net.ssm)).at(20)

    assert [report for _, report in timeline.sent()] == [
        [net.to_ex(net.g1)],
        [net.to_ex(net.g1)],
        [net.is_ex(net.g1)],
    ]
    assert warnings(timeline) == ["any_source_request_unreported"]


def test_a_group_query_is_not_answered_with_an_any_source_filter(net: Network) -> None:
    timeline = Timeline(net, ssm_enforce=False).joins(net.ssm).settles()

    assert timeline.hears(net.query(net.ssm)).settles().sent() == []


def test_a_source_specific_group_that_narrows_to_sources_is_told(net: Network) -> None:
    timeline = Timeline(net, ssm_enforce=False).joins(net.ssm).settles()
    timeline.listens(net.ssm, net.include(net.s1))

    assert [report for _, report in timeline.sent()] == [[net.to_in(net.ssm, net.s1)]]


def test_an_older_query_is_warned_of_while_source_specific_groups_are_held(
    timeline: Timeline, net: Network
) -> None:
    timeline.listens(net.ssm, net.include(net.s1)).hears(net.older_query())

    assert warnings(timeline) == ["older_query_for_source_specific"]
    assert timeline.host.version == net.older


def test_an_older_query_about_a_source_specific_group_is_warned_of(
    timeline: Timeline, net: Network
) -> None:
    timeline.hears(net.older_query(net.ssm))

    assert warnings(timeline) == ["older_query_for_source_specific"]


def test_older_queries_are_not_warned_of_without_source_specific_groups(
    timeline: Timeline, net: Network
) -> None:
    timeline.listens(net.ssm, net.include(net.s1)).leaves(net.ssm).joins(net.g1)
    timeline.hears(net.older_query(), net.older_query(net.g1))

    assert warnings(timeline) == []


def test_a_cause_is_warned_of_once_in_ten_seconds(timeline: Timeline, net: Network) -> None:
    timeline.listens(net.ssm, net.include(net.s1))
    for moment in (0, 5, 9.9, 10, 15):
        timeline.at(moment).hears(net.older_query())

    assert len(warnings(timeline)) == 2


def test_the_source_specific_range_can_be_another(timeline: Timeline, net: Network) -> None:
    prefix = f"{net.family.format(net.g1)}/{net.family.address_width * 8}"
    timeline.joins(net.g1).settles().configures(ssm_ranges=[prefix])
    timeline.hears(net.query(), net.older_query(net.g2)).at(100)

    assert timeline.sent() == []
    assert warnings(timeline) == ["older_query_for_source_specific"]


# What a host has no use for.


def test_messages_for_routers_do_nothing(timeline: Timeline, net: Network) -> None:
    timeline.joins(net.g1).settles()
    timeline.hears(net.leave(net.g1), Other(0x13, net.neighbour, net.all_hosts))

    assert timeline.host.next_deadline() is None


def test_unknown_versions_do_nothing(timeline: Timeline, net: Network) -> None:
    timeline.joins(net.g1).settles()
    timeline.hears(net.query(version=9), net.report(net.g1, version=9))

    assert timeline.host.next_deadline() is None


def test_a_host_shows_its_configuration(net: Network) -> None:
    assert Timeline(net, robustness=5).host.config == net.config(robustness=5)
