"""The packets of `golden/messages.yaml` and what they say, as the core's values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from mcastd.gmp.family import FAMILIES, IGMP, ProtocolFamily
from mcastd.gmp.messages import Leave, MembershipReport, Message, Query, RecordReport
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.gmp.time import Duration, seconds
from mcastd.native import SourceList

GOLDEN = Path(__file__).parent.parent / "golden"

RECORD_TYPES = {
    "IS_IN": RecordType.MODE_IS_INCLUDE,
    "IS_EX": RecordType.MODE_IS_EXCLUDE,
    "TO_IN": RecordType.CHANGE_TO_INCLUDE_MODE,
    "TO_EX": RecordType.CHANGE_TO_EXCLUDE_MODE,
    "ALLOW": RecordType.ALLOW_NEW_SOURCES,
    "BLOCK": RecordType.BLOCK_OLD_SOURCES,
}


@dataclass(frozen=True)
class Golden:
    """A packet, from the IP header on, and its meaning."""

    name: str
    packet: bytes
    family: ProtocolFamily
    message: Message


def golden_messages() -> list[Golden]:
    entries = yaml.safe_load((GOLDEN / "messages.yaml").read_text())
    return [_golden(entry) for entry in entries]


def _golden(entry: dict[str, Any]) -> Golden:
    (kind,) = entry.keys() & {"query", "report", "leave", "records"}
    said = entry[kind]
    family = FAMILIES[said["family"]]
    message: Message = _READERS[kind](family, said)
    return Golden(entry["name"], bytes.fromhex(entry["packet"]), family, message)


def _addresses(family: ProtocolFamily, said: dict[str, Any]) -> tuple[bytes, bytes]:
    return family.parse(said["from"]), family.parse(said["to"])


def _sources(family: ProtocolFamily, said: dict[str, Any]) -> SourceList:
    texts = said.get("sources", [])
    return SourceList.of((family.parse(text) for text in texts), family.address_width)


def _query(family: ProtocolFamily, said: dict[str, Any]) -> Query:
    """Codes in the file are small, so that they mean the same to all versions but IGMPv1."""
    source, destination = _addresses(family, said)
    max_response = seconds(said["max_resp"])
    linear = Duration(0) if (family, said["version"]) == (IGMP, 1) else max_response
    group = family.parse(said["group"]) if "group" in said else family.unspecified
    return Query(
        said["version"], source, destination, group, _sources(family, said), max_response,
        linear, said.get("qrv", 0), Duration(seconds(said.get("qqi", 0))),
    )  # fmt: skip


def _report(family: ProtocolFamily, said: dict[str, Any]) -> MembershipReport:
    group = family.parse(said["group"])
    return MembershipReport(said["version"], *_addresses(family, said), group)


def _leave(family: ProtocolFamily, said: dict[str, Any]) -> Leave:
    return Leave(said["version"], *_addresses(family, said), family.parse(said["group"]))


def _records(family: ProtocolFamily, said: dict[str, Any]) -> RecordReport:
    records = tuple(
        GroupRecord(RECORD_TYPES[each["type"]], family.parse(each["group"]), _sources(family, each))
        for each in said["records"]
    )
    return RecordReport(said["version"], *_addresses(family, said), records)


_READERS: dict[str, Callable[[ProtocolFamily, dict[str, Any]], Message]] = {
    "query": _query,
    "report": _report,
    "leave": _leave,
    "records": _records,
}
