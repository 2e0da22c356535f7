"""Streams as an operator sees them: what an agent makes of what the programs have counted."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcastd._native import ffi
from mcastd.service import clock
from mcastd.service.config import Settings
from mcastd.service.metrics import AgentCollector
from mcastd.service.stream_settings import StreamSettings
from mcastd.service.stream_views import interface_streams, streams
from mcastd.streams import Key
from support.fake_fast_path import FakeStreams
from support.played_agent import INDEX, Played, a_link, events_of, packed, settings_for
from support.queries import igmp_report
from support.stepped import play

GROUP, OTHER = packed("239.1.1.1"), packed("239.1.1.2")
SOURCE = packed("10.0.0.2")
RTP = 1
PLAYED: dict[str, dict[str, Any]] = {"play0": {"streams": True}}


class Sender:
    """A stream of RTP; what it sends, the programs count at once."""

    def __init__(
        self, counting: FakeStreams, *, group: bytes = GROUP, port: int = 5004, index: int = INDEX
    ) -> None:
        self._counting = counting
        self.key = Key(index, (), SOURCE, group, port).pack()
        self._counts = {"first": clock.now(), "format": RTP}

    def sends(self, packets: int, *, lost: int = 0) -> None:
        counts = self._counts
        more = {"packets": packets, "bytes": 100 * packets, "received": packets, "lost": lost}
        for name, count in more.items():
            counts[name] = counts.get(name, 0) + count
        counts["last"] = clock.now()
        made = ffi.new("struct mcast_stream *", counts)
        self._counting.counted[self.key] = bytes(ffi.buffer(made))


Story = Callable[[Played, FakeStreams], Awaitable[None]]


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Plays a story of one interface whose streams are counted."""

    def run(story: Story, **room: int) -> None:
        async def whole() -> None:
            counting = FakeStreams(**room)
            played = Played(PLAYED, counting=counting)
            try:
                await played.link(a_link("play0"))
                await story(played, counting)
            finally:
                played.close()

        play(monkeypatch, whole)

    return run


def shown(played: Played, **about: str) -> list[tuple[Any, Any, Any]]:
    return [(e["group"], e["port"], e["state"]) for e in streams(played.agent, **about)]


def summary(played: Played) -> Any:
    return interface_streams(played.agent, played.interface("play0"))


def test_a_stream_comes_and_goes_with_a_rate_a_state_and_totals(tell: Callable[..., None]) -> None:
    async def story(played: Played, counting: FakeStreams) -> None:
        sender = Sender(counting)
        await played.joins(GROUP)
        with played.watching() as watcher:
            for _ in range(5):
                sender.sends(100)
                await asyncio.sleep(1)
            assert shown(played) == [("239.1.1.1", 5004, "live")]
            status = summary(played)
            assert status["streams"] == 1
            assert status["states"] == {"live": 1}
            assert status["rate"] == pytest.approx(100, rel=0.05)
            assert status["bit_rate"] == pytest.approx(80_000, rel=0.05)
            assert status["packets"] >= 400

            await asyncio.sleep(6)
            assert shown(played) == [("239.1.1.1", 5004, "stalled")]
            told = [e for e in await events_of(watcher) if e["event"].startswith("stream")]
        assert told[-1]["group"] == "239.1.1.1"
        assert told[-1]["interface"] == "play0"
        assert summary(played)["packets"] == 500

    tell(story)


def test_a_group_from_which_nothing_comes_is_silent_until_it_is_left(
    tell: Callable[..., None],
) -> None:
    async def story(played: Played, counting: FakeStreams) -> None:
        await played.address("192.0.2.10")
        await played.joins(GROUP)
        await asyncio.sleep(10)
        assert shown(played) == [], "no router knows of it yet"
        await played.hears(igmp_report(3, "192.0.2.10", "239.1.1.1"), ring="egress")
        await asyncio.sleep(10)
        assert shown(played) == [("239.1.1.1", None, "silent")]
        assert shown(played, name="play0", group="239.1.1.1") == shown(played)
        assert shown(played, group="239.1.1.2") == shown(played, name="play1") == []
        assert summary(played)["streams"] == 0
        assert summary(played)["states"] == {"silent": 1}

        await played.leaves(GROUP)
        await asyncio.sleep(5)
        assert shown(played) == []

    tell(story)


