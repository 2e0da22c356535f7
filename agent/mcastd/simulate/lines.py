"""What a run prints: one line for each thing that happened, as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mcastd import wire
from mcastd.gmp.family import ProtocolFamily
from mcastd.gmp.messages import Leave, MembershipReport, RecordReport
from mcastd.gmp.records import RECORD_LABELS, GroupRecord
from mcastd.gmp.time import Instant, in_seconds
from mcastd.simulate.scenario import JSON

MESSAGES = ("report", "leave", "done")

_LEAVES = {"igmp": "leave", "mld": "done"}

_ANYWHERE = wire.ReceptionContext(addresses_known=False)


@dataclass(frozen=True, slots=True)
class Line:
    """`kind` is the key that says what happened: send, mode, reject, error, warning or end."""

    at: Instant
    kind: str
    value: JSON
    packet: bytes | None = None

    def to_json(self) -> str:
        fields: dict[str, JSON] = {"at": round(in_seconds(self.at), 3), self.kind: self.value}
        if self.packet is not None:
            fields["packet"] = self.packet.hex()
        return json.dumps(fields)


def sent(now: Instant, family: ProtocolFamily, packet: bytes) -> Line:
    """The line of a packet that is sent, as a receiver reads it."""
    decoded = wire.decode_packet(packet, _ANYWHERE)
    assert decoded is not None
    message = decoded.message
    assert isinstance(message, RecordReport | MembershipReport | Leave)
    value: dict[str, JSON] = {
        "message": _LEAVES[family.name] if isinstance(message, Leave) else "report",
        "version": message.version,
        "from": family.format(message.source),
        "to": family.format(message.destination),
    }
    if isinstance(message, RecordReport):
        value["records"] = [_record(each, family) for each in _ascending(message.records)]
    else:
        value["group"] = family.format(message.group)
    return Line(now, "send", value, packet)


def _ascending(records: tuple[GroupRecord, ...]) -> list[GroupRecord]:
    return sorted(records, key=lambda record: (record.group, record.type))


def _record(record: GroupRecord, family: ProtocolFamily) -> JSON:
    return {
        "type": RECORD_LABELS[record.type],
        "group": family.format(record.group),
        "sources": [family.format(each) for each in record.sources],
    }
