"""How fast queries are answered, counted."""

from __future__ import annotations

import pytest
from mcastd.gmp.time import Duration, Instant, seconds
from mcastd.service.responses import BUCKETS, GRACE, OUTSTANDING, Histogram, Responses

GROUP, OTHER = b"\xef\1\2\3", b"\xef\1\2\4"
SECOND = seconds(1)


def at(value: float) -> Instant:
    return Instant(seconds(value))


def test_an_observation_is_in_every_bucket_that_is_wide_enough() -> None:
    histogram = Histogram()
    histogram.observe(0.1)
    histogram.observe(3.0)
    histogram.observe(100.0)

    assert histogram.counts == [0, 0, 1, 1, 1, 1, 1, 2, 2, 2]
    assert histogram.total == 3
    assert histogram.sum == pytest.approx(103.1)


def test_buckets_are_ascending() -> None:
    assert list(BUCKETS) == sorted(set(BUCKETS))


def test_an_answer_is_timed_from_its_query() -> None:
    responses = Responses()
    responses.ask(at(10), GROUP, SECOND)

    responses.answer(at(10.4), {GROUP})

    assert responses.histogram.total == 1
    assert responses.histogram.sum == pytest.approx(0.4)


def test_an_answer_about_another_group_does_not_count() -> None:
    responses = Responses()
    responses.ask(at(0), GROUP, SECOND)

    responses.answer(at(0.5), {OTHER})

    assert responses.histogram.total == 0
    assert responses.next_deadline() == seconds(1) + GRACE


def test_any_answer_is_one_to_a_general_query() -> None:
    responses = Responses()
    responses.ask(at(0), None, SECOND)

    responses.answer(at(0.5), {OTHER})

    assert (responses.histogram.total, responses.next_deadline()) == (1, None)


def test_one_report_answers_all_queries_that_it_fits() -> None:
    responses = Responses()
    for group in (None, GROUP, GROUP, OTHER):
        responses.ask(at(0), group, SECOND)

    responses.answer(at(0.5), {GROUP})

    assert responses.histogram.total == 3


def test_a_report_before_its_query_counts_as_at_once() -> None:
    """Two hooks' events may be read in the other order."""
    responses = Responses()
    responses.ask(at(1), None, SECOND)

    responses.answer(at(0.999), {GROUP})

    assert responses.histogram.sum == 0


def test_a_query_is_unanswered_after_its_time_and_a_grace() -> None:
    responses = Responses()
    responses.ask(at(0), GROUP, SECOND)
    due = Instant(SECOND + GRACE)

    assert responses.expire(Instant(due - 1), lambda group: True) == 0
    assert responses.expire(due, lambda group: True) == 1
    assert responses.expire(due, lambda group: True) == 0
    assert responses.unanswered == 1


def test_what_is_not_held_any_more_needs_no_answer() -> None:
    responses = Responses()
    responses.ask(at(0), GROUP, SECOND)
    responses.ask(at(0), None, SECOND)

    assert responses.expire(at(60), lambda group: group is None) == 1


def test_a_flood_of_queries_makes_no_flood_of_memory() -> None:
    responses = Responses()
    for _ in range(100_000):
        responses.ask(at(0), GROUP, SECOND)

    responses.answer(at(0.5), {GROUP})

    assert responses.histogram.total == OUTSTANDING


def test_the_next_deadline_is_the_earliest() -> None:
    responses = Responses()
    responses.ask(at(0), GROUP, Duration(seconds(10)))
    responses.ask(at(1), OTHER, SECOND)

    assert responses.next_deadline() == seconds(2) + GRACE


def asked_and(responses: Responses, start: float, *, answered: bool) -> None:
    responses.ask(at(start), None, SECOND)
    if answered:
        responses.answer(at(start + 0.5), {GROUP})
    responses.expire(at(start + 5), lambda group: True)


def test_what_was_not_answered_is_past_after_several_answers_in_time() -> None:
    responses = Responses()
    assert not responses.is_failing
    asked_and(responses, 0, answered=False)
    for start in (10, 20):
        assert responses.is_failing
        asked_and(responses, start, answered=True)
    assert responses.is_failing

    asked_and(responses, 30, answered=True)

    assert not responses.is_failing
    assert responses.unanswered == 1
    asked_and(responses, 40, answered=False)
    assert responses.is_failing


def test_who_has_nothing_to_answer_fails_no_more() -> None:
    responses = Responses()
    asked_and(responses, 0, answered=False)

    responses.need_none()

    assert not responses.is_failing


@pytest.mark.parametrize("asked", [GROUP, None])
def test_what_is_joined_after_all_was_left_owes_no_answer_to_earlier_queries(
    asked: bytes | None,
) -> None:
    """The kernel's timer may end between the two, when there is nothing to say."""
    responses = Responses()
    responses.ask(at(0), asked, SECOND)

    responses.leave(GROUP, lambda: False)

    assert responses.expire(at(10), lambda _: True) == 0
    assert not responses.is_failing


def test_queries_about_what_others_still_receive_await_their_answer() -> None:
    responses = Responses()
    for asked in (None, GROUP, OTHER):
        responses.ask(at(0), asked, SECOND)

    responses.leave(GROUP, lambda: True)

    assert responses.expire(at(10), lambda _: True) == 2
