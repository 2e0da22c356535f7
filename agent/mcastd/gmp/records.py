"""Group records, and which of them tell a router about a change of filter."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from mcastd.gmp.family import Address
from mcastd.gmp.filters import FilterMode, SourceFilter
from mcastd.native import SourceList, difference_pair


class RecordType(IntEnum):
    """Group record types; the values are the wire's (RFC 9776 §4.2.13, RFC 9777 §5.2.13)."""

    MODE_IS_INCLUDE = 1
    MODE_IS_EXCLUDE = 2
    CHANGE_TO_INCLUDE_MODE = 3
    CHANGE_TO_EXCLUDE_MODE = 4
    ALLOW_NEW_SOURCES = 5
    BLOCK_OLD_SOURCES = 6


RECORD_LABELS = {
    RecordType.MODE_IS_INCLUDE: "IS_IN",
    RecordType.MODE_IS_EXCLUDE: "IS_EX",
    RecordType.CHANGE_TO_INCLUDE_MODE: "TO_IN",
    RecordType.CHANGE_TO_EXCLUDE_MODE: "TO_EX",
    RecordType.ALLOW_NEW_SOURCES: "ALLOW",
    RecordType.BLOCK_OLD_SOURCES: "BLOCK",
}
"""The RFCs' short names (RFC 9776 §4.2.16)."""


class GroupRecord(NamedTuple):
    """A group record (RFC 9776 §4.2.5; the multicast address record of RFC 9777 §5.2.5)."""

    type: RecordType
    group: Address
    sources: SourceList


def record_type(state: SourceFilter) -> RecordType:
    """Of the current-state record."""
    if state.mode is FilterMode.INCLUDE:
        return RecordType.MODE_IS_INCLUDE
    return RecordType.MODE_IS_EXCLUDE


def current_state(group: Address, state: SourceFilter) -> GroupRecord:
    """The record that answers a general or group-specific query (RFC 9776 §5.2)."""
    return GroupRecord(record_type(state), group, state.sources)


def state_change(group: Address, old: SourceFilter, new: SourceFilter) -> list[GroupRecord]:
    """The records that tell `new` to a router that knows `old`.

    RFC 9776 Table 3, RFC 9777 Table 1. Empty ALLOW and BLOCK records are left out; a change of mode
    is told even with no sources.
    """
    only_old, only_new = difference_pair(old.sources, new.sources)
    match old.mode, new.mode:
        case FilterMode.INCLUDE, FilterMode.INCLUDE:
            allowed, blocked = only_new, only_old
        case FilterMode.EXCLUDE, FilterMode.EXCLUDE:
            allowed, blocked = only_old, only_new
        case FilterMode.INCLUDE, FilterMode.EXCLUDE:
            return [GroupRecord(RecordType.CHANGE_TO_EXCLUDE_MODE, group, new.sources)]
        case _:
            return [GroupRecord(RecordType.CHANGE_TO_INCLUDE_MODE, group, new.sources)]
    changes = (
        GroupRecord(RecordType.ALLOW_NEW_SOURCES, group, allowed),
        GroupRecord(RecordType.BLOCK_OLD_SOURCES, group, blocked),
    )
    return [record for record in changes if record.sources]
