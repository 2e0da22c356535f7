"""A walk over all groups that are reported, in pieces: a host may hold very many."""

from __future__ import annotations

from mcastd.gmp.family import Address
from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.state import HostState
from mcastd.gmp.time import Instant


class Sweep:
    """The groups ascending, each with the filter that it has when it is met.

    `since`: when the walk began; all of it was due then. A group that is joined meanwhile is met if
    it is ahead.
    """

    __slots__ = ("_behind", "_state", "is_over", "since")

    def __init__(self, state: HostState, since: Instant) -> None:
        self._state = state
        self._behind: Address = b""
        self.since = since
        self.is_over = False

    def piece(self) -> list[tuple[Address, SourceFilter]]:
        """The next groups: of as many as may be looked at in one call, those that are reported."""
        state = self._state
        groups = state.records.groups(self._behind, state.at_once)
        self.is_over = len(groups) < state.at_once
        if groups:
            self._behind = groups[-1]
        return [
            (group, state.reception.filter(group))
            for group in groups
            if not state.is_exceptional(group) or state.is_reportable(group)
        ]
