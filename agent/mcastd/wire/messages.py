"""Older reports and leaves into IP packets, and the queries of tests and simulations."""

from __future__ import annotations

from struct import Struct

from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.time import Duration, seconds
from mcastd.native import SourceList
from mcastd.wire import codes
from mcastd.wire.codecs import codec_of

QUERY_TAIL = Struct(">BBH")
"""Flags, S and QRV; QQIC; Number of Sources (RFC 9776 §4.1, RFC 9777 §5.1)."""

QUERY_INTERVAL = seconds(125)
"""Default of RFC 9776 §8.2, RFC 9777 §9.2."""

QUERY_RESPONSE_INTERVAL = seconds(10)
"""Default of RFC 9776 §8.3, RFC 9777 §9.3."""

SUPPRESS = 0x08
ROBUSTNESS = 0x07


def membership_report(
    family: ProtocolFamily, version: int, group: Address, source: Address
) -> bytes:
    """An IGMPv1, IGMPv2 or MLDv1 report, to the group itself (RFC 2236 §9, RFC 2710 §4)."""
    codec = codec_of(family)
    assert version != family.newest
    return codec.packet(source, group, codec.head.pack(codec.report_types[version], 0, group))


def leave(family: ProtocolFamily, group: Address, source: Address) -> bytes:
    """An IGMPv2 Leave Group or MLDv1 Done, to all routers (RFC 2236 §9, RFC 2710 §4)."""
    codec = codec_of(family)
    message = codec.head.pack(codec.leave_type, 0, group)
    return codec.packet(source, family.all_routers, message)


def query(
    family: ProtocolFamily,
    version: int,
    *,
    source: Address,
    group: Address | None = None,
    sources: SourceList | None = None,
    max_response: Duration = QUERY_RESPONSE_INTERVAL,
    robustness: int = 2,
    query_interval: Duration = QUERY_INTERVAL,
    suppress: bool = False,
    destination: Address | None = None,
    ttl: int = 1,
    router_alert: bool | None = None,
) -> bytes:
    """A query, general without `group`, to where the RFCs send it unless told otherwise.

    Times are rounded down to what has a code (RFC 9776 §8.8); an IGMPv1 query has none and says 0.
    Router Alert is left out of IGMPv1 queries only, unless told otherwise.
    """
    codec = codec_of(family)
    queried = group if group is not None else family.unspecified
    if destination is None:
        destination = family.all_hosts if queried == family.unspecified else queried
    if router_alert is None:
        router_alert = version in codec.alerting_queries
    code = _max_response_code(family, version, max_response)
    message = codec.head.pack(codec.query_type, code, queried)
    if version == family.newest:
        listed = sources if sources is not None else family.no_sources
        flags = (SUPPRESS if suppress else 0) | robustness & ROBUSTNESS
        interval = codes.query_interval_code(query_interval)
        message += QUERY_TAIL.pack(flags, interval, len(listed)) + listed.packed
    return codec.packet(source, destination, message, ttl=ttl, router_alert=router_alert)


def _max_response_code(family: ProtocolFamily, version: int, time: Duration) -> int:
    if version == family.newest:
        return codes.max_response_code(family, time)
    if version == 1 and family.version_1_max_response is not None:
        return 0
    return codes.older_max_response_code(family, time)
