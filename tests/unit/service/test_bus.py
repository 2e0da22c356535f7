"""Those who watch, fast and slow."""

from __future__ import annotations

import asyncio
from typing import Any

from mcastd.service.bus import WAITING, Bus


def event(number: int) -> dict[str, Any]:
    return {"event": "message", "number": number}


def test_everybody_who_watches_gets_every_event() -> None:
    async def story() -> list[dict[str, Any]]:
        bus = Bus(lambda interest: None)
        with bus.watching() as one, bus.watching() as other:
            bus.publish(event(1))
            return [await one.get(), await other.get()]

    assert asyncio.run(story()) == [event(1), event(1)]


def test_interest_is_told_when_the_first_comes_and_the_last_goes() -> None:
    told: list[bool] = []
    bus = Bus(told.append)

    with bus.watching():
        assert bus.is_watched
        with bus.watching():
            pass
        assert told == [True]

    assert told == [True, False]
    assert not bus.is_watched


def test_interest_ends_also_when_a_watcher_fails() -> None:
    told: list[bool] = []
    bus = Bus(told.append)
    try:
        with bus.watching():
            raise ConnectionError
    except ConnectionError:
        pass

    assert told == [True, False]


def test_a_slow_watcher_loses_events_and_is_told_how_many() -> None:
    async def story() -> list[dict[str, Any]]:
        bus = Bus(lambda interest: None)
        with bus.watching() as slow:
            for number in range(WAITING + 7):
                bus.publish(event(number))
            return [await slow.get() for _ in range(WAITING + 1)]

    seen = asyncio.run(story())

    lost = [each for each in seen if each["event"] == "lost"]
    assert lost == [{"event": "lost", "count": 7, "cause": "slow_watcher"}]
    assert [each["number"] for each in seen if each not in lost] == list(range(WAITING))
