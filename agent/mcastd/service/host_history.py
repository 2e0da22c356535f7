"""What the host counted of late: a few readings of the last minute, against which a new one says
what has become more. So a trouble that is over is no longer told of.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from mcastd.gmp.time import Instant, in_seconds
from mcastd.net.host_counters import host_counters
from mcastd.net.udp_sockets import UdpSocket, udp_sockets
from mcastd.service.clock import now

EVERY_SECONDS = 15.0
KEPT = 5
"""Readings: the earliest is a minute old."""

LATELY_SECONDS = 75.0
"""An earlier one says nothing of what goes on."""


class Reading(NamedTuple):
    """`drops`: what UDP sockets had no room for, by inode."""

    at: Instant
    counters: Mapping[str, int]
    drops: Mapping[int, int]


class Growth(NamedTuple):
    """What became more between two readings. `seconds` is None without an earlier one."""

    seconds: float | None
    counters: Mapping[str, int]
    drops: Mapping[int, int]

    def of(self, name: str) -> int:
        return self.counters.get(name, 0)


NOTHING = Growth(None, {}, {})


def growth(earlier: Reading | None, later: Reading) -> Growth:
    """A socket that was not there before has dropped all it ever did meanwhile."""
    if earlier is None:
        return NOTHING
    return Growth(
        in_seconds(later.at - earlier.at),
        {
            name: value - earlier.counters[name]
            for name, value in later.counters.items()
            if value > earlier.counters.get(name, value)
        },
        {
            inode: drops - earlier.drops.get(inode, 0)
            for inode, drops in later.drops.items()
            if drops > earlier.drops.get(inode, 0)
        },
    )


def read(sockets: list[UdpSocket] | None = None) -> Reading:
    """Now. It may take a few milliseconds where there are many sockets."""
    found = udp_sockets() if sockets is None else sockets
    return Reading(now(), host_counters(), {each.inode: each.drops for each in found})


class HostHistory:
    """The readings of the last minute; made beside the loop."""

    def __init__(self) -> None:
        self._kept: deque[Reading] = deque(maxlen=KEPT)
        self._task: asyncio.Task[None] | None = None

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        self._task = loop.create_task(self._read_again())

    async def _read_again(self) -> None:
        while True:
            self.keep(await asyncio.to_thread(read))
            await asyncio.sleep(EVERY_SECONDS)

    def keep(self, reading: Reading) -> None:
        self._kept.append(reading)

    def since(self, at: Instant) -> Reading | None:
        """The earliest of the last minute."""
        fresh = (each for each in self._kept if in_seconds(at - each.at) <= LATELY_SECONDS)
        return next(fresh, None)

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
