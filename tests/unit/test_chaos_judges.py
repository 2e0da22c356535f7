"""What the judges of chaos go by."""

from __future__ import annotations

import random
from collections.abc import Sequence

from support.chaos.silence import Silence, longest
from support.chaos.steps import Step, random_story
from support.chaos.telling import shrunk
from support.chaos.wishes import Wishes, merged
from support.host_lab import ANY, but, only
from support.sniffer import Seen

GROUP = "239.1.1.1"


def test_filters_are_merged_as_a_router_must_see_them() -> None:
    assert merged([]) is None
    assert merged([only("1"), only("2")]) == only("1", "2")
    assert merged([but("1", "2"), but("2", "3")]) == but("2")
    assert merged([but("1", "2"), only("1")]) == but("2")
    assert merged([but("1"), ANY]) == ANY


def test_a_story_is_the_same_for_the_same_seed() -> None:
    stories = [random_story(random.Random(seed), 30) for seed in ("1/2", "1/2", "1/3")]
    assert stories[0] == stories[1] != stories[2]


def test_a_story_is_shortened_to_what_fails() -> None:
    story: list[Step] = [("pause", number) for number in range(13)]

    def fails(shorter: Sequence[Step]) -> bool:
        return {3, 11} <= {number for _, number in shorter}

    assert shrunk(story, fails, 10.0) == [("pause", 3), ("pause", 11)]
    assert shrunk(story, lambda _: False, 10.0) == story


def test_silence_is_from_the_first_question_to_the_next_word() -> None:
    wishes = Wishes()
    wishes.of["eth0", 0].changes[GROUP] = [(0.5, ANY)]

    def asked(at: float) -> Seen:
        return Seen(at, False, "igmp", "query", b"", "192.0.2.1", bytes(8))

    def said(at: float, type_: str = "IS_EX") -> Seen:
        records = ((type_, GROUP, frozenset[str]()),)
        return Seen(at, True, "igmp", "report", b"", "192.0.2.10", bytes(8), records)

    seen = [asked(1), said(1.5), asked(3), said(4, "BLOCK"), asked(5), said(6), asked(7), said(9)]

    def found(
        *outages: tuple[str, float, float], stalls: Sequence[tuple[float, float]] = ()
    ) -> dict[str, Silence]:
        return longest(
            wishes, "eth0", seen, outages=outages, queriers=["192.0.2.1"], until=10.0,
            stalls=stalls,
        )  # fmt: skip

    assert found() == {"kernel": (3, GROUP), "agent": (0, "")}
    assert found(("eth0", 4.5, 4.6), ("eth0", 8, 8.5))["kernel"] == (1, GROUP)
    assert found(stalls=[(3, 9)])["kernel"] == (3, GROUP)

    wishes.of["eth0", 3].changes, wishes.of["eth0", 0].changes = wishes.of["eth0", 0].changes, {}
    assert found()["agent"] == (3, GROUP)
    assert found(stalls=[(2.5, 5.5), (7, 8)])["agent"] == (0.5, GROUP)
