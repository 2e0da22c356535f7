"""States of pairs, by a clock that is stepped by hand."""

from __future__ import annotations

import pytest
from mcastd.gmp.time import Instant, milliseconds, seconds
from mcastd.streams.pair_lines import NO_LEG
from mcastd.streams.pair_sample import LegSample, PairSample, median_of, middle_of
from mcastd.streams.pair_states import PairState, WatchedPair, problem_of
from mcastd.streams.pairs import Pair, parse_interface_leg

PAIR = Pair(*(parse_interface_leg(f"eth{n} 239.1.1.1:5004") for n in (0, 1)))


class Network:
    """A pair that is read once a second."""

    def __init__(self) -> None:
        self.now = Instant(seconds(100))
        self.watched = WatchedPair(PAIR)
        self.told: list[tuple[PairState, PairState | None, str | None]] = []
        self.legs = [NO_LEG, NO_LEG]
        self.neither = 0
        self.apart_since: Instant | None = None

    def second(self, *legs: int, neither: int = 0) -> PairState:
        """100 packets come on these legs."""
        self.now = Instant(self.now + seconds(1))
        self.neither += neither
        for leg in legs:
            known = self.legs[leg]
            self.legs[leg] = known._replace(
                packets=known.packets + 100, last=self.now, last_numbered=self.now, format="rtp",
                identity=known.identity if known.packets else (1, 0, 0),
            )  # fmt: skip
        self.read()
        return self.watched.state

    def read(self) -> None:
        a, b = self.legs
        sample = PairSample(1, self.neither, 0, 1, self.apart_since, 0, (a, b), None)
        event = self.watched.read(self.now, sample)
        if event is not None:
            assert event.pair is PAIR
            self.told.append((event.state, event.before, event.problem))


def test_a_pair_is_protected_as_long_as_both_legs_come() -> None:
    network = Network()

    assert [network.second(), network.second(0, 1), network.second(0, 1)] == [
        PairState.SILENT, PairState.PROTECTED, PairState.PROTECTED,
    ]  # fmt: skip
    assert [network.second(0) for _ in range(4)] == [*([PairState.PROTECTED] * 3), "unprotected"]
    assert network.second(0, 1) is PairState.PROTECTED
    assert [network.second() for _ in range(4)][-1] is PairState.SILENT
    assert [(state, before) for state, before, _ in network.told] == [
        ("silent", None), ("protected", "silent"), ("unprotected", "protected"),
        ("protected", "unprotected"), ("silent", "protected"),
    ]  # fmt: skip


def test_what_neither_leg_brought_makes_a_pair_lossy_for_ten_seconds() -> None:
    network = Network()
    network.second(0, 1)

    assert network.second(0, 1, neither=1) is PairState.LOSSY
    states = [network.second(0, 1) for _ in range(12)]
    assert states == [*(["lossy"] * 9), *(["protected"] * 3)]


def test_legs_that_are_apart_for_the_window_are_told_with_the_reason() -> None:
    network = Network()
    network.second(0, 1)
    network.legs[1] = network.legs[1]._replace(format="moldudp64")
    network.apart_since = Instant(network.now + seconds(1) - milliseconds(100))
    assert network.second(0) is PairState.PROTECTED
    network.apart_since = Instant(network.now + seconds(1) - milliseconds(150))
    network.second(0)

    assert network.watched.state is PairState.APART
    assert network.told[-1] == ("apart", "protected", "formats differ: a is rtp, b is moldudp64")


def test_events_of_a_pair_are_a_second_apart() -> None:
    network = Network()
    network.second(0, 1)
    network.now = Instant(network.now + milliseconds(500))
    network.neither = 5
    network.read()
    assert network.watched.state is PairState.LOSSY
    assert len(network.told) == 1
    network.second(0, 1)
    assert [state for state, _, _ in network.told] == ["protected", "lossy"]


def leg(**fields: object) -> LegSample:
    usual: dict[str, object] = {
        "packets": 9, "last": Instant(900), "last_numbered": Instant(900), "format": "rtp",
    }  # fmt: skip
    return NO_LEG._replace(**(usual | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("a", "b", "problem"),
    [
        ({}, {}, "the legs' numbers are 4096 or more apart, or no multiples of the step"),
        ({"format": "sacn"}, {}, "formats differ: a is sacn, b is rtp"),
        ({"format": "sacn"}, {"format": "sacn", "identity": (7, 0, 0)}, "different senders"),
        ({"last_numbered": None, "format": "mpegts"}, {}, "a: mpegts has no numbers"),
        ({}, {"last_numbered": None, "format": "none"}, "b: what it carries has no numbers"),
        ({"last_numbered": Instant(400)}, {}, "a: rtp has no numbers"),
    ],
)
def test_why_legs_do_not_match_is_said(
    a: dict[str, object], b: dict[str, object], problem: str
) -> None:
    pair = PairSample(0, 0, 0, 1, Instant(1), 0, (leg(**a), leg(**b)), None)

    found = problem_of(pair, Instant(1000), milliseconds(0.0005))
    assert found is not None
    assert problem in found


def test_the_first_packets_of_a_leg_may_have_no_numbers_yet() -> None:
    pair = PairSample(0, 0, 0, 1, None, 0, (leg(packets=2, last_numbered=None), leg()), None)

    assert problem_of(pair, Instant(1000)) is None


def test_the_median_is_the_middle_of_its_class() -> None:
    above, below = [0] * 168, [0] * 168
    assert median_of(above, below) == 0
    above[20] = 3
    assert median_of(above, below) == middle_of(20)
    below[40] = 4
    assert median_of(above, below) == -middle_of(40)
    above[0] = 1
    assert median_of(above, below) == -middle_of(40)
    above[0] = 9
    assert median_of(above, below) == middle_of(0)


def test_classes_of_skews_have_no_gaps_and_end_beyond_the_longest_window() -> None:
    middles = [middle_of(number) for number in range(168)]

    assert middles == sorted(middles)
    assert middles[1] == 1024 + 64
    assert middles[-1] > seconds(1)
