"""Keeps what the queries on a link say about their queriers."""

from __future__ import annotations

from dataclasses import dataclass, field

from mcastd.gmp.family import Address
from mcastd.gmp.messages import Query
from mcastd.gmp.time import Duration, Instant, milliseconds, seconds

REMEMBERED = 8
"""Queriers at the most: a forged flood must not make memory grow."""

KNOWN = 4
"""Of these, so many that their queries have precedence over strangers'."""

SILENCE = seconds(260)
"""After which a querier that is known makes room for another (RFC 9776 §8.5)."""

PATIENCE = milliseconds(400)
"""Between two general queries of one who asks as queriers do."""


@dataclass(slots=True)
class QuerierView:
    """One querier. `observed_interval`: between its last two general queries; None before."""

    address: Address
    version: int
    robustness: int
    interval: Duration
    max_response: Duration
    first_heard: Instant
    last_heard: Instant
    last_general: Instant | None = None
    observed_interval: Duration | None = None
    queries: int = 0
    is_known: bool = False
    without_router_alert: int = 0
    lacks_router_alert: bool = False
    """Its last query did."""


@dataclass(slots=True)
class Queriers:
    """The queriers of one family on one link; the last to send a general query is the one.

    `last_by_version`: who last asked all hosts in each version. `expected`: who was known before a
    restart, and until when it still counts as known without having asked again.
    """

    by_address: dict[Address, QuerierView] = field(default_factory=dict)
    current: QuerierView | None = None
    last_by_version: dict[int, Address] = field(default_factory=dict)
    expected: dict[Address, Instant] = field(default_factory=dict)

    def expect(self, address: Address, until: Instant) -> None:
        """One that was known before a restart; KNOWN of them at the most."""
        if len(self.known) < KNOWN:
            self.expected[address] = until

    def hear(self, at: Instant, query: Query, *, general: bool, router_alert: bool) -> bool:
        """Whether the querier is another one now, or speaks another version."""
        view = self.by_address.get(query.source)
        if view is None:
            view = self._add(at, query)
        if self.expected:
            self._meet_expected(at, view)
        changed = general and (self.current is not view or view.version != query.version)
        view.version, view.robustness = query.version, query.robustness
        view.interval, view.max_response = query.query_interval, query.max_response
        view.last_heard = at
        view.queries += 1
        view.without_router_alert += not router_alert
        view.lacks_router_alert = not router_alert
        if general:
            self._note_general(at, view)
            self.current = view
            self.last_by_version[query.version] = query.source
        return changed

    def _meet_expected(self, at: Instant, view: QuerierView) -> None:
        view.is_known |= at < self.expected.pop(view.address, at)
        for address in [each for each, until in self.expected.items() if until <= at]:
            del self.expected[address]

    def _note_general(self, at: Instant, view: QuerierView) -> None:
        """One who asks for the second time, and not at once, is known from then on."""
        if view.last_general is not None:
            view.observed_interval = Duration(at - view.last_general)
            if view.observed_interval >= PATIENCE and not view.is_known:
                self._forget_silent(at)
                view.is_known = len(self.known) < KNOWN
        view.last_general = at

    def _forget_silent(self, at: Instant) -> None:
        for each in self.by_address.values():
            each.is_known = each.is_known and at - each.last_heard < SILENCE

    @property
    def known(self) -> set[Address]:
        """Those whose queries have precedence over strangers'."""
        views = self.by_address.values()
        return self.expected.keys() | {each.address for each in views if each.is_known}

    def _add(self, at: Instant, query: Query) -> QuerierView:
        if len(self.by_address) >= REMEMBERED:
            views = self.by_address.values()
            strangers = (each for each in views if not each.is_known and each is not self.current)
            oldest = min(strangers, key=lambda each: each.last_heard)
            del self.by_address[oldest.address]
        view = QuerierView(
            query.source,
            query.version,
            query.robustness,
            query.query_interval,
            query.max_response,
            at,
            at,
        )
        self.by_address[query.source] = view
        return view
