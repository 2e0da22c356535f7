"""Which version the queriers of a link leave to a host: its Host Compatibility Mode."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from mcastd.gmp.config import HostConfig, OlderQuerierFormula
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.state import HostState
from mcastd.gmp.time import Duration, Instant


class HostCompatibilityMode:
    """The Older Version Querier Present timers (RFC 9776 §7.2.1, RFC 9777 §8.2.1).

    The mode is the oldest version whose timer runs, whatever else was heard since.
    """

    __slots__ = ("_deadlines", "_family", "_heard_from")

    def __init__(self, family: ProtocolFamily) -> None:
        self._family = family
        self._deadlines: dict[int, Instant] = {}
        self._heard_from: dict[int, Address] = {}

    @property
    def version(self) -> int:
        return min(self._deadlines, default=self._family.newest)

    @property
    def deadlines(self) -> Mapping[int, Instant]:
        """By version, until when its querier is taken to be present."""
        return MappingProxyType(self._deadlines)

    def hear(self, version: int, until: Instant, source: Address) -> None:
        """An older querier was heard: its timer starts again."""
        self._deadlines[version] = until
        self._heard_from[version] = source

    def forget(self) -> None:
        """As if no older querier had ever been heard."""
        self._deadlines.clear()

    def believe(self, config: HostConfig, latest: Instant | None) -> None:
        """Forgets those that are not believed any more; no timer ends after `latest`."""
        self._deadlines = {
            version: until if latest is None else min(until, latest)
            for version, until in self._deadlines.items()
            if config.is_believed(self._heard_from[version])
        }

    def next_deadline(self) -> Instant | None:
        return min(self._deadlines.values(), default=None)

    def expire(self, now: Instant) -> None:
        self._deadlines = {v: until for v, until in self._deadlines.items() if until > now}


class Remembered(NamedTuple):
    """How long an older querier is, and how long it would be without a limit."""

    interval: Duration
    unlimited: Duration


def remembered(state: HostState, version: int, max_response: Duration) -> Remembered:
    """An older querier after its query, within the limit that is configured.

    Two packets can teach an interval of days (RFC 9777 §9.12), after which the host would go on
    speaking the older version. The limit is no RFC's.
    """
    unlimited = older_version_querier_interval(state, version, max_response)
    limit = state.config.older_querier_limit
    return Remembered(min(unlimited, limit) if limit else unlimited, unlimited)


def older_version_querier_interval(
    state: HostState, version: int, max_response: Duration
) -> Duration:
    """How long an older querier is remembered after its query, which allowed `max_response`.

    IGMP: Robustness Variable x Query Interval + 10 x Max Resp Time, from the defaults (RFC 9776
    §8.12), or as RFC 3376 §8.12 has it; 400 s for an IGMPv1 querier where IGMPv2 is the newest
    version spoken (RFC 2236 §8.11). MLD: RV x QI of the last query + one Query Response Interval
    (RFC 9777 §9.12).
    """
    config = state.config
    fixed = state.family.older_querier_timeouts.get((config.max_version, version))
    if fixed is not None:
        return fixed
    if state.family.older_timer_uses_learned_values:
        return _learned(state, max_response or config.query_response_interval)
    if config.older_querier_formula is OlderQuerierFormula.RFC3376:
        return _learned(state, max_response)
    return _from_defaults(config, max_response)


def _learned(state: HostState, response_interval: Duration) -> Duration:
    return Duration(state.robustness * state.query_interval + response_interval)


def _from_defaults(config: HostConfig, max_response: Duration) -> Duration:
    return Duration(config.robustness * config.query_interval + 10 * max_response)
