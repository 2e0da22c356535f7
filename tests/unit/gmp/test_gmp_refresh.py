"""All groups are reported without a query, at intervals, while no querier is heard."""

from __future__ import annotations

from typing import Any

import pytest
from mcastd.gmp.effects import Refreshed
from mcastd.gmp.events import LinkDown, LinkUp
from mcastd.gmp.time import in_seconds, seconds
from support.network import Network
from support.timeline import Fractions, Sent, Timeline

EVERY = 60


def a_host(net: Network, fraction: float = 1, **tunables: Any) -> Timeline:
    """Two groups are joined at 0; at 30 all that was to be said of that has been said."""
    host = Timeline(net, Fractions(fraction), **{"refresh": EVERY, **tunables})
    host.joins(net.g1).listens(net.g2, net.include(net.s1))
    return said_at(host, 30)[0]


def said_at(host: Timeline, moment: float) -> tuple[Timeline, list[Sent]]:
    host.at(moment)
    return host, host.sent()


def whole(net: Network) -> list[object]:
    return [net.is_ex(net.g1), net.is_in(net.g2, net.s1)]


def times(sent: list[Sent]) -> list[float]:
    return [moment for moment, _ in sent]


def test_nothing_is_said_unasked_if_it_is_not_configured(net: Network) -> None:
    assert said_at(a_host(net, refresh=0), 10_000)[1] == []


def test_all_groups_are_reported_as_if_a_querier_asked_so_often(net: Network) -> None:
    host = a_host(net)

    assert said_at(host, 260)[1] == [(at, whole(net)) for at in (70, 130, 190, 250)]


def test_the_first_comes_anywhere_in_the_interval_and_each_within_the_time_for_answers(
    net: Network,
) -> None:
    host = a_host(net, fraction=0.75)

    assert times(said_at(host, 180)[1]) == [45 + 7.5, 105 + 7.5, 165 + 7.5]


@pytest.mark.parametrize(("every", "within"), [(12, 3), (3600, 10)])
def test_it_is_spread_over_a_quarter_of_the_interval_or_over_the_time_for_answers(
    net: Network, every: int, within: int
) -> None:
    host = a_host(net, refresh=every)
    host.told()
    host.at(30 + every)

    assert Refreshed(seconds(within)) in host.told()


def test_the_older_version_is_said_where_that_is_in_force(net: Network) -> None:
    host = a_host(net, max_version=net.older)

    assert said_at(host, 100)[1] == [(70, net.sent_report(net.g1)), (70, net.sent_report(net.g2))]


def test_a_report_of_another_host_makes_an_older_one_unnecessary(net: Network) -> None:
    host = a_host(net, max_version=net.older).at(65)
    host.hears(net.report(net.g1))

    assert said_at(host, 100)[1] == [(70, net.sent_report(net.g2))]


def test_a_querier_ends_it_and_it_begins_again_when_the_querier_is_gone(net: Network) -> None:
    """By when a membership is forgotten, 260 s after the last report, it has been reported."""
    host = a_host(net).hears(net.query())
    assert times(said_at(host, 279)[1]) == [40]
    assert host.host.has_querier(host.now)

    assert times(said_at(host, 400)[1]) == [30 + 250 + 10, 30 + 250 + 70]
    assert not host.host.has_querier(host.now)

    host.hears(net.query())
    assert times(said_at(host, 400 + 249)[1]) == [410]


def test_a_querier_that_asks_more_often_is_missed_sooner(net: Network) -> None:
    host = a_host(net).hears(net.query(max_response=1, robustness=2, query_interval=20))

    assert times(said_at(host, 81)[1]) == [31, 80]


def test_no_query_silences_the_host_for_longer_than_is_configured(net: Network) -> None:
    host = a_host(net).hears(net.query(max_response=1, robustness=7, query_interval=31744))

    assert times(said_at(host, 300)[1]) == [31, 30 + 250 + 10]


def test_queries_that_are_not_answered_end_nothing(net: Network) -> None:
    """About one group, of a stranger, or older than what is spoken."""
    elsewhere = {"igmp": "203.0.113.1", "mld": "fe80::99"}[net.family.name]
    for tunables, query in (
        ({}, net.query(net.g3)),
        ({"queriers": [elsewhere]}, net.query()),
        ({"compat_enable": False}, net.older_query()),
    ):
        host = a_host(net, **tunables).hears(query)
        assert 70 in times(said_at(host, 100)[1])


def test_a_link_that_is_down_has_neither_reports_nor_a_querier(net: Network) -> None:
    host = a_host(net).hears(net.query()).takes(LinkDown())
    assert host.host.next_deadline() is None

    host.at(40).takes(LinkUp())
    host.at(50).sent()
    assert times(said_at(host, 170)[1]) == [110, 170]


def test_it_is_switched_on_and_off_and_to_another_interval_while_running(net: Network) -> None:
    host = a_host(net, refresh=0).at(100)
    host.configures(refresh="20s")
    assert times(said_at(host, 150)[1]) == [125, 145]

    host.configures(robustness=3)
    assert times(said_at(host, 170)[1]) == [165]

    host.configures(refresh=40)
    assert times(said_at(host, 230)[1]) == [170 + 40 + 10]

    host.configures(refresh=0)
    assert said_at(host, 1000)[1] == []


def test_switching_it_on_with_a_querier_says_nothing(net: Network) -> None:
    host = a_host(net, refresh=0).hears(net.query())
    host.at(50).configures(refresh=10)

    assert times(said_at(host, 279)[1]) == [40]


def test_of_very_many_groups_a_few_are_looked_at_in_a_call(net: Network) -> None:
    base = int.from_bytes(net.g1)
    groups = [(base + each).to_bytes(net.family.address_width) for each in range(9)]
    host = Timeline(net, at_once=2, max_version=net.older, refresh=EVERY).joins(*groups)
    host.at(30).sent()
    delaying: list[int] = []
    while not delaying or host.host.next_deadline() == host.now:
        host.now = host.host.next_deadline() or host.now
        host.host.advance(host.now)
        delaying.append(host.host.running_timers)

    assert in_seconds(host.now) == EVERY
    assert delaying == [2, 4, 6, 8, 9]
    assert len(said_at(host, 100)[1]) == len(groups)


def test_without_groups_nothing_is_said(net: Network) -> None:
    host = a_host(net).leaves(net.g1, net.g2)
    host.at(40).sent()

    assert said_at(host, 1000)[1] == []
