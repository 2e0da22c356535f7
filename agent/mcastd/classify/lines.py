"""One line for a packet: a JSON object as interfaces have it, or text for people."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.messages import Leave, MembershipReport, Message, Other, Query, RecordReport
from mcastd.gmp.records import RECORD_LABELS, GroupRecord, RecordType
from mcastd.gmp.time import in_seconds
from mcastd.wire import Received, Rejected, UnknownRecord

TRUNCATED = "truncated"


def as_object(
    number: int,
    at: int | None,
    decoded: Received | Rejected,
    cut: bool,
    *,
    untold: bool = False,
) -> dict[str, Any]:
    """The line of `--json`; fields of what could not be decoded are left out.

    `untold`: it was cut so short that there is no verdict.
    """
    kind = decoded.kind
    source, destination = _addresses(decoded)
    refused = isinstance(decoded, Rejected) and not untold
    reason = decoded.reason.label if isinstance(decoded, Rejected) and refused else None
    line = {
        "n": number,
        "ts": None if at is None else in_seconds(at),
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
        line |= _contents(kind.family, decoded.message, decoded.unknown_records)
    notes = [TRUNCATED] if cut else []
    return line | {"notes": sorted({*decoded.notes, *notes})}


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


def as_text(line: dict[str, Any]) -> str:
    """The same for people: number, time, addresses, message, verdict."""
    version = "" if line["version"] is None else f"v{line['version']}"
    name = f"{line['protocol']}{version} {line['type']}"
    tags = "".join(f" vlan {tag}" for tag in line["vlan"])
    way = f"{line['from'] or '?'} > {line['to'] or '?'}"
    parts = [f"{line['n']:>6}  {_clock(line['ts'])}  {name:<13} {way}{tags}", _said(line)]
    verdict = f"REJECTED: {line['reason']}" if line["reason"] else ""
    notes = f"({', '.join(line['notes'])})" if line["notes"] else ""
    return "  ".join(part for part in (*parts, verdict, notes) if part)


def _clock(seconds: float | None) -> str:
    """The time of day, UTC; a damaged file may have one of no day."""
    if seconds is None or not 0 <= seconds < datetime.max.replace(tzinfo=UTC).timestamp():
        return " " * 15
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S.%f")


def _said(line: dict[str, Any]) -> str:
    if "records" in line:
        records = "; ".join(_record_text(record) for record in line["records"])
        return records or ("" if line["reason"] else "no records")
    if "max_resp" in line:
        return _query_text(line)
    if "group" in line:
        return str(line["group"])
    return f"type {line['code']:#04x}" if "code" in line else ""


def _record_text(record: dict[str, Any]) -> str:
    return f"{record['type']} {record['group']}{_source_text(record['sources'])}"


def _query_text(line: dict[str, Any]) -> str:
    general = line["group"] in ("0.0.0.0", "::")
    group = "general" if general else f"{line['group']}{_source_text(line['sources'])}"
    times = f"{group}, answer within {line['max_resp']:g} s"
    if line["qrv"] is None:
        return times
    suppress = ", S" if line["s"] else ""
    return f"{times}, robustness {line['qrv']}, interval {line['qqi']} s{suppress}"


def _source_text(sources: list[str]) -> str:
    return f" {{{', '.join(sources)}}}" if sources else ""
