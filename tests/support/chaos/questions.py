"""What others ask on the link: questions, those of older versions, and lies."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address

from support.queries import igmp_query, igmp_report, mld_query

STRAY, STRAY_6 = "192.0.2.66", "fe80::ffff:ffff:ffff:ffff"
"""Higher than the bridge's: it stays the querier."""

RIVAL, RIVAL_6 = "192.0.0.1", "fe80::"
"""Lower: the bridge gives way to it for a while."""

INTERVAL = 2
"""Seconds between queries, as those say who are asked to say so."""

Ask = Callable[[str, Sequence[str]], bytes]

IGMP: dict[str, Ask] = {
    "general": lambda _group, _sources: igmp_query(3, STRAY, interval=INTERVAL),
    "group": lambda group, _sources: igmp_query(3, STRAY, group=group, interval=INTERVAL),
    "sources": lambda group, sources: igmp_query(
        3, STRAY, group=group, sources=sources, interval=INTERVAL
    ),
    "rival": lambda _group, _sources: igmp_query(3, RIVAL, interval=INTERVAL),
    "version 2": lambda _group, _sources: igmp_query(2, STRAY),
    "version 1": lambda _group, _sources: igmp_query(1, STRAY),
    "hours to answer": lambda _group, _sources: igmp_query(
        3, STRAY, response=255, interval=INTERVAL
    ),
    "hours between": lambda _group, _sources: igmp_query(3, STRAY, interval=255),
    "from afar": lambda group, sources: igmp_query(
        3, STRAY, group=group, sources=sources, ttl=61
    ),
    "from nobody": lambda group, _sources: igmp_query(3, "0.0.0.0", group=group),
    "no group": lambda _group, _sources: igmp_query(3, STRAY, group="10.1.1.1", to="224.0.0.1"),
    "no time to answer": lambda _group, _sources: igmp_query(
        3, STRAY, response=0, interval=INTERVAL
    ),
}  # fmt: skip

MLD: dict[str, Ask] = {
    "general": lambda _group, _sources: mld_query(2, STRAY_6, interval=INTERVAL),
    "group": lambda group, _sources: mld_query(2, STRAY_6, group=group, interval=INTERVAL),
    "sources": lambda group, sources: mld_query(
        2, STRAY_6, group=group, sources=sources, interval=INTERVAL
    ),
    "rival": lambda _group, _sources: mld_query(2, RIVAL_6, interval=INTERVAL),
    "version 1": lambda _group, _sources: mld_query(1, STRAY_6),
    "hours to answer": lambda _group, _sources: mld_query(
        2, STRAY_6, response=0xFFFF, interval=INTERVAL
    ),
    "hours between": lambda _group, _sources: mld_query(2, STRAY_6, interval=255),
    "from afar": lambda group, _sources: mld_query(2, STRAY_6, group=group, hop_limit=61),
    "from nobody": lambda group, _sources: mld_query(2, "::", group=group),
    "no time to answer": lambda _group, _sources: mld_query(
        2, STRAY_6, response=0, interval=INTERVAL
    ),
}

ASK = {"igmp": IGMP, "mld": MLD}
QUESTIONS = {name: ("general", "group", "sources", "rival") for name in ASK}
OLDER = {"igmp": ("version 2", "version 1"), "mld": ("version 1",)}
LIES = {
    name: tuple(each for each in asks if each not in (*QUESTIONS[name], *OLDER[name]))
    for name, asks in ASK.items()
}


def strangers(seed: int) -> list[bytes]:
    """Queries and reports of all versions but older queries, each from somebody else."""
    dice = random.Random(seed)

    def four() -> str:
        return str(IPv4Address(0xC0000264 + dice.randrange(100)))

    def six() -> str:
        return str(IPv6Address((0xFE80 << 112) + (0xFF << 56) + dice.randrange(1 << 50)))

    def group() -> str:
        return str(IPv4Address(0xEF030000 + dice.randrange(50)))

    frames = [igmp_query(3, four(), interval=INTERVAL) for _ in range(30)]
    frames += [igmp_query(3, four(), group=group(), interval=INTERVAL) for _ in range(30)]
    frames += [mld_query(2, six(), interval=INTERVAL) for _ in range(30)]
    frames += [igmp_report(each % 3 + 1, four(), group()) for each in range(30)]
    dice.shuffle(frames)
    return frames
