"""Filter modes and source filters: what an application asks for, and what an interface receives."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from mcastd.gmp.family import Address
from mcastd.native import SourceList, union_all


class FilterMode(Enum):
    """RFC 9776 §2; the values are those of files, commands and metrics."""

    INCLUDE = "include"
    EXCLUDE = "exclude"


class SourceFilter(NamedTuple):
    """A filter mode and its source list (RFC 9776 §3.1, RFC 9777 §4.1).

    INCLUDE without sources is the same as no state at all.
    """

    mode: FilterMode
    sources: SourceList

    @property
    def is_empty(self) -> bool:
        """Whether nothing is received: the state of a group that is not joined."""
        return self.mode is FilterMode.INCLUDE and not self.sources

    def admits(self, source: Address) -> bool:
        return (source in self.sources) == (self.mode is FilterMode.INCLUDE)


def include(sources: SourceList) -> SourceFilter:
    return SourceFilter(FilterMode.INCLUDE, sources)


def exclude(sources: SourceList) -> SourceFilter:
    return SourceFilter(FilterMode.EXCLUDE, sources)


def merge(filters: Iterable[SourceFilter], width: int) -> SourceFilter:
    """The interface's filter for a group from those of all its applications.

    With any EXCLUDE: what all EXCLUDE lists have, less what any INCLUDE list has; else all INCLUDE
    lists together (RFC 9776 §3.2, RFC 9777 §4.2). INCLUDE without sources for no filters.
    """
    every = list(filters)
    included = union_all((f.sources for f in every if f.mode is FilterMode.INCLUDE), width)
    excluding = [f.sources for f in every if f.mode is FilterMode.EXCLUDE]
    if not excluding:
        return include(included)
    common = excluding[0]
    for sources in excluding[1:]:
        common &= sources
    return exclude(common - included)
