"""Runs the first agent: it serves its own namespace, and answers for all others.

It has no right to enter another: the keeper has, which was started before that was given up.
"""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from subprocess import Popen, TimeoutExpired
from typing import TYPE_CHECKING

from mcastd.service.agent import Agent
from mcastd.service.company import Alone, Fail, LostError
from mcastd.service.config import Settings
from mcastd.service.control import Control
from mcastd.service.namespaces.gathering import GatheringControl
from mcastd.service.namespaces.peers import Peers
from mcastd.service.namespaces.reloading import Reloading

if TYPE_CHECKING:
    from mcastd.service.rendering import Renderings

END_SECONDS = 15.0
"""For the keeper to end all that it has started; it needs ten for those that do not listen."""


class First(Alone):
    """`keeper`: the process, `channel`: to it."""

    def __init__(self, keeper: Popen[bytes], channel: socket.socket) -> None:
        self._keeper, self._channel = keeper, channel
        self._peers: Peers | None = None
        self._reloading: Reloading | None = None

    def control(self, agent: Agent, fail: Fail) -> Control:
        lost = LostError("the keeper of the namespaces has ended; start mcastd anew")
        self._peers = Peers(self._channel, agent.faults, partial(fail, lost))
        self._reloading = Reloading(self._peers)
        return GatheringControl(agent, self._peers, self._reloading)

    def renderings(self, agent: Agent) -> Renderings:
        from mcastd.service.metrics import AgentCollector  # noqa: PLC0415
        from mcastd.service.namespaces.scraping import Scraping  # noqa: PLC0415
        from mcastd.service.rendering import Renderings  # noqa: PLC0415

        assert self._peers is not None
        scraping = Scraping(AgentCollector(agent).collect, self._peers)
        return Renderings(scraping.collect, scraping.completed)

    def configured(self, settings: Settings, *, undo: bool = False) -> None:
        if self._reloading is not None:
            self._reloading.begin(settings, undo=undo)

    async def close(self) -> None:
        if self._peers is not None:
            self._peers.close()
        self._channel.close()
        try:
            await asyncio.to_thread(self._keeper.wait, END_SECONDS)
        except TimeoutExpired:
            self._keeper.kill()
            await asyncio.to_thread(self._keeper.wait)
