"""What takes something away from others on the same host, whom a router cannot tell apart.

To a router all that a host says is one host's word. Records that add may be said freely; those that
take away (TO_IN, BLOCK, the list of a TO_EX) only of what nobody here wants.
"""

from __future__ import annotations

from mcastd.gmp.filters import FilterMode, SourceFilter, merge
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.native import SourceList

TAKES_AWAY = frozenset(
    {
        RecordType.CHANGE_TO_INCLUDE_MODE,
        RecordType.CHANGE_TO_EXCLUDE_MODE,
        RecordType.BLOCK_OLD_SOURCES,
    }
)
"""Types of records that may take something away (RFC 9776 §6.4.2)."""


def without_harm(
    record: GroupRecord, own: SourceFilter, others: SourceFilter | None
) -> GroupRecord | None:
    """The record less what it would take away from anybody; None if nothing is left to say.

    `own`: the filter of whoever says it, as it is by now; `others`: that of all others on the host,
    None if it is not known. What is not known is not taken away: what nobody reports ends by its
    timer at the router.
    """
    match record.type:
        case RecordType.CHANGE_TO_INCLUDE_MODE:
            return _change_to_include(record, own, others)
        case RecordType.CHANGE_TO_EXCLUDE_MODE:
            return record._replace(sources=_unwanted(record.sources, own, others))
        case RecordType.BLOCK_OLD_SOURCES:
            blocked = _unwanted(record.sources, own, others)
            return record._replace(sources=blocked) if blocked else None
        case _:
            return record


def _change_to_include(
    record: GroupRecord, own: SourceFilter, others: SourceFilter | None
) -> GroupRecord | None:
    """All that is wanted, if that is a list; else only what the record adds."""
    wanted = None if others is None else merge((own, others), record.sources.width)
    if wanted is not None and wanted.mode is FilterMode.INCLUDE:
        return record._replace(sources=wanted.sources)
    if not record.sources:
        return None
    return record._replace(type=RecordType.ALLOW_NEW_SOURCES)


def _unwanted(sources: SourceList, own: SourceFilter, others: SourceFilter | None) -> SourceList:
    """Those of the sources that nobody wants."""
    if others is None:
        return SourceList(b"", sources.width)
    wanted = merge((own, others), sources.width)
    if wanted.mode is FilterMode.INCLUDE:
        return sources - wanted.sources
    return sources & wanted.sources


def takes_away(record: GroupRecord, wanted: SourceFilter) -> bool:
    """Whether another's record takes away something of what is wanted of its group."""
    sources, listed = record.sources, wanted.sources
    including = wanted.mode is FilterMode.INCLUDE
    match record.type:
        case RecordType.CHANGE_TO_INCLUDE_MODE:
            return not including or bool(listed - sources)
        case RecordType.CHANGE_TO_EXCLUDE_MODE | RecordType.BLOCK_OLD_SOURCES:
            return bool(listed & sources if including else sources - listed)
        case _:
            return False
