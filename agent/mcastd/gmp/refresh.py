"""Reports that nobody asks for, on a link where no querier is heard; off unless configured.

A switch that snoops forgets a group of which no report comes, and where nobody asks none does. The
host then reports as if a querier asked it in regular intervals. No RFC has that.
"""

from __future__ import annotations

from mcastd.gmp.state import HostState
from mcastd.gmp.time import Duration, Instant, after

SHARE = 4
"""The answers are spread over so much of the interval at the most: an interval's fraction."""


class Refresh:
    """When the next such report is due.

    A general query that is answered puts it off until a querier would have asked again so often as
    reports may be lost. The first comes anywhere within the interval, so that hosts that began
    together do not go on together.
    """

    __slots__ = ("_due", "_every", "_quiet_until", "_state")

    def __init__(self, state: HostState) -> None:
        self._state = state
        self._every = state.config.refresh
        self._due: Instant | None = None
        self._quiet_until = Instant(0)

    @property
    def due(self) -> Instant | None:
        """None: never, as things are."""
        return self._due

    def is_quiet(self, now: Instant) -> bool:
        """Whether a querier counts as present."""
        return now < self._quiet_until

    def settle(self, now: Instant, *, link_is_up: bool) -> None:
        """Begins where it is configured and has not begun, ends where it is not."""
        every = self._state.config.refresh
        if not every or not link_is_up:
            self._due = None
        elif self._due is None or every != self._every:
            self._due = max(after(now, self._state.delays.draw(every)), self._quiet_until)
        self._every = every

    def hear(self, now: Instant) -> None:
        """A querier has asked about all groups.

        It counts as gone after Robustness Variable x Query Interval: the report that is due then
        comes before the membership is forgotten, a Query Response Interval later (RFC 9776 §8.4,
        RFC 9777 §9.4). What a query teaches makes that shorter only: no query can silence the host
        for longer than the configuration says.
        """
        state, config = self._state, self._state.config
        learned = state.robustness * state.query_interval
        self._quiet_until = after(
            now, Duration(min(learned, config.robustness * config.query_interval))
        )
        if self._due is not None:
            self._due = self._quiet_until

    def forget_querier(self) -> None:
        self._quiet_until = Instant(0)

    def take(self, now: Instant) -> Duration | None:
        """If it is due: within which time all groups are to be reported. The next is put down."""
        if self._due is None or now < self._due:
            return None
        self._due = after(now, self._every)
        response = self._state.config.query_response_interval
        return Duration(min(response, self._every // SHARE))
