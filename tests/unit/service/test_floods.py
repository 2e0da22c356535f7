"""When a flood has started, and when it has ended, as the counters tell it."""

from __future__ import annotations

import pytest
from mcastd.fastpath.counters import CAUSES, PROTOCOLS, RINGS, WORDS, Counters
from mcastd.gmp.time import Instant, seconds
from mcastd.service.floods import FLOODED, Flood, FloodChange, FloodWatch, Refused

NONE = Counters.from_words([0] * WORDS)


def counters(ring: str, lost: int, discarded: int = 0) -> dict[str, Counters]:
    """Those of eth0."""
    losses = [[0] * len(CAUSES) for _ in RINGS]
    losses[RINGS.index(ring)][CAUSES.index("rate_limited")] = lost
    kept = [[0] * len(PROTOCOLS) for _ in FLOODED]
    if ring in FLOODED:
        kept[FLOODED.index(ring)] = [discarded // 2, discarded - discarded // 2]
    values = Counters(
        NONE.accepted, NONE.rejected, NONE.events, tuple(map(tuple, losses)),
        NONE.held_back, NONE.consumed, tuple(map(tuple, kept)), NONE.passing,
    )  # fmt: skip
    return {"eth0": values}


class Story:
    """A watch that looks every second, at counts of queries that were not handed over."""

    def __init__(self) -> None:
        self.watch = FloodWatch(Instant(0))
        self.second = 0

    def looks(self, *totals: int, ring: str = "query") -> list[FloodChange]:
        changes = []
        for total in totals:
            self.second += 1
            now = Instant(seconds(self.second))
            changes += self.watch.look(now, counters(ring, total))
        return changes


@pytest.fixture
def story() -> Story:
    return Story()


def flood(since: int, until: int, lost: int, rate: float, discarded: int = 0) -> Flood:
    refused = Refused(lost, discarded)
    return Flood(Instant(seconds(since)), Instant(seconds(until)), refused, rate)


def test_a_flood_starts_with_the_first_message_that_is_refused(story: Story) -> None:
    assert story.looks(0, 0) == []
    assert story.looks(7) == [FloodChange("eth0", "query", "started", flood(2, 3, 7, 7.0))]


def test_a_flood_is_told_once_however_long_it_is(story: Story) -> None:
    assert len(story.looks(*range(100, 10_000, 100))) == 1


def test_a_flood_ends_when_nothing_was_refused_for_five_seconds(story: Story) -> None:
    story.looks(10, 110)
    assert story.looks(110, 110, 110, 110) == []
    assert story.looks(110) == [FloodChange("eth0", "query", "ended", flood(0, 2, 110, 100.0))]
    assert story.looks(110) == []


def test_a_flood_that_comes_in_waves_is_one(story: Story) -> None:
    story.looks(10)
    assert story.looks(10, 10, 10, 10, 20, 20, 20, 20, 20) == []
    assert story.watch.of("eth0")["query"].count == 1


def test_floods_are_counted(story: Story) -> None:
    story.looks(10, 10, 10, 10, 10, 10, 20)

    history = story.watch.of("eth0")["query"]

    assert (history.count, history.is_active) == (2, True)
    assert history.last == flood(6, 7, 10, 10.0)


def test_queries_and_reports_flood_apart(story: Story) -> None:
    story.looks(10, ring="report")

    found = story.watch.of("eth0")

    assert {ring: each.is_active for ring, each in found.items()} == {
        "query": False, "report": True
    }  # fmt: skip


def test_what_this_host_says_itself_is_no_flood(story: Story) -> None:
    assert story.looks(10, ring="egress") == []


def test_a_message_that_is_lost_and_discarded_is_one_message() -> None:
    watch = FloodWatch(Instant(0))

    (change,) = watch.look(Instant(seconds(1)), counters("report", 10, 30))

    assert change.flood == flood(0, 1, 10, 30.0, discarded=30)
    assert change.flood.refused.messages == 30


def test_a_message_of_which_only_one_count_was_read_yet_is_not_counted_twice() -> None:
    watch = FloodWatch(Instant(0))
    watch.look(Instant(seconds(1)), counters("query", 11, 10))
    watch.look(Instant(seconds(2)), counters("query", 20, 20))

    last = watch.of("eth0")["query"].last

    assert last is not None
    assert last.refused.messages == 20


def test_counters_that_begin_anew_are_no_negative_flood(story: Story) -> None:
    story.looks(1000)
    assert story.looks(3) == []
    assert story.watch.of("eth0")["query"].last == flood(0, 2, 1003, 1000.0)


def test_the_rate_is_of_the_time_that_has_passed() -> None:
    watch = FloodWatch(Instant(0))

    (change,) = watch.look(Instant(seconds(4)), counters("query", 100))

    assert change.flood.rate == 25.0


def test_a_history_goes_with_the_counters(story: Story) -> None:
    story.looks(10)
    story.watch.rename("eth0", "lan0")
    renamed = {"lan0": counters("query", 10)["eth0"]}

    assert story.watch.look(Instant(seconds(2)), renamed) == []
    assert list(story.watch.histories) == ["lan0"]
    assert story.watch.of("lan0")["query"].count == 1

    story.watch.look(Instant(seconds(3)), {})
    assert story.watch.histories == {}
