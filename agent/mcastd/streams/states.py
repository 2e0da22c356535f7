"""Judges in which state each stream is, and tells when that changes. Pure.

Pure: no clock, no kernel. Each call does as much as it is given, and a bounded rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import NamedTuple, Protocol

from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.time import Duration, Instant, seconds
from mcastd.streams.sample import Key, Sample

LOSSY = 0.001
"""Share of what was sent that may be lost."""

STALLED_AFTER = seconds(3)
USUAL_GAPS = 10
"""A stream is live for so many of its usual gaps, if that is longer."""

LOSS_SPAN = seconds(10)
RATE_SPAN = seconds(1)
EVENTS_APART = seconds(1)
"""Of one stream."""

FORGOTTEN_AFTER = seconds(60)
"""Without a packet, of a stream that nobody has joined."""

SILENT_AFTER = seconds(3)
GROUPS_AT_ONCE = 256


class State(StrEnum):
    """In the order in which they are looked for."""

    ELSEWHERE = "elsewhere"
    UNWANTED = "unwanted"
    LOSSY = "lossy"
    LIVE = "live"
    STALLED = "stalled"
    SILENT = "silent"


class Interest(Protocol):
    """Who wants what."""

    def filter_of(self, ifindex: int, group: bytes) -> SourceFilter | None:
        """From which sources the interface receives the group; None if it does not."""
        ...

    def is_joined_elsewhere(self, ifindex: int, group: bytes) -> bool:
        """Whether another interface receives it."""
        ...

    def reported(self) -> Iterator[tuple[int, bytes, Instant]]:
        """Interface and group of all that is received, and since when it is reported."""
        ...


Place = tuple[int, bytes]
"""An interface's index, and a group."""


class Event(NamedTuple):
    """A stream, or a group from which nothing comes, is in another state now."""

    at: Instant
    subject: Key | Place
    state: State
    before: State | None


class Outcome(NamedTuple):
    """Events, and streams whose room is to be given up."""

    events: list[Event]
    forgotten: list[bytes]


class Reading(NamedTuple):
    at: Instant
    packets: int
    size: int


class Loss(NamedTuple):
    at: Instant
    lost: int
    received: int


@dataclass(slots=True)
class Told:
    """What was last said of a subject, and when."""

    state: State | None = None
    at: Instant | None = None

    def change(self, now: Instant, subject: Key | Place, state: State) -> Event | None:
        """The event, if there is one to be told, and may be now."""
        if state is self.state:
            return None
        if self.at is not None and now - self.at < EVENTS_APART:
            return None
        event = Event(now, subject, state, self.state)
        self.state, self.at = state, now
        return event


@dataclass(slots=True)
class Watched:
    """One stream. `rate`: packets, `bit_rate`: bits, both a second; None before they are known."""

    key: Key
    sample: Sample
    since: Reading
    joined: bool = False
    wanted: bool = False
    state: State = State.LIVE
    rate: float | None = None
    bit_rate: float | None = None
    told: Told = field(default_factory=Told)
    losses: deque[Loss] = field(default_factory=deque)
    turn: int = 0

    def read(self, now: Instant, sample: Sample) -> None:
        """The counters at this moment."""
        self.sample = sample
        if now - self.since.at >= RATE_SPAN:
            span = (now - self.since.at) / 1e9
            self.rate = (sample.packets - self.since.packets) / span
            self.bit_rate = 8 * (sample.size - self.since.size) / span
            self.since = Reading(now, sample.packets, sample.size)
        if sample.lost is not None:
            self.losses.append(Loss(now, sample.lost, sample.received))
        while len(self.losses) > 1 and now - self.losses[1].at >= LOSS_SPAN:
            self.losses.popleft()

    def share_lost(self) -> float:
        """Of what was sent in the last ten seconds, in the unit of `lost`."""
        if len(self.losses) < 2:
            return 0.0
        first, last = self.losses[0], self.losses[-1]
        lost = max(0, last.lost - first.lost)
        sent = lost + max(0, last.received - first.received)
        return lost / sent if sent else 0.0


