"""Pairs as an operator sees them: what an agent makes of what the programs have counted."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcastd._native import ffi
from mcastd.gmp.time import milliseconds, seconds
from mcastd.service import clock
from mcastd.service.metrics import AgentCollector
from mcastd.service.stream_settings import StreamSettings
from mcastd.service.stream_views import pairs
from mcastd.streams.pairs import Pair, parse_interface_leg
from support.fake_fast_path import FakeStreams
from support.played_agent import INDEX, Played, a_link, events_of, settings_for
from support.stepped import play

SECTIONS: dict[str, dict[str, Any]] = {"play0": {"streams": True}, "play1": {"streams": True}}
PAIR = Pair(*(parse_interface_leg(f"play{n} 239.1.1.{n}:5004") for n in (0, 1)))
OTHER = Pair(*(parse_interface_leg(f"play{n} 239.1.1.{n}:6000") for n in (0, 1)))
STREAMS = StreamSettings(pairs=(PAIR,), pair_window=milliseconds(20))

Story = Callable[[Played, FakeStreams], Awaitable[None]]


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Callable[[Story], None]:
    """Plays a story of two interfaces whose streams are counted, the second not there yet."""

    def run(story: Story) -> None:
        async def whole() -> None:
            counting = FakeStreams()
            played = Played(SECTIONS, counting=counting, streams=STREAMS)
            try:
                await played.link(a_link("play0"))
                await story(played, counting)
            finally:
                played.close()

        play(monkeypatch, whole)

    return run


def has_come(counting: FakeStreams, packets: int, *, neither: int = 0, place: int = 0) -> None:
    """So many packets on both legs, the last ones just now."""
    pair, at = ffi.new("struct mcast_pair *"), clock.now()
    ffi.memmove(pair, counting.pairs.values[place], ffi.sizeof("struct mcast_pair"))
    pair.both, pair.neither, pair.latest = packets, neither, at
    for leg in pair.legs:
        leg.packets = leg.brought = packets
        leg.last = leg.last_numbered = at
        leg.is_known = leg.is_numbered = leg.format = 1
        leg.source = bytes((10, 0, 0, 2)).ljust(16, b"\0")
    pair.legs[1].alone = 3
    for skews, second in zip(pair.skews, (at // seconds(1) - 1, at // seconds(1)), strict=True):
        skews.second, skews.largest, skews.count = second, -milliseconds(9), 1
        skews.counts[0][0] = 1
    counting.pairs.values[place] = bytes(ffi.buffer(pair))


def indices(counting: FakeStreams) -> list[int]:
    """Of the interfaces that legs come on."""
    return [int.from_bytes(key[:4], sys.byteorder) for key in counting.pairs.legs]


def all_shown(played: Played) -> list[Any]:
    return list(pairs(played.agent))


def shown(played: Played) -> dict[str, Any]:
    (found,) = all_shown(played)
    assert isinstance(found, dict)
    return found


def test_legs_come_on_an_interface_as_soon_as_it_is_attached(tell: Callable[[Story], None]) -> None:
    """Not with the next reading: the first packets would be in no pair."""

    async def story(played: Played, counting: FakeStreams) -> None:
        assert indices(counting) == [INDEX]
        await played.link(a_link("play1", 8))
        assert indices(counting) == [INDEX, 8]

    tell(story)


def test_a_pair_waits_for_its_interfaces_and_says_so(tell: Callable[[Story], None]) -> None:
    async def story(played: Played, counting: FakeStreams) -> None:
        await asyncio.sleep(2)
        pair = ffi.from_buffer("struct mcast_pair *", counting.pairs.values[0])
        assert pair.window == milliseconds(20)
        assert indices(counting) == [INDEX]
        assert shown(played)["state"] == "silent"
        assert shown(played)["problem"] == "b: no streams are counted on play1"

        await played.link(a_link("play1", 8))
        await asyncio.sleep(2)
        assert indices(counting) == [INDEX, 8]
        assert shown(played)["problem"] is None

    tell(story)


def test_a_pair_is_shown_told_and_scraped(tell: Callable[[Story], None]) -> None:
    async def story(played: Played, counting: FakeStreams) -> None:
        await played.link(a_link("play1", 8))
        with played.watching() as watcher:
            for second in range(4):
                has_come(counting, 100 * second, neither=second // 3)
                await asyncio.sleep(1)
            told = [e for e in await events_of(watcher) if e["event"] == "pair"]
        assert [(e["interface"], e["state"], e["before"]) for e in told[-2:]] == [
            ("play0", "protected", None), ("play0", "lossy", "protected"),
        ]  # fmt: skip
        assert (told[-1]["a"], told[-1]["b"]) == ("play0 239.1.1.0:5004", "play1 239.1.1.1:5004")

        found = shown(played)
        assert (found["state"], found["neither"], found["a"]["lost"], found["b"]["lost"]) == (
            "lossy", 1, 4, 1,
        )  # fmt: skip
        assert found["skew"] == {"median": 0.000000512, "largest": -0.009}
        assert found["a"]["source"] == "10.0.0.2"
        assert found["a"]["last"] > 1e9

        scraped = {
            (each.name, *list(each.labels.values())[2:]): each.value
            for family in AgentCollector(played.agent).collect()
            for each in family.samples
            if each.labels.get("a") == "play0 239.1.1.0:5004"
        }
        assert scraped["mcastd_pair_numbers_total", "both"] == 300
        assert scraped["mcastd_pair_numbers_total", "neither"] == 1
        assert scraped["mcastd_pair_numbers_total", "b"] == 3
        assert scraped["mcastd_pair_skew_seconds", "largest"] == -0.009
        assert scraped["mcastd_pair_state", "lossy"] == 1
        assert sum(v for (name, *_), v in scraped.items() if name == "mcastd_pair_state") == 1

    tell(story)


def test_pairs_come_and_go_with_the_configuration(tell: Callable[[Story], None]) -> None:
    async def story(played: Played, counting: FakeStreams) -> None:
        has_come(counting, 100)
        await asyncio.sleep(2)
        both = STREAMS._replace(pairs=(OTHER, PAIR))
        played.links.configure(settings_for(SECTIONS, streams=both))
        assert [each["a"]["port"] for each in all_shown(played)] == [6000, 5004]
        assert [each["both"] for each in all_shown(played)] == [0, 100]

        played.links.configure(settings_for(SECTIONS, streams=STREAMS._replace(pairs=())))
        await asyncio.sleep(2)
        assert all_shown(played) == []

    tell(story)


def test_pairs_without_room_are_left_out_with_a_warning(
    tell: Callable[[Story], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def story(played: Played, counting: FakeStreams) -> None:
        many = tuple(Pair(*(leg._replace(port=6000 + n) for leg in PAIR)) for n in range(8))
        both = STREAMS._replace(pairs=(PAIR, *many))
        played.links.configure(settings_for(SECTIONS, streams=both))
        assert [each["a"]["port"] for each in all_shown(played)] == [5004, *range(6000, 6007)]
        assert "1 of 9 pairs are not counted: there is room for 8" in caplog.text

    tell(story)
