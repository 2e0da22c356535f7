"""IGMP on the wire (RFC 9776 §4)."""

from __future__ import annotations

from struct import Struct

from mcastd.gmp.family import IGMP
from mcastd.wire import ipv4
from mcastd.wire.codec import Codec

CODEC = Codec(
    family=IGMP,
    query_type=0x11,
    report_types={1: 0x12, 2: 0x16, 3: 0x22},
    leave_type=0x17,
    leave_version=2,
    alerting_queries=frozenset({2, 3}),
    head=Struct(">BBxx4s"),
    source_offset=ipv4.SOURCE,
    destination_offset=ipv4.DESTINATION,
    ip_header=ipv4.header,
    pseudo_header_sum=ipv4.pseudo_header_sum,
)
