"""Follows which version the kernel speaks, and until when it stays with an older one.

Linux says so of IGMP only, and never until when. It takes an older querier to be present for
Robustness Variable x Query Interval + Query Response Interval, as the last query of the newest
version said them (RFC 3376 §8.12, RFC 3810 §9.12).
"""

from __future__ import annotations

from typing import NamedTuple

from mcastd.gmp.family import ProtocolFamily
from mcastd.gmp.messages import Query
from mcastd.gmp.time import NO_TIME, Duration, Instant, after, seconds

ROBUSTNESS = 2
QUERY_INTERVAL = seconds(125)
RESPONSE_INTERVAL = seconds(10)
"""What the kernel goes by until a query has said otherwise."""

SECOND = seconds(1)


class Older(NamedTuple):
    """An older version that the kernel keeps to. `until`: at the latest, where it is not exact."""

    version: int
    until: Instant
    is_exact: bool


class KernelVersion:
    """Of one family on one interface. `spoken`: as it was last seen; None before. `is_forced`: an
    administrator has forced it to be an older one, which has no end."""

    def __init__(self, family: ProtocolFamily) -> None:
        self._family = family
        self._interval = Duration(ROBUSTNESS * QUERY_INTERVAL + RESPONSE_INTERVAL)
        self._heard: dict[int, Instant] = {}
        self._heard_last = Instant(0)
        self._seen: Older | None = None
        self._seen_at = Instant(0)
        self.spoken: int | None = None
        self.is_forced = False

    @property
    def is_older(self) -> bool:
        """Whether the kernel has fallen back by itself, as far as was seen."""
        return self.spoken is not None and self.spoken < self._family.newest and not self.is_forced

    def hear(self, at: Instant, query: Query) -> None:
        """A query that reaches the kernel."""
        if query.version < self._family.newest:
            self._heard[query.version] = after(at, self._interval)
            self._heard_last = at
        elif self.older(at) is None:  # else it learns nothing of it
            self._interval = interval_of(query)

    def speaks(self, at: Instant, version: int) -> None:
        """Seen: the kernel spoke this version then."""
        if at < self._seen_at:
            return
        self._seen_at, self.spoken = at, version
        if version >= self._family.newest:
            if at > self._heard_last:
                self._heard.clear()
            self._seen = None
        elif self.older(at) is None:  # who asked was not heard here, and was so before now
            self._seen = Older(version, after(at, self._interval), False)

    def older(self, now: Instant) -> Older | None:
        """The older version that is spoken, as far as can be known."""
        if self.is_forced:
            return None
        heard = {version: until for version, until in self._heard.items() if until > now}
        if heard:
            version = min(heard)
            return Older(version, heard[version], True)
        return self._seen if self._seen is not None and self._seen.until > now else None


def interval_of(query: Query) -> Duration:
    """For which an older querier is taken to be present, once the kernel has heard this query."""
    interval = query.query_interval or QUERY_INTERVAL
    response = query.max_response
    if response >= interval:
        response = Duration(max(NO_TIME, interval - SECOND))
    return Duration((query.robustness or ROBUSTNESS) * interval + response)
