"""A forged flood must not fill the log."""

from __future__ import annotations

from mcastd.gmp.time import Instant, seconds
from mcastd.service.limit import BURST, SayingLimit


def test_a_thing_is_said_at_once_a_few_times_and_then_kept_back() -> None:
    limit = SayingLimit()
    said = [limit.may_say("querier", Instant(0)) for _ in range(BURST + 3)]
    assert said == [0] * BURST + [None] * 3


def test_what_was_kept_back_is_counted_when_it_is_said_again() -> None:
    limit = SayingLimit()
    for _ in range(BURST + 3):
        limit.may_say("querier", Instant(0))
    assert limit.may_say("querier", Instant(seconds(10))) == 3


def test_one_thing_does_not_keep_another_back() -> None:
    limit = SayingLimit()
    for _ in range(BURST + 1):
        limit.may_say("querier", Instant(0))
    assert limit.may_say("version", Instant(0)) == 0
