"""Measures whether and how fast this host answers queries, by the reports that follow."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Set
from dataclasses import dataclass, field

from mcastd.gmp.family import Address
from mcastd.gmp.time import Duration, Instant, after, in_seconds, seconds

GRACE = seconds(1)
"""After the Max Resp Time: the kernel's timers and ours are not the same clock's."""

OUTSTANDING = 256
"""Queries watched at once; of a flood, the later ones are answered by the same reports."""

TRUSTED = 3
"""Queries answered in time, after which one that was not is a thing of the past."""

BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
"""Seconds: upper bounds of the histogram, the last one open."""


@dataclass(slots=True)
class Histogram:
    """Prometheus's cumulative kind: `counts[i]` observations up to BUCKETS[i]."""

    counts: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))
    total: int = 0
    sum: float = 0.0

    def observe(self, value: float) -> None:
        self.total += 1
        self.sum += value
        for index, bound in enumerate(BUCKETS):
            if value <= bound:
                self.counts[index] += 1

    def add(self, other: Histogram) -> None:
        """All its observations, too."""
        self.total += other.total
        self.sum += other.sum
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]


@dataclass(frozen=True, slots=True)
class Asked:
    """A query that awaits an answer; `group` is None for a general one."""

    at: Instant
    due: Instant
    group: Address | None


@dataclass(slots=True)
class Responses:
    """The queries of one family on one link that this host has to answer.

    `unanswered`: how many were not in time, ever.
    """

    histogram: Histogram = field(default_factory=Histogram)
    unanswered: int = 0
    _in_time: int = 0
    _asked: deque[Asked] = field(default_factory=deque)

    def go_on_from(self, earlier: Responses) -> None:
        """Adds what another has counted."""
        self.histogram.add(earlier.histogram)
        self.unanswered += earlier.unanswered

    def ask(self, at: Instant, group: Address | None, max_response: Duration) -> None:
        """A query about `group`, or about all of them, that there is something to say to."""
        if len(self._asked) < OUTSTANDING:
            self._asked.append(Asked(at, after(at, Duration(max_response + GRACE)), group))

    def need_none(self) -> None:
        """There is nothing to say any more to queries: what was not answered is past."""
        self._in_time = TRUSTED

    def answer(self, at: Instant, groups: Set[Address]) -> None:
        """A current-state report about these groups left the host: it answers what it fits."""
        waiting: deque[Asked] = deque()
        for asked in self._asked:
            if asked.group is None or asked.group in groups:
                self.histogram.observe(in_seconds(max(0, at - asked.at)))
                self._in_time += 1
            else:
                waiting.append(asked)
        self._asked = waiting

    def excuse(self, groups: set[Address]) -> None:
        """Another host's older report made ours unnecessary (RFC 2236 §3)."""
        self._asked = deque(
            asked for asked in self._asked if asked.group is not None and asked.group not in groups
        )

    def leave(self, group: Address, is_any_left: Callable[[], bool]) -> None:
        """The group is received no longer: queries about it need no answer any more, nor do those
        about all groups if none is left, whatever is joined before they are due."""
        if self._asked:
            gone = {group} if is_any_left() else {group, None}
            self._asked = deque(each for each in self._asked if each.group not in gone)

    def expire(self, now: Instant, is_held: Callable[[Address | None], bool]) -> int:
        """Counts what was not answered in time; how many that was.

        `is_held` says whether there is still something to say about a group, or about any: what was
        left meanwhile needs no answer.
        """
        late = [asked for asked in self._asked if asked.due <= now]
        self._asked = deque(asked for asked in self._asked if asked.due > now)
        expired = sum(is_held(asked.group) for asked in late)
        if expired:
            self.unanswered += expired
            self._in_time = 0
        return expired

    @property
    def is_failing(self) -> bool:
        """Whether one was not answered, and not several in time since."""
        return bool(self.unanswered) and self._in_time < TRUSTED

    def next_deadline(self) -> Instant | None:
        return min((asked.due for asked in self._asked), default=None)
