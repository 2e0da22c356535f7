"""Since when groups are received, and when they were last reported."""

from __future__ import annotations

from mcastd.gmp.time import Instant
from mcastd.service.times import GroupTimes

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


def test_a_report_of_all_says_nothing_of_groups_joined_later() -> None:
    times = GroupTimes()
    times.begin(GROUP, Instant(1))
    times.report_all(Instant(3))
    times.begin(OTHER, Instant(4))
    assert times.reported(OTHER) is None

    times.end(GROUP)
    times.begin(GROUP, Instant(5))
    assert (times.since(GROUP), times.reported(GROUP)) == (5, None)
