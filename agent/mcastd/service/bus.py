"""Those who watch: each has a queue of bounded length, and only a slow one loses events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

WAITING = 2000
"""Events kept for a watcher who does not read as fast as they come."""


class Watcher:
    """A queue of events, and how many did not fit."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(WAITING)
        self._lost = 0

    def put(self, event: dict[str, Any]) -> None:
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._lost += 1

    async def get(self) -> dict[str, Any]:
        """The next event; {"event": "lost", "count": N} first, if some did not fit."""
        if self._lost and self._queue.qsize() < WAITING // 2:
            lost, self._lost = self._lost, 0
            return {"event": "lost", "count": lost, "cause": "slow_watcher"}
        return await self._queue.get()


class Bus:
    """Events to all watchers. `on_interest` is called when the first comes and the last goes."""

    def __init__(self, on_interest: Callable[[bool], None]) -> None:
        self._watchers: set[Watcher] = set()
        self._on_interest = on_interest

    @property
    def is_watched(self) -> bool:
        return bool(self._watchers)

    def publish(self, event: dict[str, Any]) -> None:
        for watcher in self._watchers:
            watcher.put(event)

    @contextmanager
    def watching(self) -> Iterator[Watcher]:
        watcher = Watcher()
        self._watchers.add(watcher)
        if len(self._watchers) == 1:
            self._on_interest(True)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            if not self._watchers:
                self._on_interest(False)
