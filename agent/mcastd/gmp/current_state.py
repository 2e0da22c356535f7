"""The answer to a general query: what is held, one record a group, by columns or one by one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress
from typing import NamedTuple

from mcastd.gmp.family import Address
from mcastd.gmp.filters import FilterMode, SourceFilter
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.gmp.state import HostState
from mcastd.native import SourceList

RUN = 4096
"""Groups looked at together: a few dozen packets."""

_INCLUDE = int(RecordType.MODE_IS_INCLUDE)
_EXCLUDE = int(RecordType.MODE_IS_EXCLUDE)
_TYPES = {_INCLUDE: RecordType.MODE_IS_INCLUDE, _EXCLUDE: RecordType.MODE_IS_EXCLUDE}


class Columns(NamedTuple):
    """Current-state records, each column as long as the others."""

    types: bytes
    groups: list[Address]
    sources: list[SourceList]


class CurrentState:
    """A record for each group that is reported, ascending (RFC 9776 §5.2, case 1).

    Made when it is asked for, `RUN` groups at a time, with what their filters are then; groups that
    were joined after this object was made are not told.
    """

    __slots__ = ("_groups", "_state")

    def __init__(self, state: HostState) -> None:
        self._state = state
        self._groups = state.reception.ascending()

    def columns(self) -> Iterator[Columns]:
        """Runs of records; none is empty."""
        for start in range(0, len(self._groups), RUN):
            groups = self._groups[start : start + RUN]
            held = self._state.reception.filters_of(groups)
            if not all(held) or self._state.has_exceptions():
                told = list(map(self._is_told, groups, held))
                groups, held = list(compress(groups, told)), list(compress(held, told))
            if groups:
                yield _columns(groups, held)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[GroupRecord]:
        for types, groups, sources in self.columns():
            yield from map(GroupRecord, map(_TYPES.__getitem__, types), groups, sources)

    def _is_told(self, group: Address, held: SourceFilter | None) -> bool:
        """EXCLUDE is never told of a source-specific group (RFC 9776 §4.2.13)."""
        if held is None or not self._state.is_reportable(group):
            return False
        return held.mode is FilterMode.INCLUDE or not self._state.config.is_source_specific(group)


def _columns(groups: list[Address], held: list[SourceFilter]) -> Columns:
    include = FilterMode.INCLUDE
    types = bytes([_INCLUDE if each.mode is include else _EXCLUDE for each in held])
    return Columns(types, groups, [each.sources for each in held])
