"""What a host knows whatever version it speaks; the reporters read it and change the flags."""

from __future__ import annotations

from collections.abc import Iterator

from mcastd.gmp.config import HostConfig
from mcastd.gmp.counters import Statistics
from mcastd.gmp.delays import Delays
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.reception import ReceptionState
from mcastd.gmp.time import Duration

LOWEST_ROBUSTNESS = 2
"""The Robustness Variable "SHOULD NOT be one" (RFC 9776 §8.1, RFC 9777 §9.1)."""


class HostState:
    """Reception state, learned values, last-reporter flags, counters.

    `last_reporters`: groups of which this host sent the last older report (RFC 2236 §3, RFC 2710
    §4); the flags outlast a change of version.
    """

    __slots__ = (
        "_config",
        "_exceptional",
        "_query_interval",
        "_robustness",
        "_source_specific",
        "delays",
        "family",
        "last_reporters",
        "reception",
        "statistics",
    )

    def __init__(self, family: ProtocolFamily, config: HostConfig, delays: Delays) -> None:
        self.family = family
        self.delays = delays
        self.reception = ReceptionState(family)
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
        """Counts the source-specific groups anew if their range is another."""
        moved = config.ssm_ranges != self._config.ssm_ranges
        self._config = config
        if moved:
            self._source_specific = sum(map(config.is_source_specific, self.reception.ascending()))

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
        """Keeps count when a group begins or ends to be held."""
        if old.is_empty == new.is_empty:
            return
        change = 1 if old.is_empty else -1
        self._source_specific += change * self._config.is_source_specific(group)
        if new.is_empty:
            self._exceptional.discard(group)
        elif self._is_exceptional(group):
            self._exceptional.add(group)

    def _is_exceptional(self, group: Address) -> bool:
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

    def has_exceptions(self) -> bool:
        """Whether a closer look at each group is needed to say what is told of it."""
        return bool(self._exceptional) or self._source_specific > 0

    def has_reportable(self) -> bool:
        """Whether a general query has anything to ask about."""
        return len(self.reception) > len(self._exceptional) or any(
            map(self.is_reportable, self._exceptional)
        )

    def reportable(self) -> Iterator[tuple[Address, SourceFilter]]:
        """The groups held that are reported, ascending, with what their filters then are."""
        held, exceptional = self.reception.filters, self._exceptional
        for group in self.reception.ascending():
            current = held.get(group)
            if current is None or (group in exceptional and not self.is_reportable(group)):
                continue
            yield group, current
