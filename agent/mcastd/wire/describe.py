"""A decoded message as a JSON object, for `mcastd classify` and for those who watch the agent."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.messages import Leave, MembershipReport, Message, Other, Query, RecordReport
from mcastd.gmp.records import RECORD_LABELS, GroupRecord, RecordType
from mcastd.gmp.time import in_seconds
from mcastd.wire.decode import Received, Rejected
from mcastd.wire.records import UnknownRecord

TRUNCATED = "truncated"


def described(decoded: Received | Rejected, *, cut: bool, untold: bool = False) -> dict[str, Any]:
    """The fields of a line of `classify --json` behind its number and time.

    Fields of what could not be decoded are left out. `cut`: only the beginning of the frame is
    there; `untold`: it is so short that there is no verdict.
    """
    kind = decoded.kind
    source, destination = _addresses(decoded)
    refused = isinstance(decoded, Rejected) and not untold
    reason = decoded.reason.label if isinstance(decoded, Rejected) and refused else None
    fields = {
        "vlan": list(decoded.vlan),
        "protocol": kind.family.name,
        "type": kind.type,
        "version": kind.version,
        "verdict": "cut" if untold else "reject" if reason else "accept",
        "reason": reason,
        "from": source,
        "to": destination,
    }
    if decoded.message is not None:
        fields |= _contents(kind.family, decoded.message, decoded.unknown_records)
    notes = [TRUNCATED] if cut else []
    return fields | {"notes": sorted({*decoded.notes, *notes})}


def _addresses(decoded: Received | Rejected) -> tuple[str | None, str | None]:
    said = decoded.message if isinstance(decoded, Received) else decoded
    return _if_known(said.source), _if_known(said.destination)


def _if_known(address: Address | None) -> str | None:
    return None if address is None else _text(address)


@lru_cache(maxsize=4096)
def _text(address: Address) -> str:
    """Captures speak of the same few addresses over and over."""
    return str(ip_address(address))


def _contents(
    family: ProtocolFamily, message: Message, unknown: tuple[UnknownRecord, ...]
) -> dict[str, Any]:
    match message:
        case Query():
            return _query(family, message)
        case RecordReport():
            records: list[GroupRecord | UnknownRecord] = list(message.records)
            for each in unknown:
                records.insert(each.place, each)
            return {"records": [_record(each) for each in records]}
        case MembershipReport() | Leave():
            return {"group": _text(message.group)}
        case Other():
            return {"code": message.type}


def _query(family: ProtocolFamily, query: Query) -> dict[str, Any]:
    """Before the newest version there is no QRV, no QQI and no S flag."""
    newest = query.version == family.newest
    return {
        "group": _text(query.group),
        "sources": [_text(source) for source in query.sources],
        "max_resp": in_seconds(query.max_response),
        "qrv": query.robustness if newest else None,
        "qqi": round(in_seconds(query.query_interval)) if newest else None,
        "s": query.suppress if newest else None,
    }


def _record(record: GroupRecord | UnknownRecord) -> dict[str, Any]:
    return {
        "type": _record_label(record.type),
        "group": _text(record.group),
        "sources": [_text(source) for source in record.sources],
    }


def _record_label(type_: int) -> str:
    return RECORD_LABELS[RecordType(type_)] if type_ in RECORD_LABELS else f"UNKNOWN_{type_}"
