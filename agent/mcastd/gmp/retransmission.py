"""What is still owed to the routers about one group's changes of filter."""

from __future__ import annotations

from functools import reduce
from operator import or_

from mcastd.gmp.family import Address
from mcastd.gmp.filters import FilterMode, SourceFilter
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.native import SourceList

MODE_CHANGES = {RecordType.CHANGE_TO_INCLUDE_MODE, RecordType.CHANGE_TO_EXCLUDE_MODE}


class Retransmissions:
    """Retransmission state of one group (RFC 9776 §5.1, RFC 9777 §6.1).

    A value. No records are kept: what is sent follows from the filter of that moment. `_sources[i]`
    are the sources that must be told i + 1 times more; the lists are disjoint.
    """

    __slots__ = ("_filter_mode", "_sources")

    def __init__(self, filter_mode: int = 0, sources: tuple[SourceList, ...] = ()) -> None:
        self._filter_mode = filter_mode
        self._sources = sources

    @property
    def finished(self) -> bool:
        return not self._filter_mode and not self._sources

    @property
    def filter_mode_retransmissions(self) -> int:
        return self._filter_mode

    @property
    def source_retransmissions(self) -> dict[Address, int]:
        return {each: i + 1 for i, level in enumerate(self._sources) for each in level}

    def merged(self, changes: list[GroupRecord], times: int) -> Retransmissions:
        """Owes the changes so many reports; each supersedes what was owed about the same.

        `changes`: what `state_change` gives, at least one. A change of mode tells the whole list,
        so that no source is owed apart from it.
        """
        if changes[0].type in MODE_CHANGES:
            return _of_mode(times)
        changed = reduce(or_, (record.sources for record in changes))
        levels = [level - changed for level in self._sources]
        levels += [SourceList(b"", changed.width)] * (times - len(levels))
        levels[times - 1] |= changed
        return Retransmissions(self._filter_mode, tuple(levels))

    def records(self, group: Address, current: SourceFilter) -> list[GroupRecord]:
        """The next report's: a change of mode alone, or else what is and is not received now."""
        if self._filter_mode:
            return [GroupRecord(_mode_change(current.mode), group, current.sources)]
        due = reduce(or_, self._sources)
        listed, others = due & current.sources, due - current.sources
        including = current.mode is FilterMode.INCLUDE
        allowed, blocked = (listed, others) if including else (others, listed)
        told = (
            GroupRecord(RecordType.ALLOW_NEW_SOURCES, group, allowed),
            GroupRecord(RecordType.BLOCK_OLD_SOURCES, group, blocked),
        )
        return [record for record in told if record.sources]

    def reported(self) -> Retransmissions:
        """One report less is owed about everything, whatever it carried (RFC 9777 §6.1)."""
        filter_mode = max(self._filter_mode - 1, 0)
        if not self._sources:
            return _of_mode(filter_mode)
        levels = list(self._sources[1:])
        while levels and not levels[-1]:
            levels.pop()
        return Retransmissions(filter_mode, tuple(levels))


NOTHING_OWED = Retransmissions()

_OF_MODE = (NOTHING_OWED, *map(Retransmissions, range(1, 8)))
"""Most groups owe a change of mode and no more: they share these."""


def _of_mode(times: int) -> Retransmissions:
    return _OF_MODE[times] if times < len(_OF_MODE) else Retransmissions(times)


def _mode_change(mode: FilterMode) -> RecordType:
    if mode is FilterMode.INCLUDE:
        return RecordType.CHANGE_TO_INCLUDE_MODE
    return RecordType.CHANGE_TO_EXCLUDE_MODE
