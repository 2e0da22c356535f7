"""What a host knows whatever version it speaks; the reporters read it and change the flags."""

from __future__ import annotations

from mcastd.gmp.config import HostConfig
from mcastd.gmp.counters import Statistics
from mcastd.gmp.delays import Delays
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.filters import FilterMode, SourceFilter
from mcastd.gmp.reception import ReceptionState
from mcastd.gmp.records import record_type
from mcastd.gmp.time import Duration
from mcastd.native import RecordTable

LOWEST_ROBUSTNESS = 2
"""The Robustness Variable "SHOULD NOT be one" (RFC 9776 §8.1, RFC 9777 §9.1)."""

NOTHING_TOLD = 0
"""The type of a record that is not sent."""


class HostState:
    """Reception state, learned values, last-reporter flags, counters.

    `records`: what a current-state record tells of each group held.
    `at_once`: groups that one call may look at; what is left is due, and for the next call.

    `last_reporters`: groups of which this host sent the last older report (RFC 2236 §3, RFC 2710
    §4); the flags outlast a change of version.
    """

    __slots__ = (
        "_config",
        "_exceptional",
        "_query_interval",
        "_robustness",
        "_source_specific",
        "at_once",
        "delays",
        "family",
        "last_reporters",
        "reception",
        "records",
        "statistics",
    )

    def __init__(
        self, family: ProtocolFamily, config: HostConfig, delays: Delays, at_once: int
    ) -> None:
        self.family = family
        self.delays = delays
        self.at_once = at_once
        self.reception = ReceptionState(family)
        self.records = RecordTable(family.address_width)
        self.statistics = Statistics(family.counters)
        self.last_reporters: set[Address] = set()
        self._config = config
        self._robustness: int | None = None
        self._query_interval: Duration | None = None
        self._source_specific = 0
        self._exceptional: set[Address] = set()

    @property
    def config(self) -> HostConfig:
        return self._config

    def configure(self, config: HostConfig) -> None:
        """Looks at all groups anew if the source-specific ranges are others."""
        moved = config.ssm_ranges != self._config.ssm_ranges
        self._config = config
        if moved:
            self._source_specific = sum(map(config.is_source_specific, self.reception.filters))
        for group in self.reception.filters if moved else self._exceptional:
            self._record(group, self.reception.filter(group))

    @property
    def robustness(self) -> int:
        """The Robustness Variable: the querier's, or the configured one (RFC 9776 §4.1.6)."""
        return self._robustness or self._config.robustness

    @property
    def query_interval(self) -> Duration:
        """The querier's, or the configured one (RFC 9776 §4.1.7)."""
        return self._query_interval or self._config.query_interval

    def learn(self, robustness: int, query_interval: Duration) -> None:
        """Takes over a query's QRV and QQI; zero stands for the configured value."""
        self._robustness = max(robustness, LOWEST_ROBUSTNESS) if robustness else None
        self._query_interval = query_interval or None

    def forget_querier(self) -> None:
        self._robustness = None
        self._query_interval = None

    def holds_source_specific_groups(self) -> bool:
        return self._source_specific > 0

    def note(self, group: Address, old: SourceFilter, new: SourceFilter) -> None:
        """Keeps what is told of the group, and count when it begins or ends to be held."""
        self._record(group, new)
        if old.is_empty == new.is_empty:
            return
        change = 1 if old.is_empty else -1
        self._source_specific += change * self._config.is_source_specific(group)
        if new.is_empty:
            self._exceptional.discard(group)
        elif self._needs_a_look(group):
            self._exceptional.add(group)

    def _record(self, group: Address, held: SourceFilter) -> None:
        if held.is_empty:
            self.records.drop(group)
            return
        type_ = record_type(held) if self.is_told(group, held) else NOTHING_TOLD
        self.records.put(group, type_, held.sources.packed)

    def is_told(self, group: Address, held: SourceFilter) -> bool:
        """Whether a current-state record is sent of the group.

        EXCLUDE is never told of a source-specific one (RFC 9776 §4.2.13).
        """
        return self.is_reportable(group) and (
            held.mode is FilterMode.INCLUDE or not self._config.is_source_specific(group)
        )

    def _needs_a_look(self, group: Address) -> bool:
        """Whether it takes a closer look to say that the group is reported."""
        return self.family.link_local_groups.matches(group) or not self.family.is_reportable(group)

    def is_reportable(self, group: Address) -> bool:
        """Whether any message may concern the group (RFC 9776 §5, RFC 9777 §6)."""
        return self.family.is_reportable(group) and (
            self._config.report_link_local_groups
            or not self.family.link_local_groups.matches(group)
        )

    def exceptional_groups(self) -> frozenset[Address]:
        """The groups held that are never reported, or only if so configured."""
        return frozenset(self._exceptional)

    def is_exceptional(self, group: Address) -> bool:
        """Whether the group, which is held, is never reported, or only if so configured."""
        return group in self._exceptional

    def has_reportable(self) -> bool:
        """Whether a general query has anything to ask about."""
        return len(self.reception) > len(self._exceptional) or any(
            map(self.is_reportable, self._exceptional)
        )
