"""Prints one line for a packet: JSON with the interfaces' field names, or text for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mcastd.gmp.time import in_seconds
from mcastd.wire import Received, Rejected
from mcastd.wire.describe import described


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
    time = None if at is None else in_seconds(at)
    return {"n": number, "ts": time} | described(decoded, cut=cut, untold=untold)


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
