"""What a host may not say: what takes away from an owner, or is newer than the cap."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from support.host_lab import Filter, is_system
from support.sniffer import Seen
from support.twin_hosts import OWNERS, Role, Twin

INITIAL_SECONDS = 3.0
"""In which the kernel repeats what it said when the link came up."""

READDRESSED_SECONDS = 0.25
"""In which the agent hears of another hardware address: until then it is not held back what comes
from there, which may be somebody else's."""

ALL = "all others"

Record = tuple[str, str, frozenset[str]]

SPOKEN_IN = {"report1": 1, "report2": 2, "leave": 2, "report": 3}
"""Versions of IGMP; for MLD one less, and a Done is of version 1."""


def harms(twin: Twin, since: float) -> Iterator[tuple[Hashable, str]]:
    """Packets that take away what is wanted just then by an owner that they speak for.

    What was said, about what, and in words.
    """
    spoken = twin.sniffer.spoken(since)
    for each in spoken:
        slack = twin.slack(each.at)
        for record in records(each):
            for owner, wanted in enumerate(twin.wanted):
                if (OWNERS[owner] is Role.GUEST) != twin.is_guests(each):
                    continue
                steady = set(wanted.throughout(record[1], each.at - slack, each.at + slack))
                if len(steady) != 1:
                    continue  # it has just changed
                (current,) = steady
                lost = taken(record, current)
                if not lost or is_initial(twin, each, record):
                    continue
                if is_excused(twin, each, owner) or (
                    OWNERS[owner] is Role.CLIENT
                    and is_said_again(spoken, each, record, lost, slack)
                ):
                    continue
                type_, group, sources = record
                text = (
                    f"{type_} {group} {sorted(sources)} takes {sorted(lost)} from the "
                    f"{OWNERS[owner].value} {owner}, who wants {current}, at {each.at - since:.3f}"
                )
                yield (type_, group), text


def is_initial(twin: Twin, seen: Seen, record: Record) -> bool:
    """Whether it may be what Linux says of all groups when a link comes up, and repeats.

    If one socket excludes sources and another includes some, its TO_EX of then names those that are
    included (mld_send_initial_cr, seen with the kernel alone).
    """
    lately = any(0 <= seen.at - up <= INITIAL_SECONDS for up in twin.ups)
    return seen.protocol == "mld" and record[0] == "TO_EX" and lately


def is_excused(twin: Twin, seen: Seen, owner: int) -> bool:
    """Whether nobody could speak for the client: there was no agent, or no link any more.

    Also if that came to be so before an answer was due.
    """
    if OWNERS[owner] not in (Role.CLIENT, Role.KERNEL_CLIENT):
        return False
    slack = twin.slack(seen.at)
    is_gone = any(seen.at - slack <= down <= seen.at + slack for down in twin.downs)
    return is_gone or twin.is_absent(seen.at) or twin.is_absent(seen.at + slack)


def records(seen: Seen) -> tuple[Record, ...]:
    """Of any version, as records: a Leave is one that takes all away (RFC 9776 §7.3.2)."""
    nothing: frozenset[str] = frozenset()
    if seen.what == "leave":
        return (("TO_IN", seen.group, nothing),)
    if seen.what in ("report1", "report2"):
        return (("IS_EX", seen.group, nothing),)
    return seen.records


def taken(record: Record, wanted: Filter | None) -> set[str]:
    """What a record takes away of what is wanted; sources that nobody has named are one more."""
    if wanted is None:
        return set()
    type_, _, sources = record
    mode, listed = wanted
    named = {*sources, *listed}
    wants = listed if mode == "include" else (named | {ALL}) - listed
    if type_ == "TO_IN":
        return set(wants) - sources
    if type_ in ("BLOCK", "TO_EX"):
        return set(wants) & sources
    return set()


def is_said_again(
    spoken: list[Seen], harmful: Seen, record: Record, lost: set[str], within: float
) -> bool:
    """Whether what was taken from a client is told soon after; meant are 20 ms."""
    return any(
        harmful.at <= each.at <= harmful.at + within
        and about == record[1]
        and (lost - {ALL} <= sources if type_ in ("ALLOW", "IS_IN") else not lost & sources)
        for each in spoken
        for type_, about, sources in records(each)
        if type_ in ("ALLOW", "IS_IN", "IS_EX", "TO_EX")
    )


def excesses(twin: Twin, since: float) -> Iterator[tuple[Hashable, str]]:
    """Messages of a version above the cap that was in force; a container is not subject to it."""
    for each in twin.sniffer.spoken(since):
        version = SPOKEN_IN[each.what] - (each.protocol == "mld")
        if each.protocol == "mld" and each.what == "report1":
            version = 1
        slack = twin.slack(each.at)
        cap = twin.cap_throughout(each.protocol, each.at - slack, each.at + slack)
        if version <= cap or twin.is_guests(each) or twin.is_absent(each.at):
            continue
        if any(0 <= each.at - at <= READDRESSED_SECONDS + slack for at in twin.readdressed):
            continue
        if each.what == "report" and all(is_system(group) for _, group, _ in each.records):
            continue
        text = f"{each.what} of {records(each)} above the cap {cap} at {each.at - since:.3f}"
        yield (each.what, each.protocol), text
