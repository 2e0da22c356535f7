"""Those who watch, fast and slow."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from mcastd.service.bus import REPORTS_SHARE, WAITING, WAITING_BYTES, Bus, Choice


def event(number: int) -> dict[str, Any]:
    return {"event": "joined", "number": number}


def message(type_: str, number: int = 0, direction: str = "rx") -> dict[str, Any]:
    head = {"event": "message", "interface": "eth0", "direction": direction}
    return head | {"type": type_, "number": number}


def test_everybody_who_watches_gets_every_event() -> None:
    async def story() -> list[dict[str, Any]]:
        bus = Bus(lambda interest: None)
        with bus.watching() as one, bus.watching() as other:
            bus.publish(event(1))
            return [json.loads(await one.get()), json.loads(await other.get())]

    assert asyncio.run(story()) == [event(1), event(1)]


def test_interest_in_reports_is_told_when_the_first_comes_and_the_last_goes() -> None:
    told: list[bool] = []
    bus = Bus(told.append)

    with bus.watching(Choice("flood")):
        assert bus.is_watched
        with bus.watching():
            with bus.watching(Choice("report")), bus.watching(Choice("query")):
                pass
            assert told == [True]
        assert told == [True, False]

    assert told == [True, False]
    assert not bus.is_watched


@pytest.mark.parametrize("type_", [None, "message", "report", "leave", "other"])
def test_reports_are_needed_for_those_who_may_be_shown_some(type_: str | None) -> None:
    assert Choice(type_).needs_reports
    assert Choice(type_).needs_messages


@pytest.mark.parametrize("type_", ["flood", "joined", "version"])
def test_messages_are_not_needed_for_anything_else(type_: str) -> None:
    assert not Choice(type_).needs_reports
    assert not Choice(type_).needs_messages


def test_reports_are_not_needed_for_those_who_want_queries() -> None:
    assert not Choice("query").needs_reports
    assert Choice("query").needs_messages


@pytest.mark.parametrize(
    ("wanted", "choice"),
    [
        (True, Choice()),
        (True, Choice("query")),
        (True, Choice("message")),
        (True, Choice(interface="eth0")),
        (True, Choice("query", "eth0")),
        (False, Choice("report")),
        (False, Choice(interface="eth1")),
        (False, Choice("query", "eth1")),
    ],
)
def test_events_are_chosen_by_type_and_interface(wanted: bool, choice: Choice) -> None:
    assert choice.takes(message("query")) is wanted


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
            return [json.loads(await slow.get()) for _ in range(WAITING + 1)]

    seen = asyncio.run(story())

    lost = [each for each in seen if each["event"] == "lost"]
    assert lost == [{"event": "lost", "count": 7, "cause": "slow_watcher"}]
    assert [each["number"] for each in seen if each not in lost] == list(range(WAITING))


def test_a_flood_of_what_was_not_chosen_takes_no_room() -> None:
    async def story() -> dict[str, Any]:
        bus = Bus(lambda interest: None)
        with bus.watching(Choice("flood")) as watcher:
            for number in range(2 * WAITING):
                bus.publish(message("query", number))
            bus.publish({"event": "flood"})
            return json.loads(await watcher.get())  # type: ignore[no-any-return]

    assert asyncio.run(story()) == {"event": "flood"}


def test_a_flood_of_reports_leaves_room_for_queries_and_all_the_rest() -> None:
    room = WAITING // REPORTS_SHARE
    rest = [message("query"), message("report", direction="tx"), {"event": "flood"}]

    async def story() -> list[dict[str, Any]]:
        bus = Bus(lambda interest: None)
        with bus.watching() as slow:
            for number in range(2 * WAITING):
                bus.publish(message("report", number))
            for each in rest:
                bus.publish(each)
            return [json.loads(await slow.get()) for _ in range(room + 1 + len(rest))]

    seen = asyncio.run(story())

    lost = {"event": "lost", "count": 2 * WAITING - room, "cause": "slow_watcher"}
    assert [each for each in seen if each in rest] == rest
    assert [each for each in seen if each["event"] == "lost"] == [lost]


def test_long_events_fill_the_queue_by_their_length() -> None:
    """However long: memory is bounded by bytes, and one event more."""
    bus = Bus(lambda interest: None)
    with bus.watching() as slow:
        for number in range(WAITING // 2):
            bus.publish(event(number) | {"records": "x" * 10_000})
        assert slow.has_taken(1)
        assert slow._bytes <= WAITING_BYTES + 20_000


def test_a_watcher_who_was_quick_waits_for_the_next_event() -> None:
    async def story() -> list[dict[str, Any]]:
        bus = Bus(lambda interest: None)
        with bus.watching() as quick:
            waiting = [asyncio.ensure_future(quick.get()) for _ in range(1)]
            await asyncio.sleep(0)
            bus.publish(event(1))
            return [json.loads(await each) for each in waiting]

    assert asyncio.run(story()) == [event(1)]
