"""Notes when groups began to be received, and when they were last reported."""

from __future__ import annotations

from mcastd.gmp.family import Address
from mcastd.gmp.time import Instant, seconds

JUST_NOW = seconds(2)
"""A report may be heard before it is looked up that the group is held."""

MOST_HEARD = 4096
"""Groups of which a report was heard and nothing else is known yet."""


class GroupTimes:
    """Of the groups held now. All of them can be reported at once, without a look at each."""

    def __init__(self) -> None:
        self._since: dict[Address, Instant] = {}
        self._reported: dict[Address, Instant] = {}
        self._all_reported: Instant | None = None
        self._heard: dict[Address, Instant] = {}

    def begin(self, group: Address, at: Instant) -> None:
        self._since[group] = at
        heard = self._heard.pop(group, None)
        if heard is not None and at - heard < JUST_NOW:
            self._reported[group] = heard

    def end(self, group: Address) -> None:
        self._since.pop(group, None)
        self._reported.pop(group, None)

    def report(self, group: Address, at: Instant) -> None:
        """Of a group that is not held, it counts if that turns out to be held."""
        if group in self._since:
            self._reported[group] = at
            return
        self._forget_heard(at)
        self._heard.pop(group, None)  # the latest is the last
        self._heard[group] = at

    def _forget_heard(self, at: Instant) -> None:
        """What was heard too long ago to count, and the longest ago if there is too much."""
        while self._heard:
            earliest = next(iter(self._heard))
            if at - self._heard[earliest] < JUST_NOW and len(self._heard) < MOST_HEARD:
                return
            del self._heard[earliest]

    def report_all(self, at: Instant) -> None:
        self._all_reported = at

    def since(self, group: Address) -> Instant | None:
        """None for a group that is not held."""
        return self._since.get(group)

    def reported(self, group: Address, *, with_all: bool = True) -> Instant | None:
        """None if it was not yet, or is not held. `with_all`: it is one of those told at once."""
        since = self._since.get(group)
        if since is None:
            return None
        alone, together = self._reported.get(group), self._all_reported if with_all else None
        if together is None or together < since:
            return alone
        return together if alone is None else max(alone, together)