class StreamWatch:
    """All streams of which there are samples, and all groups from which there is none."""

    def __init__(
        self,
        interest: Interest,
        lossy: float = LOSSY,
        stalled_after: Duration = STALLED_AFTER,
    ) -> None:
        self.lossy = lossy
        self.stalled_after = stalled_after
        self.streams: dict[bytes, Watched] = {}
        self.silent: dict[Place, Told] = {}
        """Groups from which nothing comes."""
        self._interest = interest
        self._turn = 0
        self._arriving: dict[Place, dict[bytes, Watched]] = {}
        self._reported: Iterator[tuple[int, bytes, Instant]] = iter(())

    def take(
        self, now: Instant, readings: Iterable[tuple[bytes, bytes]], *, crowded: bool = False
    ) -> Outcome:
        """Some streams' counters. `crowded`: there is hardly room for more."""
        outcome = Outcome([], [])
        for packed, value in readings:
            watched = self._read(now, packed, value)
            watched.turn = self._turn
            self._judge(now, watched)
            event = watched.told.change(now, watched.key, watched.state)
            if event is not None:
                outcome.events.append(event)
            if self._is_past(now, watched, crowded=crowded):
                self._drop(packed)
                outcome.forgotten.append(packed)
        return outcome

    def end_turn(self) -> None:
        """All streams that there are have been taken: others are gone."""
        gone = [packed for packed, each in self.streams.items() if each.turn != self._turn]
        for packed in gone:
            self._drop(packed)
        self._turn += 1

    def look_for_silence(self, now: Instant) -> list[Event]:
        """Looks at some of the groups that are received, at others the next time."""
        events = []
        some = list(islice(self._reported, GROUPS_AT_ONCE))
        if len(some) < GROUPS_AT_ONCE:
            self._reported = self._interest.reported()
        for ifindex, group, since in some:
            place = (ifindex, group)
            if place in self._arriving or now - since <= SILENT_AFTER:
                continue
            event = self.silent.setdefault(place, Told()).change(now, place, State.SILENT)
            if event is not None:
                events.append(event)
        for place in list(islice(self.silent, GROUPS_AT_ONCE)):
            told = self.silent.pop(place)
            if self._interest.filter_of(*place) is not None and place not in self._arriving:
                self.silent[place] = told  # behind those not looked at yet
        return events

    def forget_interface(self, ifindex: int) -> list[bytes]:
        """The keys of its streams, which are gone."""
        gone = [packed for packed, each in self.streams.items() if each.key.ifindex == ifindex]
        for packed in gone:
            self._drop(packed)
        return gone

    def of_group(self, ifindex: int, group: bytes) -> Iterator[Watched]:
        """The group's streams on an interface."""
        yield from list(self._arriving.get((ifindex, group), {}).values())

    def _read(self, now: Instant, packed: bytes, value: bytes) -> Watched:
        watched = self.streams.get(packed)
        if watched is None:
            key, sample = Key.unpack(packed), Sample.unpack(value)
            watched = Watched(key, sample, Reading(now, sample.packets, sample.size))
            self.streams[packed] = watched
            place = (key.ifindex, key.group)
            self._arriving.setdefault(place, {})[packed] = watched
            self.silent.pop(place, None)
        changed = Sample.packets_in(value) != watched.sample.packets
        watched.read(now, Sample.unpack(value) if changed else watched.sample)
        return watched

    def _judge(self, now: Instant, watched: Watched) -> None:
        key = watched.key
        here = None if any(key.vlan) else self._interest.filter_of(key.ifindex, key.group)
        watched.joined = here is not None
        watched.wanted = here is not None and here.admits(key.source)
        watched.state = self._state(now, watched)

    def _state(self, now: Instant, watched: Watched) -> State:
        key = watched.key
        if not self._is_live(now, watched):
            return State.STALLED
        if not watched.joined and self._interest.is_joined_elsewhere(key.ifindex, key.group):
            return State.ELSEWHERE
        if not watched.wanted:
            return State.UNWANTED
        return State.LOSSY if watched.share_lost() > self.lossy else State.LIVE

    def _is_live(self, now: Instant, watched: Watched) -> bool:
        quiet = now - watched.sample.last
        if quiet <= self.stalled_after:
            return True
        return quiet <= USUAL_GAPS * (watched.sample.usual_gap() or 0)

    def _is_past(self, now: Instant, watched: Watched, *, crowded: bool) -> bool:
        """A joined one is forgotten only where there is no room, and it no longer comes."""
        if now - watched.sample.last < FORGOTTEN_AFTER:
            return False
        return not watched.joined or (crowded and watched.state is State.STALLED)

    def _drop(self, packed: bytes) -> None:
        key = self.streams.pop(packed).key
        place = (key.ifindex, key.group)
        del self._arriving[place][packed]
        if not self._arriving[place]:
            del self._arriving[place]
