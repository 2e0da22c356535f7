"""What an operator should know, said once in a while and not for every packet."""

from __future__ import annotations

from mcastd.gmp.compatibility import Remembered
from mcastd.gmp.effects import Effect, Warn
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.filters import FilterMode, SourceFilter
from mcastd.gmp.messages import Query
from mcastd.gmp.reading import Reading
from mcastd.gmp.state import HostState
from mcastd.gmp.subscription import readable
from mcastd.gmp.time import Instant, in_seconds, seconds

WARNING_INTERVAL = seconds(10)
"""Between two warnings of the same cause; no RFC says how long."""


class Warnings:
    """Remembers when each cause was last spoken of."""

    __slots__ = ("_family", "_last")

    def __init__(self, family: ProtocolFamily) -> None:
        self._family = family
        self._last: dict[str, Instant] = {}

    def of_older_query(
        self, now: Instant, state: HostState, query: Query, reading: Reading
    ) -> list[Effect]:
        """An older query where sources matter (RFC 9776 §7.2.1, RFC 4604 §2.2.3, §2.2.5)."""
        if reading.version >= state.config.max_version:
            return []
        queried = reading.group is not None and state.config.is_source_specific(reading.group)
        if not queried and not state.holds_source_specific_groups():
            return []
        said = f"{self._who(query)} while source-specific groups are in use"
        return self._say(now, "older_query_for_source_specific", said)

    def of_ignored_query(self, now: Instant, query: Query) -> list[Effect]:
        said = f"{self._who(query)} is ignored: compatibility is disabled"
        return self._say(now, "older_query_ignored", said)

    def of_unlisted_querier(self, now: Instant, query: Query) -> list[Effect]:
        said = f"{self._who(query)} is ignored: it is none of the queriers that are named"
        return self._say(now, "unlisted_querier", said)

    def of_limited_querier(self, now: Instant, query: Query, found: Remembered) -> list[Effect]:
        if found.interval == found.unlimited:
            return []
        said = (
            f"{self._who(query)} is remembered for {in_seconds(found.interval):g} s, and not for "
            f"{in_seconds(found.unlimited):g} s as its values say"
        )
        return self._say(now, "older_querier_limited", said)

    def of_filter(
        self, now: Instant, state: HostState, group: Address, current: SourceFilter
    ) -> list[Effect]:
        """EXCLUDE in the source-specific range is never told (RFC 9776 §4.2.13)."""
        if current.mode is FilterMode.INCLUDE or not state.config.is_source_specific(group):
            return []
        name = readable(self._family, group)
        said = f"{name} is source-specific: an any-source request for it is not reported"
        return self._say(now, "any_source_request_unreported", said)

    def _who(self, query: Query) -> str:
        querier = readable(self._family, query.source)
        return f"{self._family.name} version {query.version} query from {querier}"

    def _say(self, now: Instant, cause: str, said: str) -> list[Effect]:
        last = self._last.get(cause)
        if last is not None and now - last < WARNING_INTERVAL:
            return []
        self._last[cause] = now
        return [Warn(said, cause)]
