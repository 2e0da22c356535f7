"""MLD on the wire (RFC 9777 §5).

Code and the Reserved fields are sent as 0 and not looked at (RFC 9777 §5.1.1 and §5.1.4).
"""

from __future__ import annotations

from struct import Struct

from mcastd.gmp.family import MLD
from mcastd.wire import ipv6
from mcastd.wire.codec import Codec

CODEC = Codec(
    family=MLD,
    query_type=130,
    report_types={1: 131, 2: 143},
    leave_type=132,
    leave_version=1,
    alerting_queries=frozenset({1, 2}),
    head=Struct(">BxxxHxx16s"),
    source_offset=ipv6.SOURCE,
    destination_offset=ipv6.DESTINATION,
    ip_header=ipv6.header,
    pseudo_header_sum=ipv6.pseudo_header_sum,
)
