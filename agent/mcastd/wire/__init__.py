"""Bytes to messages and back, for both families; pure.

Addresses are `bytes` in network order; packets begin with the IP header, frames with the Ethernet
header.
"""

from mcastd.wire.context import ReceptionContext
from mcastd.wire.decode import (
    Classified,
    Note,
    Received,
    Rejected,
    decode_event,
    decode_frame,
    decode_packet,
)
from mcastd.wire.kinds import Kind
from mcastd.wire.messages import leave, membership_report, query
from mcastd.wire.packing import can_send, report_packets
from mcastd.wire.reasons import Reason
from mcastd.wire.records import UnknownRecord

__all__ = [
    "Classified",
    "Kind",
    "Note",
    "Reason",
    "Received",
    "ReceptionContext",
    "Rejected",
    "UnknownRecord",
    "can_send",
    "decode_event",
    "decode_frame",
    "decode_packet",
    "leave",
    "membership_report",
    "query",
    "report_packets",
]
