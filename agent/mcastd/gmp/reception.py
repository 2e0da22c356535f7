"""What an interface receives: the requests of its applications, merged for each group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.filters import FilterMode, SourceFilter, exclude, include, merge

MANY_APPLICATIONS = 64
"""Names for which a value is kept ready; they come from outside."""


class Held(NamedTuple):
    """How much is received."""

    groups: int
    sources: int


class ReceptionState:
    """Interface reception state (RFC 9776 §3.2; per-interface listening state, RFC 9777 §4.2).

    It does not know of versions, and outlives every change of them. A group is held while at least
    one application asks for it; what is kept for it costs no more than its own applications.

    `is_source_specific`: of which groups any-source requests do not count beside others, if any
    (RFC 4604 §2.1).
    """

    __slots__ = (
        "_applications",
        "_exclude",
        "_family",
        "_filters",
        "_include",
        "_is_source_specific",
        "_join",
        "_nothing",
        "_plain",
    )

    def __init__(
        self,
        family: ProtocolFamily,
        is_source_specific: Callable[[Address], bool] = lambda _group: False,
    ) -> None:
        self._family = family
        self._is_source_specific = is_source_specific
        self._filters: dict[Address, SourceFilter] = {}
        self._applications: dict[Address, Mapping[str, SourceFilter]] = {}
        self._plain: dict[str, Mapping[str, SourceFilter]] = {}
        self._include, self._exclude = [0, 0], [0, 0]
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

    def applications(self, group: Address) -> Mapping[str, SourceFilter]:
        """Who asks for the group, and how."""
        return MappingProxyType(self._applications.get(group, {}))

    def listen(
        self, application: str, group: Address, requested: SourceFilter
    ) -> tuple[SourceFilter, SourceFilter]:
        """Replaces the application's request; the interface's filter before and after.

        A request for nothing ends it (RFC 9776 §2, §3.1).
        """
        old = self.filter(group)
        if not requested.is_empty:
            self._remember(application, group, self._shared(requested))
        elif not self._forget(application, group):
            return old, old
        new = self._merged(group)
        if not old.is_empty:
            self._count(old, -1)
        if new.is_empty:
            del self._filters[group]
        else:
            self._filters[group] = new
            self._count(new, 1)
        return old, new

    def held(self, mode: FilterMode) -> Held:
        """How many groups have a filter of this mode, and how many sources those list."""
        return Held(*(self._include if mode is FilterMode.INCLUDE else self._exclude))

    def _count(self, current: SourceFilter, change: int) -> None:
        held = self._include if current.mode is FilterMode.INCLUDE else self._exclude
        held[0] += change
        held[1] += change * len(current.sources)

    def _remember(self, application: str, group: Address, requested: SourceFilter) -> None:
        """Who asks is never changed in place: groups with one plain join share it."""
        others = self._applications.get(group)
        if others is None and requested is self._join:
            self._applications[group] = self._joined_by(application)
        else:
            self._applications[group] = {**(others or {}), application: requested}

    def _joined_by(self, application: str) -> Mapping[str, SourceFilter]:
        if len(self._plain) > MANY_APPLICATIONS:
            self._plain.clear()
        return self._plain.setdefault(application, {application: self._join})

    def _shared(self, requested: SourceFilter) -> SourceFilter:
        """One value for all plain joins: most groups are joined that way."""
        return self._join if requested == self._join else requested

    def _forget(self, application: str, group: Address) -> bool:
        """Whether the application had asked for the group."""
        applications = self._applications.get(group, {})
        if application not in applications:
            return False
        others = {who: what for who, what in applications.items() if who != application}
        if others:
            self._applications[group] = others
        else:
            del self._applications[group]
        return True

    def _merged(self, group: Address) -> SourceFilter:
        applications = self._applications.get(group)
        if applications is None:
            return self._nothing
        if len(applications) == 1:
            return next(iter(applications.values()))
        filters = list(applications.values())
        if self._is_source_specific(group):
            included = [each for each in filters if each.mode is FilterMode.INCLUDE]
            filters = included or filters
        return self._shared(merge(filters, self._family.address_width))
