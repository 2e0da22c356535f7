"""What a query means to a host that may, or can for now, only speak an older version."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mcastd.gmp.counters import Counted
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.messages import Query
from mcastd.gmp.time import Duration, milliseconds
from mcastd.native import SourceList

SHORTEST_RESPONSE = milliseconds(10)
"""Stands for a Max Resp Time of zero where no RFC gives that a meaning.

An answer to a general query must not leave "immediately" (RFC 9776 §5.2, RFC 9777 §6.3).
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """A query as it is to be answered.

    `version`: the one it counts as. `group`: None for all of them. `max_response`: zero only where
    that means at once (RFC 2710 §4). `older_querier`: the older version whose querier it shows to
    be present, which no query about a single group does (RFC 9776 §7.2.1, RFC 9777 §8.2.1).
    """

    version: int
    group: Address | None
    sources: SourceList
    max_response: Duration
    older_querier: int | None = None


def read(query: Query, family: ProtocolFamily, max_version: int) -> Reading | None:
    """The query as a host knows it that implements versions up to `max_version`; None: it is bad.

    Such a host reads of a newer query what its own version has (RFC 2236 §2.5, RFC 2710 §3.7); the
    code 0 makes an IGMP query one of version 1 (RFC 2236 §4).
    """
    if query.version not in family.versions:
        return None
    known = min(query.version, max_version)
    response = query.max_response if known == query.version else query.older_max_response
    oldest = family.versions[0]
    zero_is_oldest = family.version_1_max_response is not None and known < query.version
    version = oldest if zero_is_oldest and not response else known
    reading = _as_version(query, family, version, response)
    if not (_is_sound(reading, family) and _is_well_addressed(query, reading, family)):
        return None
    shown = version if version < known else query.version
    return replace(reading, older_querier=_older_querier(query, family, shown))


def _older_querier(query: Query, family: ProtocolFamily, shown: int) -> int | None:
    general = shown in family.ungrouped_versions or query.group == family.unspecified
    return shown if general and shown < family.newest else None


def read_in_compatibility(query: Query, family: ProtocolFamily, version: int) -> Reading:
    """A newest query as a host takes it while it speaks an older version for an older querier.

    RFC 9776 §7.2.1 and RFC 9777 §8.2.1 have it speak only that; the query is read as by a host
    that knows no newer version.
    """
    response = query.older_max_response or SHORTEST_RESPONSE
    return _as_version(query, family, version, response)


def _as_version(
    query: Query, family: ProtocolFamily, version: int, max_response: Duration
) -> Reading:
    general = version in family.ungrouped_versions or query.group == family.unspecified
    group = None if general else query.group
    sources = query.sources if version == family.newest else family.no_sources
    return Reading(version, group, sources, family.max_response(version, max_response))


def _is_sound(reading: Reading, family: ProtocolFamily) -> bool:
    """Whether it is one of the variants of a query (RFC 9776 §4.1.11, RFC 9777 §5.1.13).

    What an older version's host does not look at cannot be wrong.
    """
    if reading.group is None:
        return not reading.sources
    return family.is_multicast(reading.group)


def _is_well_addressed(query: Query, reading: Reading, family: ProtocolFamily) -> bool:
    """A query with a group, read as a general one, must be addressed like one (RFC 9776 §9.1)."""
    if reading.group is not None or query.group == family.unspecified:
        return True
    return query.destination == family.all_hosts or not family.is_multicast(query.destination)


def counted_as(query: Query, family: ProtocolFamily) -> tuple[Counted, ...]:
    """What a query counts as before it is judged."""
    if query.version not in family.versions:
        return (Counted.RECEIVED,)
    if query.group == family.unspecified or query.version in family.ungrouped_versions:
        variant = Counted.GENERAL_QUERY
    elif query.sources:
        variant = Counted.GROUP_AND_SOURCE_QUERY
    else:
        variant = Counted.GROUP_QUERY
    return (Counted.RECEIVED, Counted.QUERY, _BY_VERSION[query.version], variant)


_BY_VERSION = {
    1: Counted.QUERY_VERSION_1,
    2: Counted.QUERY_VERSION_2,
    3: Counted.QUERY_VERSION_3,
}
