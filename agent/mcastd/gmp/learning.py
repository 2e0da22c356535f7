"""What another speaker's reports say about its filters: the router's side of a group record.

A router keeps this per group with timers (RFC 9776 §6.4); here the speaker is known and heard
without loss, so its word is taken at once.
"""

from __future__ import annotations

from mcastd.gmp.filters import FilterMode, SourceFilter, exclude, include
from mcastd.gmp.records import GroupRecord, RecordType


def apply_record(current: SourceFilter, record: GroupRecord) -> SourceFilter:
    """The filter after the record, given the one known before it (RFC 9776 §4.2.13)."""
    sources, including = record.sources, current.mode is FilterMode.INCLUDE
    match record.type:
        case RecordType.MODE_IS_INCLUDE | RecordType.CHANGE_TO_INCLUDE_MODE:
            return include(sources)
        case RecordType.MODE_IS_EXCLUDE | RecordType.CHANGE_TO_EXCLUDE_MODE:
            return exclude(sources)
        case RecordType.ALLOW_NEW_SOURCES:
            changed = current.sources | sources if including else current.sources - sources
        case _:  # BLOCK_OLD_SOURCES, the only other
            changed = current.sources - sources if including else current.sources | sources
    return SourceFilter(current.mode, changed)


def join_parts(first: GroupRecord, rest: GroupRecord) -> GroupRecord:
    """Two parts of a record that did not fit one message (RFC 9776 §4.2.17)."""
    return GroupRecord(first.type, first.group, first.sources | rest.sources)
