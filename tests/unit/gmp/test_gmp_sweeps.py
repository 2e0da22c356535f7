"""What concerns all groups is done in pieces, where there are more than one call may look at."""

from __future__ import annotations

import pytest
from mcastd.gmp.effects import SendReport
from mcastd.gmp.events import LinkDown, LinkUp
from mcastd.gmp.family import Address
from support.network import Network
from support.timeline import Fractions, Sent, Timeline

GROUPS = 9


def some_groups(net: Network) -> list[Address]:
    base = int.from_bytes(net.g1)
    return [(base + number).to_bytes(net.family.address_width) for number in range(GROUPS)]


@pytest.fixture
def groups(net: Network) -> list[Address]:
    return some_groups(net)


@pytest.fixture
def slow(net: Network, groups: list[Address]) -> Timeline:
    """Looks at two groups in a call."""
    return Timeline(net, at_once=2).joins(*groups).settles()


@pytest.fixture
def older(net: Network, groups: list[Address]) -> Timeline:
    return Timeline(net, at_once=2, max_version=net.older).joins(*groups).settles()


def told(sent: list[Sent]) -> list[tuple[float, object]]:
    """What was said, one by one."""
    return [
        (moment, each)
        for moment, said in sent
        for each in (said if isinstance(said, list) else [said])
    ]


def test_a_link_that_comes_up_announces_a_few_groups_at_a_time(
    slow: Timeline, net: Network, groups: list[Address]
) -> None:
    now = slow.now / 1e9
    slow.takes(LinkDown(), LinkUp())
    assert told(slow.sent()) == [(now, net.to_ex(group)) for group in groups[:4]]
    assert slow.host.next_deadline() == slow.now

    slow.at(now)
    assert told(slow.sent()) == [(now, net.to_ex(group)) for group in groups[4:]]
    slow.at(now + 100)
    assert told(slow.sent()) == [(now + 1, net.to_ex(group)) for group in groups]


def test_a_link_that_goes_down_ends_the_announcement(
    slow: Timeline, net: Network, groups: list[Address]
) -> None:
    slow.takes(LinkDown(), LinkUp(), LinkDown())
    slow.sent()
    assert slow.host.next_deadline() is None
    slow.takes(LinkUp()).at(slow.now / 1e9)
    assert [each for _, each in told(slow.sent())] == [net.to_ex(group) for group in groups]


def test_a_group_left_before_its_turn_is_not_announced(
    slow: Timeline, net: Network, groups: list[Address]
) -> None:
    last = groups[-1]
    slow.takes(LinkDown(), LinkUp()).leaves(last).at(slow.now / 1e9)
    assert [each for _, each in told(slow.sent()) if each == net.to_ex(last)] == []


def test_an_announcement_goes_on_in_the_version_of_an_older_querier(
    slow: Timeline, net: Network, groups: list[Address]
) -> None:
    slow.takes(LinkDown(), LinkUp()).hears(net.older_query())
    slow.at(slow.now / 1e9)
    sent = [each for _, each in told(slow.sent())]
    assert sent[:6] == [net.to_ex(group) for group in groups[:6]]
    assert sent[6:] == [net.sent_report(group) for group in groups[6:]]


def test_all_groups_answer_an_older_general_query_within_its_time(
    older: Timeline, net: Network, groups: list[Address]
) -> None:
    begun = older.now / 1e9
    older.hears(net.older_query(max_response=5)).at(begun + 100)
    assert told(older.sent()) == [(begun + 5, net.sent_report(group)) for group in groups]


def test_the_delay_of_groups_asked_late_counts_from_the_query(
    net: Network, groups: list[Address]
) -> None:
    """However late a group's turn comes, it answers when it would have answered."""
    halves = Fractions(0.5)
    older = Timeline(net, halves, at_once=2, max_version=net.older).joins(*groups).settles()
    begun = older.now / 1e9
    older.hears(net.older_query(max_response=8))
    due = older.host.next_deadline()
    assert due == older.now
    older.at(begun + 100)
    assert told(older.sent()) == [(begun + 4, net.sent_report(group)) for group in groups]


def test_of_queries_that_come_while_groups_are_asked_one_waits_as_urgent_as_any(
    older: Timeline, net: Network, groups: list[Address]
) -> None:
    begun = older.now / 1e9
    older.hears(net.older_query(max_response=10))
    for max_response in (6, 3, 9):
        older.hears(net.older_query(max_response=max_response))
    older.at(begun + 100)
    assert told(older.sent()) == [(begun + 3, net.sent_report(group)) for group in groups]


def test_a_link_that_goes_down_ends_the_asking(
    slow: Timeline, net: Network, groups: list[Address]
) -> None:
    slow.hears(net.older_query()).takes(LinkDown(), LinkUp()).at(slow.now / 1e9 + 100)
    sent = [each for _, each in told(slow.sent())]
    assert sent == 2 * [net.to_ex(group) for group in groups]


def test_timers_that_are_due_together_fire_in_pieces_and_in_order(
    older: Timeline, net: Network, groups: list[Address]
) -> None:
    older.hears(net.older_query(max_response=5)).at(older.now / 1e9)
    late = older.now + 6 * 10**9
    first = older.host.advance(type(older.now)(late))
    assert [each for each in first if isinstance(each, SendReport)] == [
        net.sent_report(group) for group in groups[:2]
    ]
    assert older.host.next_deadline() == older.now + 5 * 10**9
