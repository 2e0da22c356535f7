"""Asks the agent for what `mcastctl top` shows, in a thread beside the screen.

Threads of its own wait for answers and events, so that keys are obeyed however slow the agent is.
An agent that ends is waited for, and asked again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mcastd.cli.namespace_tables import qualified
from mcastd.client import AgentError, Client, NotThereError
from mcastd.printable import cleaned

HISTORY = 60
"""Readings of each stream that are kept."""

EVENTS = 200
"""Of the last ones that are kept."""

REST = 20
"""An answer is asked for again after so many times what it took: large ones are rare."""

METHODS = ("status", "querier", "counters", "groups", "streams")

Row = dict[str, Any]


@dataclass(frozen=True)
class Past:
    """Of one stream, by reading, the newest last: packets a second, and what was lost since."""

    rates: tuple[float, ...] = ()
    losses: tuple[int, ...] = ()

    def with_reading(self, rate: float | None, lost: int) -> Past:
        rates = (*self.rates[1 - HISTORY :], rate or 0.0)
        return Past(rates, (*self.losses[1 - HISTORY :], lost))


@dataclass(frozen=True)
class Snapshot:
    """All that is on the screen at one moment. It never changes: a frozen screen keeps it.

    `number`: of readings. `at`: the time of day of this one. `problem`: why there is no newer one.
    """

    number: int
    at: float
    status: Mapping[str, Any]
    interfaces: tuple[Row, ...] = ()
    queriers: tuple[Row, ...] = ()
    groups: tuple[Row, ...] = ()
    streams: tuple[Row, ...] = ()
    events: tuple[Row, ...] = ()
    problem: str | None = None


class Feed:
    """Asks for all of it every `interval` seconds, of the agent at `path`."""

    def __init__(self, path: str, interval: float) -> None:
        self._path = path
        self._interval = interval
        self._ended = threading.Event()
        self._events: deque[Row] = deque(maxlen=EVENTS)
        self._answers: dict[str, Any] = {}
        self._due: dict[str, float] = {}
        self._messages: dict[str, Row] = {}
        self._messages_at = 0.0
        self._rates: dict[str, Row] = {}
        self._past: dict[tuple[Any, ...], Past] = {}
        self._lost: dict[tuple[Any, ...], int] = {}
        self._number = 0
        self._latest: Snapshot

    def start(self) -> None:
        """With a first answer. NotThereError and AgentError if there is none."""
        with Client(self._path) as client:
            self._ask(client)
        for run in (self._poll, self._listen):
            threading.Thread(target=run, daemon=True).start()

    def stop(self) -> None:
        self._ended.set()

    def latest(self) -> Snapshot:
        return replace(self._latest, events=tuple(self._events))

    # Each in its thread.

    def _poll(self) -> None:
        while not self._ended.wait(self._interval):
            try:
                with Client(self._path) as client:
                    self._ask(client)
                    while not self._ended.wait(self._interval):
                        self._ask(client)
            except (NotThereError, AgentError) as error:
                self._latest = replace(self._latest, problem=cleaned(str(error)))
                self._due.clear()

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                with Client(self._path) as client:
                    for event in client.watch():
                        self._events.append(cleaned(event))
            except (NotThereError, AgentError):
                self._ended.wait(self._interval)  # the other thread says what is wrong

    def _ask(self, client: Client) -> None:
        """All that is due; what takes long is asked for more rarely."""
        fresh = set()
        for method in METHODS:
            started = time.monotonic()
            if started < self._due.get(method, 0.0):
                continue
            self._answers[method] = cleaned(client.call(method))
            took = time.monotonic() - started
            self._due[method] = started + min(REST * took, 60.0)
            fresh.add(method)
        if "counters" in fresh:
            self._take_counters(self._answers["counters"])
        if "streams" in fresh:
            self._take_streams(self._answers["streams"])
        self._latest = self._made()

    def _take_counters(self, counters: list[Row]) -> None:
        """Messages a second, by interface and way."""
        at, before = time.monotonic(), self._messages
        span = max(at - self._messages_at, 0.001)
        now = {
            qualified(each): {way: sum(kinds.values()) for way, kinds in each["messages"].items()}
            for each in counters
        }
        self._rates = {
            name: {way: max(0, count - before[name][way]) / span for way, count in ways.items()}
            for name, ways in now.items()
            if name in before
        }
        self._messages, self._messages_at = now, at

    def _take_streams(self, streams: list[Row]) -> None:
        past, lost = {}, {}
        for each in streams:
            identity = _identity(each)
            count = each["lost"] or 0
            since = max(0, count - self._lost.get(identity, count))
            past[identity] = self._past.get(identity, Past()).with_reading(each["rate"], since)
            lost[identity] = count
        self._past, self._lost = past, lost

    def _made(self) -> Snapshot:
        answers = self._answers
        self._number += 1
        nothing = {"rx": None, "tx": None}
        return Snapshot(
            number=self._number,
            at=time.time(),
            status=answers["status"],
            interfaces=tuple(
                each | {"where": name} | self._rates.get(name, nothing)
                for each in answers["status"]["interfaces"]
                for name in (qualified(each, "name"),)
            ),
            queriers=tuple(
                view | {"where": qualified(each), "protocol": each["protocol"]}
                for each in answers["querier"]
                for view in each["queriers"]
            ),
            groups=tuple(each | {"where": qualified(each)} for each in answers["groups"]),
            streams=tuple(
                each | {"where": qualified(each), "past": self._past[_identity(each)]}
                for each in answers["streams"]
            ),
        )


def _identity(stream: Row) -> tuple[Any, ...]:
    names = ("interface", "source", "group", "port")
    return (stream.get("namespace"), *(stream[name] for name in names), *stream["vlan"])
