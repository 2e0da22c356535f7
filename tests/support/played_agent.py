"""An agent on a machine that is played: no kernel, no rights, and a clock of its own."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

from mcastd.fastpath.sockets import SocketPart
from mcastd.fastpath.streams import Streams
from mcastd.gmp.family import Address
from mcastd.net.proc import Receives
from mcastd.net.rtnetlink import AddressChanged, Link, LinkChanged, LinkGone
from mcastd.service import clock
from mcastd.service.agent import Agent
from mcastd.service.bus import Choice, Watcher
from mcastd.service.config import Settings
from mcastd.service.interface import Interface
from mcastd.service.interface_settings import all_settings
from mcastd.service.links import Links
from mcastd.service.machine import Machine
from mcastd.service.memberships import OwnedMemberships

from support.fake_fast_path import FakeFastPath, FakeSockets, FakeStreams

INDEX = 7001
"""Of the first interface: no machine has so many that a test could meet a real one."""

HARDWARE = "02:00:00:00:00:07"
PLAYER = 4_999_999
"""A process that cannot be: numbers end before."""


class Wire:
    """Keeps the frames that leave."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sent: list[tuple[int, bytes]] = []

    def send(self, index: int, content: bytes) -> bool:
        self.sent.append((index, content))
        return True

    def close(self) -> None:
        self.socket.close()


class NicFilter:
    def __init__(self) -> None:
        self.groups: set[tuple[int, Address]] = set()

    def add(self, index: int, group: Address) -> None:
        self.groups.add((index, group))

    def drop(self, index: int, group: Address) -> None:
        self.groups.discard((index, group))

    def close(self) -> None:
        self.groups.clear()


class NoOthers:
    """No other agent holds an interface."""

    def take(self, index: int) -> int | None:
        return None

    def leave(self, index: int) -> None: ...


class OnlySign:
    """What this agent says of itself; nobody else is there."""

    def __init__(self) -> None:
        self.indices: set[int] = set()

    def update(self, indices: Collection[int]) -> None:
        self.indices = set(indices)

    def close(self) -> None:
        self.indices.clear()


class JoinedSocket:
    def close(self) -> None: ...


class PlayedMachine(Machine):
    """`wire`: what was sent. `users`: groups that the kernel receives, and for how many sockets."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.nic = NicFilter()
        self.users: dict[int, dict[Address, int]] = {}
        self.igmp_versions: dict[int, int] = {}
        self.signed = OnlySign()
        self.losses: dict[int, int] = {}
        """How often the carrier of a link has gone."""

    def receives(self) -> Receives:
        there = {index: dict(groups) for index, groups in self.users.items()}
        return Receives(there, dict(self.igmp_versions))

    def carrier_losses(self, index: int) -> int:
        return self.losses.get(index, 0)

    def sender(self) -> Wire:
        return self.wire

    def filter(self) -> NicFilter:
        return self.nic

    def locks(self) -> NoOthers:
        return NoOthers()

    def sign(self) -> OnlySign:
        return self.signed

    def agents_on(self, indices: Collection[int]) -> dict[int, int]:
        return {index: 1 for index in self.signed.indices & set(indices)}

    def join(
        self, index: int, group: Address, sources: Sequence[Address], *, exclude: bool
    ) -> JoinedSocket:
        return JoinedSocket()


def packed(text: str) -> Address:
    return ip_address(text).packed


def settings_for(sections: dict[str, dict[str, Any]], **fields: Any) -> Settings:
    return Settings(interfaces=all_settings(sections, {}), **fields)


def a_link(name: str, index: int = INDEX, **facts: Any) -> Link:
    usual: dict[str, Any] = {
        "is_running": True, "is_loopback": False, "has_multicast": True,
        "mtu": 1500, "hardware_address": HARDWARE,
    }  # fmt: skip
    return Link(index, name, **(usual | facts))


class Played:
    """An agent for these interface sections of a configuration, and the machine around it."""

    def __init__(
        self,
        sections: dict[str, dict[str, Any]],
        *,
        counting: FakeStreams | None = None,
        state: Path | None = None,
        **fields: Any,
    ) -> None:
        self.fast_path = FakeFastPath()
        self.fast_path.streams = cast("Streams | None", counting)
        self.machine = PlayedMachine()
        settings, owned = settings_for(sections, **fields), OwnedMemberships(state)
        self.agent = Agent(settings, self.fast_path, owned, machine=self.machine)
        self.links = Links(self.agent)
        self.agent.listen(asyncio.get_running_loop())
        self._sockets = 0

    @contextmanager
    def watching(self, choice: Choice | None = None) -> Iterator[Watcher]:
        with self.agent.teller.bus.watching(choice or Choice()) as watcher:
            yield watcher

    def interface(self, name: str) -> Interface:
        return self.agent.interfaces[name]

    async def settle(self, seconds: float = 0.2) -> None:
        """Lets time go on, and all happen that it brings."""
        await asyncio.sleep(seconds)

    # Links.

    async def link(self, link: Link, *, resends: bool = False) -> None:
        self.links.take([LinkChanged(link, resends)])
        await self.settle()

    async def gone(self, index: int) -> None:
        self.links.take([LinkGone(index)])
        await self.settle()

    async def address(self, text: str, index: int = INDEX, *, usable: bool = True) -> None:
        self.links.take([AddressChanged(index, packed(text), usable)])
        await self.settle(0.01)

    # The kernel's sockets, and the wire.

    async def joins(
        self, group: Address, *sources: Address, include: bool = False, index: int = INDEX
    ) -> None:
        """A socket of the process `player` joins."""
        users = self.machine.users.setdefault(index, {})
        users[group] = users.get(group, 0) + 1
        sockets = self._known_sockets()
        self._sockets += 1
        packed = b"".join(sorted(sources))
        part = SocketPart(
            self._sockets, 0, PLAYER, 1000, "player", index, int(include), len(sources), 0,
            group, packed,
        )  # fmt: skip
        sockets.parts.append(part)
        await self._look()

    async def leaves(self, group: Address, index: int = INDEX) -> None:
        """All of its sockets."""
        self.leaves_unseen(group, index)
        await self._look()

    def leaves_unseen(self, group: Address, index: int = INDEX) -> None:
        """Nobody tells the agent, and it does not look."""
        self.machine.users[index].pop(group)
        sockets = self._known_sockets()
        sockets.parts = [each for each in sockets.parts if each.group != group]

    def _known_sockets(self) -> FakeSockets:
        assert self.fast_path.sockets is not None
        return self.fast_path.sockets

    async def _look(self) -> None:
        self.agent.reader.request()
        await self.settle()

    async def hears(self, frame: bytes, *, ring: str = "query", index: int = INDEX) -> None:
        self.fast_path.hands_over(ring, clock.now(), index, frame)
        await self.settle(0.01)

    def close(self) -> None:
        self.agent.close()
        self.links.close()
        self.fast_path.close()
        self.machine.wire.close()


async def events_of(watcher: Watcher) -> list[dict[str, Any]]:
    """All that wait."""
    found = []
    while watcher._lines:
        found.append(json.loads(await watcher.get()))
    return found
