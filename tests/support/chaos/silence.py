"""For how long nobody spoke for a group that was wanted, though the querier had asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from support.chaos.wishes import Wishes, protocol_of
from support.sniffer import Seen

Outage = tuple[str, float, float]
"""Interface, and from when to when nothing can come from it: it is down, or not there."""


class Silence(NamedTuple):
    seconds: float
    group: str


GENERAL = ("0.0.0.0", "::")

TAKES_AWAY = ("BLOCK", "TO_IN")


def longest(
    wishes: Wishes,
    name: str,
    seen: Sequence[Seen],
    *,
    outages: Iterable[Outage],
    queriers: Iterable[str],
    until: float,
    stalls: Iterable[tuple[float, float]] = (),
) -> dict[str, Silence]:
    """By who should have spoken, "kernel" or "agent": the longest time from the first question
    without an answer to the next thing that is said of the group. `queriers`: whose questions
    count. `stalls`: when the agent was kept from running."""
    found = {"kernel": Silence(0.0, ""), "agent": Silence(0.0, "")}
    outages = [each for each in outages if each[0] == name]
    asked_by, stalls = set(queriers), list(stalls)
    for group in wishes.groups(name):
        protocol = protocol_of(group)
        moments = [
            *((at, "changed") for at in wishes.changes(name, group)),
            *((end, "outage") for _, _, end in outages),
            *((begin, "outage") for _, begin, _ in outages),
            *((moment, "stall") for stall in stalls for moment in stall),
            *happenings(seen, protocol, group, asked_by),
            (until, "said"),
        ]
        since: tuple[float, str] | None = None
        for at, what in sorted(moments):
            speaker = wishes.speaker(name, group, at)
            is_stalled = speaker == "agent" and any(begin <= at <= end for begin, end in stalls)
            if speaker is None or what == "outage" or is_stalled:
                since = None
            elif what == "asked" and since is None and not is_out(outages, at):
                since = (at, speaker)
            elif what == "said" and since is not None:
                found[since[1]] = max(found[since[1]], Silence(at - since[0], group))
                since = None
    return found


def is_out(outages: Iterable[Outage], at: float) -> bool:
    return any(begin <= at <= end for _, begin, end in outages)


def happenings(
    seen: Iterable[Seen], protocol: str, group: str, queriers: set[str]
) -> Iterator[tuple[float, str]]:
    for each in seen:
        if each.protocol != protocol:
            continue
        if not each.from_host:
            if each.what == "query" and each.group in GENERAL and each.source in queriers:
                yield each.at, "asked"
        elif each.what in ("report1", "report2"):
            if each.group == group:
                yield each.at, "said"
        elif any(about == group and type_ not in TAKES_AWAY for type_, about, _ in each.records):
            yield each.at, "said"
