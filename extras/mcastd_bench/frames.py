"""Frames for the rows about packets: many different ones of each sort, so none is learned."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from mcastd.gmp.family import IGMP, MLD, Address, ProtocolFamily
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.gmp.time import seconds
from mcastd.native import SourceList
from mcastd.wire import query, report_packets

COUNT = 64
"""Of each sort."""

ETHERTYPES = {4: b"\x08\x00", 16: b"\x86\xdd"}
LEAST = 60
"""Bytes of a frame on the wire, without its check sequence."""

MTU = 1500
LONG_REPORT = 180
"""Records: what fits the MTU."""


def ethernet(packet: bytes) -> bytes:
    """To a multicast address of no importance, padded."""
    width = 4 if packet[0] >> 4 == 4 else 16
    head = b"\x01\x00\x5e\x00\x00\x01" + b"\x02\x00\x00\x00\x00\x01" + ETHERTYPES[width]
    return (head + packet).ljust(LEAST, b"\0")


def many(make: Callable[[random.Random], bytes]) -> list[bytes]:
    """The same in every run."""
    rng = random.Random(1)
    return [ethernet(make(rng)) for _ in range(COUNT)]


def querier(family: ProtocolFamily, rng: random.Random) -> Address:
    if family is IGMP:
        return bytes((10, rng.randrange(256), rng.randrange(256), rng.randrange(1, 255)))
    return b"\xfe\x80" + bytes(6) + rng.randbytes(8)


def group(family: ProtocolFamily, rng: random.Random) -> Address:
    if family is IGMP:
        return b"\xef" + rng.randbytes(3)
    return b"\xff\x15" + rng.randbytes(14)


def a_query(family: ProtocolFamily, rng: random.Random) -> bytes:
    """General ones and those of a group, with and without sources."""
    asked = rng.choice((None, group(family, rng)))
    width = family.address_width
    count = rng.randrange(4) if asked else 0
    sources = SourceList.of((querier(family, rng) for _ in range(count)), width)
    return query(
        family,
        family.newest,
        source=querier(family, rng),
        group=asked,
        sources=sources,
        max_response=seconds(10),
    )


def a_report(family: ProtocolFamily, records: int, rng: random.Random) -> bytes:
    told = [
        GroupRecord(RecordType.MODE_IS_EXCLUDE, group(family, rng), family.no_sources)
        for _ in range(records)
    ]
    return next(report_packets(family, told, querier(family, rng), MTU))


def a_datagram(family: ProtocolFamily, rng: random.Random) -> bytes:
    """UDP to a group: what passes by in masses."""
    payload = rng.randbytes(rng.choice((18, 200, 700, 1358)))
    udp = struct.pack(">HHHH", 5004, 5004, 8 + len(payload), 0) + payload
    source, destination = querier(family, rng), group(family, rng)
    if family is IGMP:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 16, 17, 0)
    else:
        head = struct.pack(">IHBB", 6 << 28, len(udp), 17, 16)
    return head + source + destination + udp


def queries(family: ProtocolFamily) -> list[bytes]:
    return many(lambda rng: a_query(family, rng))


def reports(family: ProtocolFamily, records: int = 1) -> list[bytes]:
    return many(lambda rng: a_report(family, records, rng))


def bystanders() -> list[bytes]:
    """Multicast data of both families, of several lengths."""
    return many(lambda rng: a_datagram(rng.choice((IGMP, MLD)), rng))
