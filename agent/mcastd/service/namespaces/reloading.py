"""Has the agents of all namespaces reload."""

from __future__ import annotations

import asyncio
import logging

from mcastd.service.config import Settings
from mcastd.service.namespaces.inside import joined
from mcastd.service.namespaces.peers import NAMED_SECONDS, Peer, Peers, UnavailableError, ourselves
from mcastd.service.namespaces.settings import within
from mcastd.service.requests import Parameters, RequestError

log = logging.getLogger("mcastd")


class Reloading:
    """What has been asked of peers since the last reload."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._tasks: list[asyncio.Task[list[str]]] = []

    def begin(self, settings: Settings, *, undo: bool = False) -> None:
        """Has the peers that these settings name read them, and the keeper, which ends others.

        `undo`: also where something else was set by hand.
        """
        self._peers.reread()
        for task in self._tasks:
            task.cancel()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._reload(peer, undo))
            for peer in self._peers.running()
            if within(settings, peer.name) is not None
        ]

    async def done(self) -> tuple[list[str], list[str]]:
        """The interfaces that peers run then, and what they refuse."""
        names: list[str] = []
        problems: list[str] = []
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, list):
                names += result
            elif isinstance(result, RequestError):
                problems.append(str(result))
        return names, problems

    async def _reload(self, peer: Peer, undo: bool) -> list[str]:
        try:
            parameters: Parameters = {"undo": undo}
            told = await self._peers.ask(peer, ourselves(), "reload", parameters, NAMED_SECONDS)
        except UnavailableError:
            return []  # it reads them when it starts
        except RequestError as error:
            log.error("%s", error)
            raise
        return [joined(peer.name, each) for each in told["interfaces"]]