def test_a_stream_that_nobody_here_wants_is_told_apart_from_one_of_another_interface(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def whole() -> None:
        counting = FakeStreams()
        both = {"play0": {"streams": True}, "play1": {"streams": True}}
        played = Played(both, counting=counting)
        try:
            await played.link(a_link("play0"))
            await played.link(a_link("play1", INDEX + 1))
            await played.joins(GROUP, index=INDEX + 1)
            here, strange = Sender(counting), Sender(counting, group=OTHER)
            for _ in range(3):
                here.sends(10)
                strange.sends(10)
                await asyncio.sleep(1)
            assert shown(played, name="play0") == [
                ("239.1.1.1", 5004, "elsewhere"),
                ("239.1.1.2", 5004, "unwanted"),
            ]
        finally:
            played.close()

    play(monkeypatch, whole)


def test_many_streams_are_read_in_pieces_and_all_are_shown(tell: Callable[..., None]) -> None:
    async def story(played: Played, counting: FakeStreams) -> None:
        for port in range(1000, 1025):
            Sender(counting, port=port).sends(1)
        await asyncio.sleep(2)
        assert [port for _, port, _ in shown(played)] == list(range(1000, 1025))
        assert summary(played)["streams"] == 25

    tell(story, at_once=10)


def test_totals_outlive_the_interface_and_its_streams_room_is_free(
    tell: Callable[..., None],
) -> None:
    async def story(played: Played, counting: FakeStreams) -> None:
        sender = Sender(counting)
        for _ in range(3):
            sender.sends(100, lost=2)
            await asyncio.sleep(1)
        await asyncio.sleep(1)
        counting.rests[INDEX] = (7, 5)
        before = played.agent.streams.totals("play0", INDEX)
        assert before.packets in (200, 300)
        assert (before.fragments, before.untracked) == (7, 5)

        await played.gone(INDEX)

        assert counting.forgotten == [sender.key]
        assert shown(played) == []
        counting.rests.clear()
        assert played.agent.streams.totals("play0", None) == before
        text = {
            sample.name
            for family in AgentCollector(played.agent).collect()
            for sample in family.samples
            if sample.value == before.packets
        }
        assert any("stream" in name for name in text)

    tell(story)


@pytest.mark.parametrize("missing", [errno.ENOMEM, errno.ENOSPC])
def test_a_shortage_during_a_reading_ends_no_reading_for_good(
    tell: Callable[..., None], missing: int
) -> None:
    async def story(played: Played, counting: FakeStreams) -> None:
        said: list[Any] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: said.append(context["exception"].errno))
        counting.failing = OSError(missing, "short")
        await asyncio.sleep(1.5)
        assert said == [missing]

        Sender(counting).sends(1)
        await asyncio.sleep(2.5)
        assert shown(played) == [("239.1.1.1", 5004, "unwanted")]

    tell(story)


def test_a_reload_changes_what_is_lossy(tell: Callable[..., None]) -> None:
    async def story(played: Played, counting: FakeStreams) -> None:
        await played.joins(GROUP)
        sender = Sender(counting)
        for _ in range(5):
            sender.sends(100, lost=5)
            await asyncio.sleep(1)
        assert shown(played) == [("239.1.1.1", 5004, "lossy")]

        settings: Settings = settings_for(PLAYED, streams=StreamSettings(lossy=0.5))
        played.links.configure(settings)
        for _ in range(3):
            sender.sends(100, lost=5)
            await asyncio.sleep(1)
        assert shown(played) == [("239.1.1.1", 5004, "live")]

    tell(story)


def test_groups_have_the_rate_and_the_last_packet_of_their_streams(
    tell: Callable[..., None],
) -> None:
    async def story(played: Played, counting: FakeStreams) -> None:
        senders = [Sender(counting, port=port) for port in (5004, 5006)]
        assert played.agent.streams.last_data(INDEX, GROUP) == {"rate": None, "last_data": None}
        for _ in range(4):
            for sender in senders:
                sender.sends(50)
            await asyncio.sleep(1)
        told = played.agent.streams.last_data(INDEX, GROUP)
        assert told["rate"] == pytest.approx(100, rel=0.05)
        assert told["last_data"] is not None
        assert played.agent.streams.last_data(None, GROUP) == {}
        assert played.agent.streams.last_data(INDEX + 9, GROUP) == {}

    tell(story)


def test_programs_that_cannot_count_are_told_once_and_all_else_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def whole() -> None:
        played = Played(PLAYED)
        played.fast_path.streams_problem = "the kernel is too old"
        try:
            played.links.configure(settings_for(PLAYED))
            await played.link(a_link("play0"))
            assert summary(played) is None
            assert shown(played) == []
            assert played.interface("play0").attachment is not None
        finally:
            played.close()

    play(monkeypatch, whole)
    assert caplog.messages.count("streams are not counted: the kernel is too old") == 1
