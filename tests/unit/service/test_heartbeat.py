"""The heartbeat: the programs are told, and a pause is noticed."""

from __future__ import annotations

import asyncio

from mcastd.gmp.time import Instant, seconds
from mcastd.service.heartbeat import BEAT_LASTS, Heartbeat


def test_a_pause_is_noticed_and_the_end_is_no_pause() -> None:
    now: list[int] = [seconds(100)]
    written: list[int] = []
    lapsed: list[int] = []

    async def story() -> None:
        made = Heartbeat(lambda: Instant(now[0]), written.append, lambda: lapsed.append(now[0]))
        made.begin()
        now[0] += seconds(1)
        assert made.age() == 1.0
        made.begin()
        now[0] += seconds(3)
        made.begin()
        made.end()
        now[0] += seconds(9)
        made.begin()
        made.end()
        assert made.lapses == 1

    asyncio.run(story())
    assert lapsed == [seconds(104)]
    beats = [100, 101, 104, None, 113, None]
    assert written == [0 if at is None else seconds(at) + BEAT_LASTS for at in beats]
