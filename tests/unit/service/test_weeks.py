"""Weeks of the protocol leave nothing behind; `make soak` has more of them."""

from __future__ import annotations

from support.soak.weeks import Left, grows, left_after


def test_weeks_leave_nothing_behind() -> None:
    found, said = left_after(weeks=4, seed=1)
    assert said > 1000
    assert not grows(found), found


def test_a_leak_of_one_group_in_a_week_is_noticed() -> None:
    assert grows([Left(100 + 2 * week, 1000 + 12 * week) for week in range(4)])
