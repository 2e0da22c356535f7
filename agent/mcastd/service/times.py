"""When groups began to be received, and when they were last reported."""

from __future__ import annotations

from mcastd.gmp.family import Address
from mcastd.gmp.time import Instant


class GroupTimes:
    """Of the groups held now. All of them can be reported at once, without a look at each."""

    def __init__(self) -> None:
        self._since: dict[Address, Instant] = {}
        self._reported: dict[Address, Instant] = {}
        self._all_reported: Instant | None = None

    def begin(self, group: Address, at: Instant) -> None:
        self._since[group] = at

    def end(self, group: Address) -> None:
        self._since.pop(group, None)
        self._reported.pop(group, None)

    def report(self, group: Address, at: Instant) -> None:
        """Nothing for a group that is not held."""
        if group in self._since:
            self._reported[group] = at

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
