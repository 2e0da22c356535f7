"""What a message says, whether it is to be believed or not."""

from __future__ import annotations

from dataclasses import dataclass

from mcastd.gmp.family import Address
from mcastd.gmp.messages import Leave, MembershipReport, Message, Other, Query, RecordReport
from mcastd.wire import codes
from mcastd.wire.codec import Codec
from mcastd.wire.kinds import Kind
from mcastd.wire.messages import QUERY_TAIL, ROBUSTNESS, SUPPRESS
from mcastd.wire.packing import REPORT_HEAD
from mcastd.wire.reasons import Reason
from mcastd.wire.records import UnknownRecord, read_records, read_sources


@dataclass(frozen=True, slots=True)
class Contents:
    """`message` is None if there are too few bytes to say; `faults` are those of the records."""

    message: Message | None = None
    faults: frozenset[Reason] = frozenset()
    unknown_records: tuple[UnknownRecord, ...] = ()


NOTHING = Contents()


def read_message(
    codec: Codec, kind: Kind, body: bytes, source: Address, destination: Address
) -> Contents:
    """The message in `body`, to be believed or not; nothing if it is too short to be one."""
    if kind.version is None:
        return Contents(Other(body[0], source, destination)) if body else NOTHING
    if kind.type == "report" and kind.version == codec.family.newest:
        return _record_report(codec, body, source, destination)
    if len(body) < codec.head.size:
        return NOTHING
    if kind.type == "query":
        return Contents(_query(codec, kind.version, body, source, destination))
    _, _, group = codec.head.unpack_from(body)
    message_type = MembershipReport if kind.type == "report" else Leave
    return Contents(message_type(kind.version, source, destination, group))


def _query(codec: Codec, version: int, body: bytes, source: Address, destination: Address) -> Query:
    family = codec.family
    _, code, group = codec.head.unpack_from(body)
    linear = codes.older_max_response(family, code)
    sources_at = codec.head.size + QUERY_TAIL.size
    if version != family.newest or len(body) < sources_at:
        response = family.max_response(version, linear)
        return Query(version, source, destination, group, family.no_sources, response, linear)
    flags, interval, count = QUERY_TAIL.unpack_from(body, codec.head.size)
    return Query(
        version,
        source,
        destination,
        group,
        read_sources(family, body, sources_at, count),
        codes.max_response(family, code),
        linear,
        flags & ROBUSTNESS,
        codes.query_interval(interval),
        bool(flags & SUPPRESS),
    )


def _record_report(codec: Codec, body: bytes, source: Address, destination: Address) -> Contents:
    if len(body) < REPORT_HEAD.size:
        return NOTHING
    _, count = REPORT_HEAD.unpack_from(body)
    family = codec.family
    read = read_records(family, body, REPORT_HEAD.size, count)
    faults = set()
    if not read.groups_are_multicast:
        faults.add(Reason.BAD_GROUP)
    if not read.whole:
        faults.add(Reason.BAD_SOURCE_COUNT)
    report = RecordReport(family.newest, source, destination, read.records)
    return Contents(report, frozenset(faults), read.unknown)
