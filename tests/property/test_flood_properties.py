"""Floods found in counters, against a model that knows all seconds at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from mcastd.gmp.time import Instant, in_seconds
from mcastd.service.floods import QUIET, History, Refused

looks = st.lists(
    st.tuples(
        st.integers(1, 3 * QUIET),
        st.one_of(st.just(0), st.integers(0, 1000)),
        st.one_of(st.just(0), st.integers(0, 1000)),
    ),
    max_size=40,
)
"""Time since the look before, and what was lost and discarded meanwhile."""


@given(looks)
def test_floods_are_the_refusals_less_than_five_seconds_apart(
    story: list[tuple[int, int, int]],
) -> None:
    history, now, lost, discarded = History(), 0, 0, 0
    told: list[str] = []
    model: list[list[tuple[int, int, Refused]]] = []
    quiet_since: int | None = None
    for passed, more_lost, more_discarded in story:
        before, now = now, now + passed
        lost, discarded = lost + more_lost, discarded + more_discarded
        state = history.look(Instant(before), Instant(now), Refused(lost, discarded))
        told += [state] if state else []
        if more_lost or more_discarded:
            if quiet_since is None:
                model.append([])
            model[-1].append((before, now, Refused(more_lost, more_discarded)))
            quiet_since = now
        elif quiet_since is not None and now - quiet_since >= QUIET:
            quiet_since = None
        assert history.is_active == (quiet_since is not None)
        assert history.count == len(model)
    assert told == (["started", "ended"] * len(model))[: len(told)]
    assert len(told) == 2 * len(model) - history.is_active
    assert (history.last is None) == (not model)
    if history.last is not None:
        last = model[-1]
        assert (history.last.since, history.last.until) == (last[0][0], last[-1][1])
        assert history.last.refused.lost == sum(more.lost for *_, more in last)
        assert history.last.refused.discarded == sum(more.discarded for *_, more in last)
        assert history.last.rate == max(
            more.messages / in_seconds(until - since) for since, until, more in last
        )


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=20))
def test_whatever_the_counters_do_a_flood_only_grows(totals: list[tuple[int, int]]) -> None:
    history, refused = History(), 0
    for second, (lost, discarded) in enumerate(totals, 1):
        history.look(Instant(second - 1), Instant(second), Refused(lost, discarded))
        found = history.last.refused.messages if history.last else 0
        assert found >= refused
        refused = found
