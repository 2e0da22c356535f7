"""Those who watch: each has a queue of bounded length, and only a slow one loses events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

WAITING = 2000
"""Events kept for a watcher who does not read as fast as they come."""

WAITING_REPORTS = WAITING // 2
"""Other hosts' reports wait only up to here: a flood of them leaves room for all the rest."""

CAUGHT_UP = WAITING // 4
"""With so few that wait, a watcher is told what it has lost."""

MESSAGE, QUERY = "message", "query"

OF_REPORTS = frozenset({None, MESSAGE, "report", "leave", "other"})
"""Types that choose messages which are handed over only for those who watch."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The events that a watcher wants; None means any.

    `type`: a message's type or an event's name. `interface`: its name.
    """

    type: str | None = None
    interface: str | None = None

    @property
    def needs_reports(self) -> bool:
        """Whether other hosts' reports have to be handed over for it."""
        return self.type in OF_REPORTS

    @property
    def needs_messages(self) -> bool:
        """Whether messages have to be described for it."""
        return self.type in OF_REPORTS or self.type == QUERY

    def takes(self, event: dict[str, Any]) -> bool:
        return self.type in (None, event.get("type"), event["event"]) and (
            self.interface is None or event.get("interface", self.interface) == self.interface
        )


class Watcher:
    """A queue of the events that were chosen, and how many did not fit."""

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(WAITING)
        self._lost = 0

    def put(self, event: dict[str, Any]) -> None:
        if not self.choice.takes(event):
            return
        if self._queue.qsize() < (WAITING_REPORTS if is_others_report(event) else WAITING):
            self._queue.put_nowait(event)
        else:
            self._lost += 1

    async def get(self) -> dict[str, Any]:
        """The next event; {"event": "lost", "count": N} first, if some did not fit."""
        if self._lost and self._queue.qsize() < CAUGHT_UP:
            lost, self._lost = self._lost, 0
            return {"event": "lost", "count": lost, "cause": "slow_watcher"}
        return await self._queue.get()


class Bus:
    """Events to all watchers.

    `on_interest` is called when the first who needs other hosts' reports comes, and when the last
    goes.
    """

    def __init__(self, on_interest: Callable[[bool], None]) -> None:
        self._watchers: set[Watcher] = set()
        self._on_interest = on_interest

    @property
    def is_watched(self) -> bool:
        return bool(self._watchers)

    @property
    def needs_reports(self) -> bool:
        return any(each.choice.needs_reports for each in self._watchers)

    @property
    def needs_messages(self) -> bool:
        return any(each.choice.needs_messages for each in self._watchers)

    def publish(self, event: dict[str, Any]) -> None:
        for watcher in self._watchers:
            watcher.put(event)

    @contextmanager
    def watching(self, choice: Choice = Choice()) -> Iterator[Watcher]:
        watcher = Watcher(choice)
        needed = self.needs_reports
        self._watchers.add(watcher)
        if self.needs_reports and not needed:
            self._on_interest(True)
        try:
            yield watcher
        finally:
            needed = self.needs_reports
            self._watchers.discard(watcher)
            if needed and not self.needs_reports:
                self._on_interest(False)


def is_others_report(event: dict[str, Any]) -> bool:
    """A message of another host that is no query: of these there may be any number."""
    return (
        event["event"] == MESSAGE and event.get("direction") == "rx" and event.get("type") != QUERY
    )
