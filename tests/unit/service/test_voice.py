"""A voice takes nothing away from the kernel's sockets, and says at once what adds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from unittest.mock import Mock

import pytest
from mcastd.gmp.counters import Statistics
from mcastd.gmp.effects import SendRecords
from mcastd.gmp.records import GroupRecord
from mcastd.gmp.time import Instant
from mcastd.service.joined import Joined
from mcastd.service.observer import Observer
from mcastd.service.transmit import Place, Transmitter
from mcastd.service.voice import CareForKernel, Voice
from support.network import Network


class Speaking:
    """An observer with a voice, of which the frames are kept; readings end when told so."""

    def __init__(self, net: Network) -> None:
        self.net, self.frames = net, list[bytes]()
        self.observer = Observer(net.family, net.config())
        self.readings: list[asyncio.Future[bool]] = []
        sender = Mock()
        sender.send = self.takes
        place = Place(1, bytes(6), 1500, {net.family.name: net.here})
        care = CareForKernel(self.observer)
        statistics = Statistics(net.family.counters)
        transmitter = Transmitter(net.family, place, sender, statistics, care)
        self.voice = Voice(transmitter, care, Mock(), self.fresh, Mock())
        self.observer.speak(Instant(0), self.voice)

    def takes(self, _index: int, content: bytes) -> bool:
        self.frames.append(content)
        return True

    def fresh(self) -> asyncio.Future[bool]:
        self.readings.append(asyncio.get_running_loop().create_future())
        return self.readings[-1]

    def kernel(self, group: bytes, joined: Joined | None) -> None:
        self.observer.kernel_receives(Instant(0), group, joined)

    def own(self, group: bytes, *sources: bytes) -> None:
        self.observer.listen(Instant(0), "api:own", group, self.net.include(*sources))

    async def read(self, *, succeeds: bool = True) -> None:
        self.readings[-1].set_result(succeeds)
        await turns()

    def said(self) -> list[GroupRecord]:
        """All records, taken apart by nobody who made them."""
        frames, self.frames[:] = list(self.frames), []
        return [record for frame in frames for record in records_of(self.net, frame)]


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def records_of(net: Network, frame: bytes) -> list[GroupRecord]:
    width = net.family.address_width
    message = frame[14 + 24 :] if width == 4 else frame[14 + 48 :]
    found, offset = [], 8
    for _ in range(int.from_bytes(message[6:8], "big")):
        count = int.from_bytes(message[offset + 2 : offset + 4], "big")
        start = offset + 4
        addresses = [message[start + i * width : start + (i + 1) * width] for i in range(count + 1)]
        type_ = type(net.is_in(net.g1).type)(message[offset])
        found.append(GroupRecord(type_, addresses[0], net.sources(*addresses[1:])))
        offset = start + (count + 1) * width
    return found


def telling(story: Callable[[Speaking], Awaitable[None]], net: Network) -> None:
    async def run() -> None:
        await story(Speaking(net))

    asyncio.run(run())


def test_what_adds_is_said_at_once_and_what_takes_away_after_a_look(net: Network) -> None:
    async def story(host: Speaking) -> None:
        host.own(net.g1, net.s1)
        await turns()
        assert host.said() == [net.allow(net.g1, net.s1)]
        host.own(net.g1, net.s2)
        await turns()
        assert host.said() == [net.allow(net.g1, net.s2)]
        await host.read()
        assert host.said() == [net.block(net.g1, net.s1)]

    telling(story, net)


def test_what_a_socket_wants_by_then_is_not_blocked(net: Network) -> None:
    async def story(host: Speaking) -> None:
        host.own(net.g1, net.s1, net.s2)
        await turns()
        host.said()
        host.own(net.g1)
        host.kernel(net.g1, Joined(net.include(net.s2, net.s3), True, 1))
        await host.read()
        assert host.said() == [net.block(net.g1, net.s1)]

    telling(story, net)


@pytest.mark.parametrize("reason", ["inexact", "unread"])
def test_in_doubt_nothing_is_blocked(net: Network, reason: str) -> None:
    async def story(host: Speaking) -> None:
        host.own(net.g1, net.s1)
        await turns()
        host.said()
        if reason == "inexact":
            host.kernel(net.g1, Joined(net.exclude(), False, 1))
        host.own(net.g1)
        await host.read(succeeds=reason == "inexact")
        assert host.said() == []

    telling(story, net)


def test_what_was_left_and_joined_again_before_the_look_is_not_blocked(net: Network) -> None:
    async def story(host: Speaking) -> None:
        host.own(net.g1, net.s1)
        await turns()
        host.own(net.g1)
        host.own(net.g1, net.s1)
        await turns()
        host.said()
        await host.read()
        assert host.said() == []

    telling(story, net)


def test_what_is_said_again_goes_before_all_that_waits(net: Network) -> None:
    async def story(host: Speaking) -> None:
        host.own(net.g1, net.s1)
        host.voice.send(SendRecords((net.is_in(net.g2, net.s2),), False))
        host.voice.send(SendRecords((net.is_in(net.g1, net.s1),), False), urgent=True)
        assert host.said() == [net.is_in(net.g1, net.s1)]

    telling(story, net)


def test_in_older_versions_one_of_the_two_answers(net: Network) -> None:
    async def story(host: Speaking) -> None:
        host.kernel(net.g1, Joined(net.exclude(), False, 1))
        host.voice.send(net.sent_report(net.g1))
        host.voice.send(net.sent_report(net.g2))
        await turns()
        assert len(host.frames) == 1
        host.frames.clear()
        host.voice.send(net.sent_leave(net.g1))
        await host.read()
        assert host.frames == []
        host.kernel(net.g1, None)
        host.voice.send(net.sent_leave(net.g1))
        await host.read()
        assert len(host.frames) == 1

    telling(story, net)
