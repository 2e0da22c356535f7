"""What an interface receives: the requests of its applications, merged for each group."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.filters import SourceFilter, exclude, include, merge

FEW = 1024
"""One change in so many groups is made in its place, more of them by sorting again."""


class AscendingGroups:
    """The groups in ascending order, sorted when asked for and not when they come and go."""

    __slots__ = ("_added", "_order", "_removed")

    def __init__(self) -> None:
        self._order: list[Address] = []
        self._added: set[Address] = set()
        self._removed: set[Address] = set()

    def add(self, group: Address) -> None:
        """A group that is not there."""
        if group in self._removed:
            self._removed.discard(group)
        else:
            self._added.add(group)

    def remove(self, group: Address) -> None:
        """A group that is there."""
        if group in self._added:
            self._added.discard(group)
        else:
            self._removed.add(group)

    def snapshot(self) -> list[Address]:
        """All groups as they are now; the list is never changed afterwards."""
        changes = len(self._added) + len(self._removed)
        if changes:
            few = changes * FEW < len(self._order)
            self._order = self._patched() if few else self._sorted()
            self._added.clear()
            self._removed.clear()
        return self._order

    def _patched(self) -> list[Address]:
        """Without a look at those that stay."""
        order = self._order.copy()
        for group in self._removed:
            del order[bisect_left(order, group)]
        for group in self._added:
            insort(order, group)
        return order

    def _sorted(self) -> list[Address]:
        kept = [group for group in self._order if group not in self._removed]
        return sorted([*kept, *self._added])


class ReceptionState:
    """Interface reception state (RFC 9776 §3.2; per-interface listening state, RFC 9777 §4.2).

    It does not know of versions, and outlives every change of them. A group is held while at least
    one application asks for it; what is kept for it costs no more than its own applications.
    """

    __slots__ = ("_applications", "_ascending", "_family", "_filters", "_join", "_nothing")

    def __init__(self, family: ProtocolFamily) -> None:
        self._family = family
        self._filters: dict[Address, SourceFilter] = {}
        self._applications: dict[Address, dict[str, SourceFilter]] = {}
        self._ascending = AscendingGroups()
        self._nothing = include(family.no_sources)
        self._join = exclude(family.no_sources)

    def __contains__(self, group: Address) -> bool:
        return group in self._filters

    def __len__(self) -> int:
        return len(self._filters)

    @property
    def filters(self) -> Mapping[Address, SourceFilter]:
        """The interface's filter of each group held; never one that is empty."""
        return MappingProxyType(self._filters)

    def filter(self, group: Address) -> SourceFilter:
        """INCLUDE without sources for a group that is not held."""
        return self._filters.get(group, self._nothing)

    def filters_of(self, groups: Iterable[Address]) -> list[SourceFilter | None]:
        """The interface's filters of many groups; None for one that is not held."""
        return list(map(self._filters.get, groups))

    def applications(self, group: Address) -> Mapping[str, SourceFilter]:
        """Who asks for the group, and how."""
        return MappingProxyType(self._applications.get(group, {}))

    def ascending(self) -> list[Address]:
        """The groups held, in ascending order; a snapshot."""
        return self._ascending.snapshot()

    def listen(
        self, application: str, group: Address, requested: SourceFilter
    ) -> tuple[SourceFilter, SourceFilter]:
        """Replaces the application's request; the interface's filter before and after.

        A request for nothing ends it (RFC 9776 §2, §3.1).
        """
        old = self.filter(group)
        if not requested.is_empty:
            applications = self._applications.setdefault(group, {})
            applications[application] = self._shared(requested)
        elif not self._forget(application, group):
            return old, old
        new = self._merged(group)
        self._keep(group, old, new)
        return old, new

    def _shared(self, requested: SourceFilter) -> SourceFilter:
        """One value for all plain joins: most groups are joined that way."""
        return self._join if requested == self._join else requested

    def _forget(self, application: str, group: Address) -> bool:
        """Whether the application had asked for the group."""
        applications = self._applications.get(group, {})
        if applications.pop(application, None) is None:
            return False
        if not applications:
            del self._applications[group]
        return True

    def _merged(self, group: Address) -> SourceFilter:
        applications = self._applications.get(group)
        if applications is None:
            return self._nothing
        if len(applications) == 1:
            return next(iter(applications.values()))
        return self._shared(merge(applications.values(), self._family.address_width))

    def _keep(self, group: Address, old: SourceFilter, new: SourceFilter) -> None:
        if not new.is_empty:
            self._filters[group] = new
            if old.is_empty:
                self._ascending.add(group)
        else:
            del self._filters[group]
            self._ascending.remove(group)
