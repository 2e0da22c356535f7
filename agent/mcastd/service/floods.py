"""Notices when a flood begins and ends, by the messages that rate limits refuse.

The programs count every refusal; looked at once a second, the counts tell of floods. Pure: time and
counters are arguments, and what to tell whom is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from mcastd.fastpath.counters import CAUSES, RINGS, Counters
from mcastd.gmp.time import Duration, Instant, in_seconds, seconds

LOOK_SECONDS = 1.0
"""Between two looks at the counters."""

QUIET = seconds(5)
"""A flood has ended when nothing was refused for so long. No RFC has it: long enough that one which
comes in waves is told of once."""

FLOODED = ("query", "report")
"""The rings of what others send."""

RATE_LIMITED = CAUSES.index("rate_limited")


@dataclass(frozen=True, slots=True)
class Refused:
    """Messages of one class beyond the limits: since the counters began, or in some time.

    `lost`: not handed over; `discarded`: kept from the kernel. Most are both.
    """

    lost: int = 0
    discarded: int = 0

    @classmethod
    def of(cls, counters: Counters, ring: str) -> Refused:
        index = RINGS.index(ring)
        return cls(counters.lost[index][RATE_LIMITED], sum(counters.discarded[index]))

    def since(self, earlier: Refused) -> Refused:
        """What came between; the counters begin anew when their place is another's."""
        if self.lost < earlier.lost or self.discarded < earlier.discarded:
            return self
        return Refused(self.lost - earlier.lost, self.discarded - earlier.discarded)

    def __add__(self, more: Refused) -> Refused:
        return Refused(self.lost + more.lost, self.discarded + more.discarded)

    @property
    def messages(self) -> int:
        """At least so many: what was lost and discarded is one message."""
        return max(self.lost, self.discarded)


@dataclass(frozen=True, slots=True)
class Flood:
    """One flood, as far as it is known.

    `since`, `until`: from the look before the first refusal to the one that found the last.
    `rate`: how many were refused in the worst second. A message may show up as lost in one
    sample and as discarded in the next, so `refused` compares totals and does not add samples.
    """

    since: Instant
    until: Instant
    refused: Refused = Refused()
    rate: float = 0.0

    @property
    def duration(self) -> Duration:
        return Duration(self.until - self.since)

    def going_on(self, until: Instant, more: Refused, lasting: Duration) -> Flood:
        """With what was refused in the `lasting` before `until`."""
        rate = more.messages / in_seconds(lasting) if lasting else self.rate
        return replace(
            self,
            until=until,
            refused=self.refused + more,
            rate=max(self.rate, rate),
        )


@dataclass(frozen=True, slots=True)
class FloodChange:
    """A flood has started, or ended, with all that is known of it by then."""

    interface: str
    ring: str
    state: str
    flood: Flood


@dataclass(slots=True)
class History:
    """The floods of one class on one interface. `last`: the present one, if it `is_active`."""

    count: int = 0
    is_active: bool = False
    last: Flood | None = None
    seen: Refused = Refused()

    def look(self, before: Instant, now: Instant, refused: Refused) -> str | None:
        """What has changed since the look `before`: "started", "ended", or nothing."""
        more, self.seen = refused.since(self.seen), refused
        if more.messages:
            started = not self.is_active
            if started or self.last is None:
                self.last = Flood(before, now)
                self.count += 1
                self.is_active = True
            self.last = self.last.going_on(now, more, Duration(now - before))
            return "started" if started else None
        if self.is_active and self.last is not None and now - self.last.until >= QUIET:
            self.is_active = False
            return "ended"
        return None


@dataclass(slots=True)
class FloodWatch:
    """The floods of all interfaces, by name and ring. `looked`: when the counters were last read.

    What has counters has a history, and only that: both are bounded alike.
    """

    looked: Instant
    histories: dict[str, dict[str, History]] = field(default_factory=dict)

    def of(self, interface: str) -> Mapping[str, History]:
        """By ring; new ones for an interface that has not been looked at yet."""
        known = self.histories.get(interface)
        return known if known is not None else {ring: History() for ring in FLOODED}

    def look(self, now: Instant, counters: Mapping[str, Counters]) -> list[FloodChange]:
        """What has changed since the last look."""
        before, self.looked = self.looked, now
        for gone in self.histories.keys() - counters.keys():
            del self.histories[gone]
        return list(self._changes(before, counters.items()))

    def _changes(
        self, before: Instant, counters: Iterable[tuple[str, Counters]]
    ) -> Iterator[FloodChange]:
        for interface, values in counters:
            histories = self.histories.setdefault(interface, dict(self.of(interface)))
            for ring, history in histories.items():
                state = history.look(before, self.looked, Refused.of(values, ring))
                if state is not None and history.last is not None:
                    yield FloodChange(interface, ring, state, history.last)

    def rename(self, old: str, new: str) -> None:
        """Goes with the counters, which go on under the new name."""
        if old in self.histories and new not in self.histories:
            self.histories[new] = self.histories.pop(old)
