"""Hands events to those who watch, in bounded queues: only a slow reader loses events."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from mcastd.service.documents import Document, JsonObject

WAITING = 2000
"""Events kept for a watcher who does not read as fast as they come."""

WAITING_BYTES = 1 << 20
"""Of these events: a report of 180 groups is an event of some ten thousand."""

REPORTS_SHARE = 2
"""Other hosts' reports may fill at most 1/REPORTS_SHARE of a watcher's queue."""

CAUGHT_UP_SHARE = 4
"""A watcher hears how much it lost once its queue is filled to at most 1/CAUGHT_UP_SHARE."""

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

    def wants(self, name: str, interface: str) -> bool:
        """Whether it takes events of this name, of this interface; messages are another matter."""
        return self.type in (None, name) and self.interface in (None, interface)

    def takes(self, event: JsonObject) -> bool:
        return self.type in (None, event.get("type"), event["event"]) and (
            self.interface is None or event.get("interface", self.interface) == self.interface
        )


class Watcher:
    """A queue of the events that were chosen, as lines, and how many did not fit."""

    def __init__(self, choice: Choice, label: Mapping[str, str] = MappingProxyType({})) -> None:
        self.choice = choice
        self._label = label
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._lost = 0
        self._came = asyncio.Event()
        self._went = asyncio.Event()

    def has_taken(self, share: int) -> bool:
        """Whether one part of so many of the room is taken."""
        return share * len(self._lines) >= WAITING or share * self._bytes >= WAITING_BYTES

    def put(self, line: bytes) -> None:
        self._lines.append(line)
        self._bytes += len(line)
        self._came.set()

    def lose(self) -> None:
        self._lost += 1

    async def get(self) -> bytes:
        """The next line; {"event": "lost", "count": N} first, if some did not fit."""
        if self._lost and not self.has_taken(CAUGHT_UP_SHARE):
            lost, self._lost = self._lost, 0
            event: JsonObject = {"event": "lost", "count": lost, "cause": "slow_watcher"}
            return encoded({**self._label, **event})
        while not self._lines:
            self._came.clear()
            await self._came.wait()
        line = self._lines.popleft()
        self._bytes -= len(line)
        self._went.set()
        return line

    async def room(self) -> None:
        """Waits until there is some, for who can keep his events meanwhile."""
        while self.has_taken(1):
            self._went.clear()
            await self._went.wait()


class Bus:
    """Events to all watchers.

    `on_interest` is called when the first who needs other hosts' reports comes, and when the last
    goes.
    """

    def __init__(self, on_interest: Callable[[bool], None]) -> None:
        self._watchers: set[Watcher] = set()
        self.label: Mapping[str, str] = {}
        self._on_interest = on_interest

    @property
    def is_watched(self) -> bool:
        return bool(self._watchers)

    def wants(self, name: str, interface: str) -> bool:
        """Whether anybody wants events of this name, of this interface: else none need be made."""
        return any(each.choice.wants(name, interface) for each in self._watchers)

    @property
    def needs_reports(self) -> bool:
        return any(each.choice.needs_reports for each in self._watchers)

    @property
    def needs_messages(self) -> bool:
        return any(each.choice.needs_messages for each in self._watchers)

    def publish(self, event: JsonObject) -> None:
        """To those who want it; written once for all of them."""
        share = REPORTS_SHARE if is_others_report(event) else 1
        line = b""
        for watcher in self._watchers:
            if not watcher.choice.takes(event):
                continue
            if watcher.has_taken(share):
                watcher.lose()
                continue
            line = line or encoded({**self.label, **event})
            watcher.put(line)

    @contextmanager
    def watching(self, choice: Choice = Choice()) -> Iterator[Watcher]:
        watcher = Watcher(choice, self.label)
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


def is_others_report(event: JsonObject) -> bool:
    """A message of another host that is no query: of these there may be any number."""
    return (
        event["event"] == MESSAGE and event.get("direction") == "rx" and event.get("type") != QUERY
    )


def encoded(event: Document) -> bytes:
    """A line of JSON."""
    return json.dumps(event).encode() + b"\n"
