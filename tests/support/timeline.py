"""Steps a host through a story and keeps what it says, with the time when it said it."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from mcastd.gmp.delays import Delays
from mcastd.gmp.effects import (
    Effect,
    Refreshed,
    Refused,
    ReportsMatter,
    SendLeave,
    SendRecords,
    SendReport,
    VersionChanged,
    Warn,
)
from mcastd.gmp.events import Configure, Event, Listen
from mcastd.gmp.family import Address
from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.host import Host
from mcastd.gmp.records import GroupRecord
from mcastd.gmp.time import Duration, Instant, in_seconds, seconds

from support.network import Network

Sent = tuple[float, list[GroupRecord] | SendReport | SendLeave]
"""Seconds, and the records of one report or the older message."""


class Fractions:
    """Every delay is a fraction of its limit: these in order, the last one for ever."""

    def __init__(self, *fractions: float) -> None:
        self._fractions = list(fractions)
        self.limits: list[float] = []

    def draw(self, limit: Duration) -> Duration:
        fraction = self._fractions.pop(0) if len(self._fractions) > 1 else self._fractions[0]
        self.limits.append(in_seconds(limit))
        return Duration(round(limit * fraction))


class Timeline:
    """A host whose delays are as long as they may be, if nothing else is said.

    `at_once`: how many groups one call looks at.
    """

    def __init__(
        self,
        net: Network,
        delays: Delays | None = None,
        at_once: int = sys.maxsize,
        **tunables: object,
    ) -> None:
        self.net = net
        self.now = Instant(0)
        self.host = Host(net.family, net.config(**tunables), delays or Fractions(1), at_once)
        self._in_pieces = at_once < sys.maxsize
        self._sent: list[Sent] = []
        self._told: list[Effect] = []

    def at(self, moment: float) -> Timeline:
        """Lets time pass up to there, and fires what is due on the way when it is due."""
        target = Instant(seconds(moment))
        while (due := self.host.next_deadline()) is not None and due <= target:
            self.now = max(self.now, due)
            self._keep(self.host.advance(self.now))
            following = self.host.next_deadline()
            assert following is None or following > due or self._in_pieces
        self.now = target
        return self

    def takes(self, *events: Event) -> Timeline:
        for event in events:
            self._keep(self.host.handle(self.now, event))
        return self

    hears = takes

    def listens(
        self, group: Address, wanted: SourceFilter, application: str = "application"
    ) -> Timeline:
        return self.takes(Listen(application, group, wanted))

    def joins(self, *groups: Address) -> Timeline:
        for group in groups:
            self.listens(group, self.net.everything)
        return self

    def leaves(self, *groups: Address) -> Timeline:
        for group in groups:
            self.listens(group, self.net.nothing)
        return self

    def configures(self, **tunables: object) -> Timeline:
        changes = self.net.tunables(**tunables)
        return self.takes(Configure(self.host.config.changed(self.net.family, changes)))

    def settles(self) -> Timeline:
        """Lets everything pending happen, and forgets what was said so far."""
        while (due := self.host.next_deadline()) is not None:
            self.at(in_seconds(due))
        self.sent()
        self.told()
        return self

    def older_queriers(self) -> dict[int, float]:
        """By version, until which second it counts as present."""
        deadlines = self.host.older_querier_deadlines
        return {version: in_seconds(until) for version, until in deadlines.items()}

    def sent(self) -> list[Sent]:
        """What was sent since this was last asked."""
        sent, self._sent = self._sent, []
        return sent

    def told(self) -> list[Effect]:
        """All but what was sent, since this was last asked."""
        told, self._told = self._told, []
        return told

    def _keep(self, effects: Iterable[Effect]) -> None:
        moment = in_seconds(self.now)
        for effect in effects:
            match effect:
                case SendRecords():
                    if records := list(effect.records):
                        self._sent.append((moment, records))
                case SendReport() | SendLeave():
                    self._sent.append((moment, effect))
                case VersionChanged() | Refused() | ReportsMatter() | Warn() | Refreshed():
                    self._told.append(effect)
