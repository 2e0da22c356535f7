"""Filters and routers as sets of addresses: the specification, written down once more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mcastd.gmp.family import Address
from mcastd.gmp.filters import FilterMode, SourceFilter
from mcastd.gmp.records import GroupRecord, RecordType


@dataclass(frozen=True)
class Model:
    """A source filter; INCLUDE of nothing is no state."""

    including: bool = True
    sources: frozenset[Address] = frozenset()

    @classmethod
    def of(cls, given: SourceFilter) -> Model:
        return cls(given.mode is FilterMode.INCLUDE, frozenset(given.sources))


def merged(requests: Iterable[Model]) -> Model:
    """RFC 9776 §3.2, RFC 9777 §4.2, source by source."""
    every = list(requests)
    named = frozenset[Address]().union(*(each.sources for each in every))
    wanted = {source for source in named if any(admits(each, source) for each in every)}
    if any(not each.including for each in every):
        return Model(False, named - wanted)
    return Model(True, frozenset(wanted))


def admits(model: Model, source: Address) -> bool:
    return (source in model.sources) == model.including


class Router:
    """A router's view of one host: what its records amount to (RFC 9776 §6.4, RFC 9777 §7.4)."""

    def __init__(self) -> None:
        self.groups: dict[Address, Model] = {}

    def hear(self, records: Iterable[GroupRecord]) -> None:
        for record in records:
            known = self.groups.pop(record.group, Model())
            told = after(known, record)
            if told != Model():
                self.groups[record.group] = told


def after(known: Model, record: GroupRecord) -> Model:
    sources = frozenset(record.sources)
    match record.type:
        case RecordType.MODE_IS_INCLUDE | RecordType.CHANGE_TO_INCLUDE_MODE:
            return Model(True, sources)
        case RecordType.MODE_IS_EXCLUDE | RecordType.CHANGE_TO_EXCLUDE_MODE:
            return Model(False, sources)
        case RecordType.ALLOW_NEW_SOURCES:
            more = known.sources | sources if known.including else known.sources - sources
            return Model(known.including, more)
        case RecordType.BLOCK_OLD_SOURCES:
            less = known.sources - sources if known.including else known.sources | sources
            return Model(known.including, less)
