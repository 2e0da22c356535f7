"""Since when groups are received, and when they were last reported."""

from __future__ import annotations

from mcastd.gmp.time import Instant
from mcastd.service.times import JUST_NOW, MOST_HEARD, GroupTimes

GROUP, OTHER = b"\xef\1\1\1", b"\xef\1\1\2"


def test_a_group_that_is_not_held_has_no_times() -> None:
    times = GroupTimes()
    times.report(GROUP, Instant(5))
    times.report_all(Instant(5))

    assert (times.since(GROUP), times.reported(GROUP)) == (None, None)


def test_the_later_of_two_reports_counts_whether_alone_or_with_all() -> None:
    times = GroupTimes()
    times.begin(GROUP, Instant(1))
    times.begin(OTHER, Instant(1))
    times.report(GROUP, Instant(2))
    times.report_all(Instant(3))
    assert (times.reported(GROUP), times.reported(OTHER)) == (3, 3)

    times.report(GROUP, Instant(4))
    assert (times.reported(GROUP), times.reported(OTHER)) == (4, 3)


def test_nothing_is_kept_of_what_was_heard_too_long_ago_to_count() -> None:
    times = GroupTimes()
    for number in range(1000):
        times.report(number.to_bytes(4), Instant(number * JUST_NOW))
    assert len(times._heard) == 1


def test_what_is_heard_at_once_is_bounded() -> None:
    times = GroupTimes()
    for number in range(2 * MOST_HEARD):
        times.report(number.to_bytes(4), Instant(number))
    times.begin(OTHER, Instant(3 * MOST_HEARD))
    assert len(times._heard) <= MOST_HEARD


def test_a_report_that_is_heard_before_the_group_is_known_to_be_held_counts() -> None:
    times = GroupTimes()
    times.report(GROUP, Instant(5))
    times.report(OTHER, Instant(6))
    times.begin(GROUP, Instant(7))
    times.begin(OTHER, Instant(6 + JUST_NOW))
    assert (times.reported(GROUP), times.reported(OTHER)) == (5, None)


def test_a_report_of_all_says_nothing_of_groups_joined_later() -> None:
    times = GroupTimes()
    times.begin(GROUP, Instant(1))
    times.report_all(Instant(3))
    times.begin(OTHER, Instant(4))
    assert times.reported(OTHER) is None

    times.end(GROUP)
    times.begin(GROUP, Instant(5))
    assert (times.since(GROUP), times.reported(GROUP)) == (5, None)
