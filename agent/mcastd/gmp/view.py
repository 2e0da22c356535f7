"""What others may look at: a host is read through this by status, metrics and scenarios."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mcastd.gmp.config import HostConfig
from mcastd.gmp.counters import Statistics
from mcastd.gmp.family import Address
from mcastd.gmp.filters import FilterMode, SourceFilter
from mcastd.gmp.reception import Held
from mcastd.gmp.refresh import Refresh
from mcastd.gmp.speaker import Speaker
from mcastd.gmp.state import HostState
from mcastd.gmp.sweep import Sweep
from mcastd.gmp.time import Duration, Instant

FEW = 256
"""Groups looked up together."""


class HostView:
    """A host's state, read-only."""

    def __init__(self, state: HostState) -> None:
        self._state = state
        self._speaker = Speaker(state)
        self._link_is_up = True
        self._announcing: Sweep | None = None
        self._refresh = Refresh(state)

    def next_deadline(self) -> Instant | None:
        """When `advance` has something to do again, exactly; None: not before another event."""
        if self._announcing:
            return self._announcing.since
        due, refresh = self._speaker.next_deadline(), self._refresh.due
        if due is None or refresh is None:
            return refresh if due is None else due
        return min(due, refresh)

    @property
    def config(self) -> HostConfig:
        return self._state.config

    @property
    def link_is_up(self) -> bool:
        return self._link_is_up

    @property
    def version(self) -> int:
        """The version spoken now."""
        return self._speaker.version

    @property
    def compatibility_version(self) -> int:
        """The Host Compatibility Mode (RFC 9776 §7.2.1), whatever the configured maximum."""
        return self._speaker.compatibility_version

    @property
    def older_querier_deadlines(self) -> Mapping[int, Instant]:
        """Which older versions' queriers are taken to be present, and until when."""
        return self._speaker.older_querier_deadlines

    @property
    def refresh_due(self) -> Instant | None:
        """When all groups are reported without a query; None: never, as things are."""
        return self._refresh.due

    def has_querier(self, now: Instant) -> bool:
        """Whether a querier was heard of late, which makes such reports unnecessary."""
        return self._refresh.is_quiet(now)

    @property
    def robustness(self) -> int:
        return self._state.robustness

    @property
    def query_interval(self) -> Duration:
        return self._state.query_interval

    @property
    def groups(self) -> Mapping[Address, SourceFilter]:
        """What is received: the interface's filter of each group (RFC 9776 §3.2)."""
        return self._state.reception.filters

    def ascending_groups(self) -> Iterator[Address]:
        """The groups received, ascending; they may come and go between two of them."""
        behind = b""
        while groups := self._state.records.groups(behind, FEW):
            yield from groups
            behind = groups[-1]

    def held(self, mode: FilterMode) -> Held:
        """How many groups are received in this mode, and from how many sources."""
        return self._state.reception.held(mode)

    def applications(self, group: Address) -> Mapping[str, SourceFilter]:
        """Who asked for the group, and how; empty if nobody did."""
        return self._state.reception.applications(group)

    @property
    def leaving(self) -> list[Address]:
        """Groups no longer received whose leaving is still being repeated."""
        return self._speaker.reporter.leaving()

    def timers(self, group: Address) -> Mapping[str, Instant]:
        """What is pending for the group: `response`, `retransmission` or `delay`, and when."""
        return self._speaker.reporter.timers(group)

    @property
    def general_response_due(self) -> Instant | None:
        """When the pending answer to a general query goes out, in the newest version."""
        return self._speaker.reporter.general_response_due

    @property
    def running_timers(self) -> int:
        """How many there are, but for those of older queriers."""
        return self._speaker.reporter.running_timers

    @property
    def statistics(self) -> Statistics:
        return self._state.statistics
