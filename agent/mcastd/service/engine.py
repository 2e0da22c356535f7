"""Runs the protocol engine of one family on one interface.

What the engine wants sent and heard goes to its voice, if it has one; all else that comes of it is
returned as events for those who watch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import assert_never

from mcastd.gmp import effects as gmp
from mcastd.gmp.config import HostConfig
from mcastd.gmp.delays import RandomDelays
from mcastd.gmp.effects import Effect, ReportsMatter, SendLeave, SendRecords, SendReport
from mcastd.gmp.events import Configure, Event
from mcastd.gmp.family import ProtocolFamily
from mcastd.gmp.host import Host
from mcastd.gmp.messages import Message, Query
from mcastd.gmp.time import Duration, Instant, after, milliseconds
from mcastd.service import events
from mcastd.service.events import FamilyEvent
from mcastd.service.outlet import Outlet, observing, speaking

AT_ONCE = 512
"""Groups that one call of the engine looks at: two to five milliseconds."""

MOST_PIECES = 10_000
"""Of AT_ONCE groups, in which an answer is given that can wait no longer."""

BREATHING_SPACE = milliseconds(5)
"""Until a voice that is busy is asked again."""


class Engine:
    """`host`: the engine itself. `voice`: what it speaks with; None in observe mode.

    `refreshes`: whether the kernel can be had to report its groups anew, and has any to report.
    `sent`: called with what was given to the voice.
    """

    def __init__(
        self, family: ProtocolFamily, config: HostConfig, refreshes: Callable[[], bool]
    ) -> None:
        self.family = family
        self.host = Host(family, observing(family, config), RandomDelays(Random()), AT_ONCE)
        self.voice: Outlet | None = None
        self.sent: Callable[[Instant, SendRecords | SendReport | SendLeave], None] = (
            lambda _at, _order: None
        )
        self.compatibility_changes: dict[tuple[int, int], int] = {}
        """How often it has changed its version, by the one before and the one after."""
        self.refreshes = 0
        """How often all groups were reported without a query; not where there were none."""
        self._refreshes = refreshes
        self._cause: Query | None = None
        self._answer_by = Instant(0)
        self._resume = Instant(0)

    def go_on_from(self, earlier: Engine) -> None:
        """Counts on where the one before it has ended."""
        self.host.statistics.go_on_from(earlier.host.statistics)
        self.refreshes += earlier.refreshes
        for way, count in earlier.compatibility_changes.items():
            self.compatibility_changes[way] = self.compatibility_changes.get(way, 0) + count

    def handle(
        self, at: Instant, event: Event | Message, *, urgent: bool = False
    ) -> list[FamilyEvent]:
        """What happens; `urgent`: what is to be said comes before all that waits."""
        return self._carry_out(at, self.host.handle(at, event), urgent=urgent)

    def hear(self, at: Instant, message: Message) -> list[FamilyEvent]:
        """Another's message; a query is told as the cause of an older version."""
        self._cause = message if isinstance(message, Query) else None
        found = self.handle(at, message)
        self._cause = None
        return found

    def configure(self, at: Instant, config: HostConfig) -> list[FamilyEvent]:
        """Other tunables; in observe mode as they fit the kernel."""
        tunables = observing(self.family, config) if self.voice is None else speaking(config)
        return self.handle(at, Configure(tunables))

    def answers_by(self, at: Instant) -> None:
        """A query was heard, and its answers are due by then."""
        self._answer_by = max(self._answer_by, at)

    def advance(self, now: Instant) -> list[FamilyEvent]:
        """Lets it act. It waits while its voice is busy, so that what it says does not pile up."""
        if self.voice is not None and self.voice.is_busy:
            self._resume = after(now, BREATHING_SPACE)
            return []
        return self._carry_out(now, self.host.advance(now))

    def next_deadline(self) -> Instant | None:
        due = self.host.next_deadline()
        return None if due is None else max(due, self._resume)

    def finish(self, now: Instant) -> list[FamilyEvent]:
        """Says at once what it would say in the time that the last queries give: it ends."""
        found: list[FamilyEvent] = []
        for _ in range(MOST_PIECES):
            due = self.host.next_deadline()
            if self.voice is None or due is None or due > self._answer_by:
                break
            found += self._carry_out(now, self.host.advance(max(due, now)))
        return found

    def _carry_out(
        self, now: Instant, effects: Iterable[Effect], *, urgent: bool = False
    ) -> list[FamilyEvent]:
        """Has the voice do what is to be sent and heard; says the rest to those who watch."""
        found: list[FamilyEvent] = []
        for effect in effects:
            match effect:
                case gmp.VersionChanged():
                    found.append(self._version_changed(now, effect))
                case gmp.Warn():
                    found.append(events.Warned(effect.text))
                case SendRecords() | SendReport() | SendLeave():
                    self._send(now, effect, urgent)
                case ReportsMatter() | gmp.Refreshed():
                    self._ask_of_voice(effect)
                case gmp.Refused():
                    found.append(events.Refused(effect.text))
                case _:
                    assert_never(effect)
        return found

    def _send(
        self, now: Instant, order: SendRecords | SendReport | SendLeave, urgent: bool
    ) -> None:
        if self.voice is None:
            return
        self.voice.send(order, urgent=urgent)
        self.sent(now, order)

    def _ask_of_voice(self, effect: ReportsMatter | gmp.Refreshed) -> None:
        """That it hears others' reports, or has the kernel report its groups anew."""
        if self.voice is None:
            return
        if isinstance(effect, ReportsMatter):
            self.voice.listen(effect)
            return
        of_kernel = self._refreshes()
        if of_kernel:
            self.voice.refresh(effect.within)
        if of_kernel or self.host.groups:
            self.refreshes += 1

    def _version_changed(self, now: Instant, effect: gmp.VersionChanged) -> events.VersionChanged:
        way = (effect.previous, effect.version)
        self.compatibility_changes[way] = self.compatibility_changes.get(way, 0) + 1
        is_older = self._cause is not None and effect.version < effect.previous
        querier = self._cause.source if self._cause is not None and is_older else None
        until = self.host.older_querier_deadlines.get(effect.version)
        rest = None if until is None else Duration(max(0, until - now))
        return events.VersionChanged(*way, querier, rest)
