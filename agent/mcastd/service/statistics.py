"""Gives the counters that `netstat` of other systems shows, each from where it is counted.

What arrives is counted by the programs at the NIC, exactly, refused or not; what only the engine
knows (which queries were general, what was suppressed, what the agent sent) by the engine. A
counter that neither of them knows is not shown.
"""

from __future__ import annotations

from typing import Final

from mcastd.fastpath.counters import DIRECTIONS, PROTOCOLS, Counters
from mcastd.gmp.counters import REJECTIONS, Counted, Statistics
from mcastd.gmp.family import ProtocolFamily
from mcastd.wire import Kind, Reason

RX: Final = DIRECTIONS.index("rx")

ARRIVED: Final = (
    Counted.RECEIVED,
    Counted.TOO_SHORT,
    Counted.BAD_CHECKSUM,
    Counted.BAD_TTL,
    Counted.NO_ROUTER_ALERT,
    Counted.BAD_SOURCE,
    Counted.QUERY,
    Counted.QUERY_VERSION_1,
    Counted.QUERY_VERSION_2,
    Counted.QUERY_VERSION_3,
    Counted.REPORT,
    Counted.LEAVE,
)
"""Counted by the programs. A query or a report that is refused counts as received alone."""

UNKNOWN: Final = (Counted.BETWEEN_VERSIONS, Counted.BAD_QUERY, Counted.BAD_REPORT)
"""The programs count refusals by reason and not by type, so nobody knows these."""

QUERIES: Final = {
    1: Counted.QUERY_VERSION_1,
    2: Counted.QUERY_VERSION_2,
    3: Counted.QUERY_VERSION_3,
}


def statistics(family: ProtocolFamily, engine: Statistics, values: Counters) -> dict[str, int]:
    """By the names of `struct igmpstat` or of the ICMPv6 MIB, in messages."""
    arrived = arrivals(family, values)
    shown = engine.as_mapping()
    known = {name for what in ARRIVED for name in family.counters.get(what, ())}
    for what in UNKNOWN:
        for name in family.counters.get(what, ()):
            if name not in known:
                del shown[name]
    for name in known:
        shown[name] = arrived[name]
    return shown


def arrivals(family: ProtocolFamily, values: Counters) -> dict[str, int]:
    """What the programs counted on receipt, under the family's names."""
    counted = Statistics(family.counters)
    for kind in Kind:
        if kind.family is family:
            for what in of_kind(kind, family.newest):
                counted.count(what, values.accepted[RX][kind])
    refused = values.rejected[RX][PROTOCOLS.index(family.name)]
    for reason in Reason:
        for what in REJECTIONS.get((reason.label, None), (Counted.RECEIVED,)):
            counted.count(what, refused[reason])
    return counted.as_mapping()


def of_kind(kind: Kind, newest: int) -> tuple[Counted, ...]:
    """What an accepted message counts as; a report of records (the newest) as received alone."""
    if kind.type == "query" and kind.version:
        return (Counted.RECEIVED, Counted.QUERY, QUERIES[kind.version])
    if kind.type == "report" and kind.version != newest:
        return (Counted.RECEIVED, Counted.REPORT)
    if kind.type == "leave":
        return (Counted.RECEIVED, Counted.LEAVE)
    return (Counted.RECEIVED,)
