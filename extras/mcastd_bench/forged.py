"""Forged messages of every kind, each from somebody else: what a flood is made of.

Of both families all versions of queries, reports and leaves, from random sources and about random
groups; some with a wrong checksum or TTL, some with one VLAN tag or two.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from mcastd.gmp.family import FAMILIES, ProtocolFamily
from mcastd.gmp.time import Duration
from mcastd.native import SourceList
from mcastd.wire import (
    Kind,
    Received,
    ReceptionContext,
    Rejected,
    decode_frame,
    leave,
    membership_report,
    query,
)

from mcastd_bench.frames import a_report, ethernet, group, querier

OF_EACH_KIND = 32

LONGEST_RESPONSE = 25_000_000_000
"""Of a forged query, ns; what IGMPv2 can say at the most."""

ROUTERS_TTL = 64

TAGS = (b"\x88\xa8", b"\x81\x00")
"""Ethertypes of the outer and the inner VLAN tag (IEEE 802.1Q)."""

Make = Callable[[random.Random], bytes]


def flood() -> list[bytes]:
    """Frames, shuffled; the same in every run."""
    dice = random.Random(6)
    made = [
        tagged(ethernet(damaged(make(dice), dice)), dice)
        for family in FAMILIES.values()
        for make in kinds(family)
        for _ in range(OF_EACH_KIND)
    ]
    dice.shuffle(made)
    return made


def kinds(family: ProtocolFamily) -> Iterable[Make]:
    for version in family.versions:
        yield partial(a_query, family, version)
        yield partial(report_of, family, version)
    yield lambda dice: leave(family, group(family, dice), querier(family, dice))


def a_query(family: ProtocolFamily, version: int, dice: random.Random) -> bytes:
    """Half of them general, the others about a group and, in the newest version, its sources."""
    asked = dice.choice((None, group(family, dice)))
    count = dice.randrange(4) if asked and version == family.newest else 0
    sources = (querier(family, dice) for _ in range(count))
    return query(
        family,
        version,
        source=querier(family, dice),
        group=asked,
        sources=SourceList.of(sources, family.address_width),
        max_response=Duration(dice.randrange(LONGEST_RESPONSE)),
        ttl=dice.choice((1, 1, 1, 1, ROUTERS_TTL)),
    )


def report_of(family: ProtocolFamily, version: int, dice: random.Random) -> bytes:
    """Of one group, in the newest version of up to 20."""
    if version == family.newest:
        return a_report(family, dice.randrange(1, 20), dice)
    return membership_report(family, version, group(family, dice), querier(family, dice))


def damaged(packet: bytes, dice: random.Random) -> bytes:
    """One in ten has a byte changed that only the checksum tells."""
    if dice.randrange(10):
        return packet
    return packet[:-1] + bytes((packet[-1] ^ 0x55,))


def tagged(frame: bytes, dice: random.Random) -> bytes:
    """One in twenty has a tag, one in twenty two."""
    count = dice.choice((0,) * 18 + (1, 2))
    tags = b"".join(
        kind + dice.randrange(1, 4095).to_bytes(2) for kind in TAGS[len(TAGS) - count :]
    )
    return frame[:12] + tags + frame[12:]


class Expected(NamedTuple):
    """What a host has counted after so many frames.

    `received`: by kind, such as "igmp query 3", or protocol and reason, such as "mld bad_ttl".
    `queries`: handed over or refused by the limits. `consumed`: older queries kept from the kernel
    in host mode, by protocol; none of a VLAN's.
    """

    received: Counter[str]
    queries: int
    consumed: Counter[str]


class _Counted(NamedTuple):
    received: str
    is_query: bool
    consumed: str | None


def expected(frames: Sequence[bytes], count: int, context: ReceptionContext) -> Expected:
    """If `count` of the frames are sent in turn, from the first."""
    received, consumed, queries = Counter[str](), Counter[str](), 0
    whole, rest = divmod(count, len(frames))
    for index, frame in enumerate(frames):
        times = whole + (index < rest)
        counted = _counted(frame, context)
        received[counted.received] += times
        queries += times * counted.is_query
        if counted.consumed is not None:
            consumed[counted.consumed] += times
    return Expected(+received, queries, +consumed)


def _counted(frame: bytes, context: ReceptionContext) -> _Counted:
    found = decode_frame(frame, context)
    assert isinstance(found, Received | Rejected)
    name = found.kind.label
    if isinstance(found, Rejected):
        name = f"{found.family.name} {found.reason.label}"
    is_older = is_query(found.kind) and found.version != found.family.newest
    consumed = found.family.name if is_older and not any(found.vlan) else None
    return _Counted(name, is_query(found.kind), consumed)


def is_query(kind: Kind) -> bool:
    return kind.type == "query"
