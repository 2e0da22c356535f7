"""Which version the queriers of a link leave to a host: its Host Compatibility Mode."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mcastd.gmp.config import HostConfig, OlderQuerierFormula
from mcastd.gmp.family import ProtocolFamily
from mcastd.gmp.state import HostState
from mcastd.gmp.time import Duration, Instant


class HostCompatibilityMode:
    """The Older Version Querier Present timers (RFC 9776 §7.2.1, RFC 9777 §8.2.1).

    The mode is the oldest version whose timer runs, whatever else was heard since.
    """

    __slots__ = ("_deadlines", "_family")

    def __init__(self, family: ProtocolFamily) -> None:
        self._family = family
        self._deadlines: dict[int, Instant] = {}

    @property
    def version(self) -> int:
        return min(self._deadlines, default=self._family.newest)

    @property
    def deadlines(self) -> Mapping[int, Instant]:
        """By version, until when its querier is taken to be present."""
        return MappingProxyType(self._deadlines)

    def hear(self, version: int, until: Instant) -> None:
        """An older querier was heard: its timer starts again."""
        self._deadlines[version] = until

    def forget(self) -> None:
        """As if no older querier had ever been heard."""
        self._deadlines.clear()

    def next_deadline(self) -> Instant | None:
        return min(self._deadlines.values(), default=None)

    def expire(self, now: Instant) -> None:
        self._deadlines = {v: until for v, until in self._deadlines.items() if until > now}


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
