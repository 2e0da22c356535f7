"""The demonstration: a querying bridge, a host run by mcastd, and a neighbour.

switch      br0     192.0.2.1    a bridge: IGMPv3 and MLDv2 querier, snooping
host        eth0    192.0.2.10   run by `mcastd run` in observe mode
neighbour   eth0    192.0.2.11   joins, changes its sources, leaves
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from mcastd_lab.agent import RunningAgent
from mcastd_lab.forward import Forwarder
from mcastd_lab.lab import Lab
from mcastd_lab.links import Bridge
from mcastd_lab.members import Member

METRICS = ("127.0.0.1", 9776)
INTERFACE = "eth0"

ANY_SOURCE = "239.1.2.3"
SOURCE_SPECIFIC = "232.1.2.3"
ANY_SOURCE_V6 = "ff15::db8:1"
SOURCE_SPECIFIC_V6 = "ff3e::db8:2"
ANOTHER = "239.1.2.4"
ANOTHER_V6 = "ff15::db8:4"
SOURCES = ("198.51.100.1", "198.51.100.2")
SOURCES_V6 = ("2001:db8::1", "2001:db8::2")


class Step(NamedTuple):
    """Something that happens: what to say, and what to do."""

    text: str
    act: Callable[[], None]


class Demo:
    """The network of the demonstration, running."""

    def __init__(self, lab: Lab) -> None:
        """LabError or FastPathError with one line if it cannot be had."""
        switch, host, neighbour = (lab.namespace(each) for each in ("switch", "host", "neighbour"))
        # First of all: whether the port is free is quickly known.
        lab.keep(Forwarder(host, *METRICS))
        bridge = Bridge(switch, "br0", "192.0.2.1/24")
        # What other hosts report is sent to routers' ports only; the demonstration wants it seen.
        bridge.connect(host, INTERFACE, "192.0.2.10/24", sees_reports=True)
        bridge.connect(neighbour, INTERFACE, "192.0.2.11/24")
        self.lab, self.host = lab, host
        self.receiver = lab.keep(Member(host, INTERFACE))
        self.neighbour = lab.keep(Member(neighbour, INTERFACE))

    def start_agent(self) -> RunningAgent:
        """mcastd on the host; its log goes to standard error."""
        metrics = "{}:{}".format(*METRICS)
        return self.lab.agent(self.host, "-i", INTERFACE, "--metrics", metrics, shows_log=True)

    def story(self, *, begins: bool = False) -> Iterator[Step]:
        """What happens again and again; at its end all is as it was. The host joins only once."""
        if begins:
            yield from joins(self.receiver, "the host")
        yield from joins(self.neighbour, "the neighbour")
        yield adds_source(self.receiver, "the host")
        yield excludes(self.neighbour, "the neighbour")
        yield leaves(self.neighbour, "the neighbour")
        yield drops_source(self.receiver, "the host")
        yield joins_another(self.receiver, "the host")
        yield leaves_another(self.receiver, "the host")


def joins(member: Member, who: str) -> Iterator[Step]:
    def any_source() -> None:
        member.join(ANY_SOURCE)
        member.join(ANY_SOURCE_V6)

    def source_specific() -> None:
        member.join_source(SOURCE_SPECIFIC, SOURCES[0])
        member.join_source(SOURCE_SPECIFIC_V6, SOURCES_V6[0])

    yield Step(f"{who} joins {ANY_SOURCE} and {ANY_SOURCE_V6}", any_source)
    yield Step(
        f"{who} joins {SOURCE_SPECIFIC} and {SOURCE_SPECIFIC_V6} from one source", source_specific
    )


def adds_source(member: Member, who: str) -> Step:
    def act() -> None:
        member.only_from(SOURCE_SPECIFIC, SOURCES)
        member.only_from(SOURCE_SPECIFIC_V6, SOURCES_V6)

    return Step(f"{who} wants a second source for {SOURCE_SPECIFIC}: {SOURCES[1]}", act)


def drops_source(member: Member, who: str) -> Step:
    def act() -> None:
        member.only_from(SOURCE_SPECIFIC, SOURCES[:1])
        member.only_from(SOURCE_SPECIFIC_V6, SOURCES_V6[:1])

    return Step(f"{who} does not want {SOURCES[1]} any more", act)


def excludes(member: Member, who: str) -> Step:
    def act() -> None:
        member.not_from(ANY_SOURCE, SOURCES[:1])
        member.not_from(ANY_SOURCE_V6, SOURCES_V6[:1])

    return Step(f"{who} wants {ANY_SOURCE} from all but {SOURCES[0]}", act)


def leaves(member: Member, who: str) -> Step:
    def act() -> None:
        for group in (ANY_SOURCE, SOURCE_SPECIFIC, ANY_SOURCE_V6, SOURCE_SPECIFIC_V6):
            member.leave(group)

    return Step(f"{who} leaves all of it", act)


def joins_another(member: Member, who: str) -> Step:
    def act() -> None:
        member.join(ANOTHER)
        member.join(ANOTHER_V6)

    return Step(f"{who} joins {ANOTHER} and {ANOTHER_V6}", act)


def leaves_another(member: Member, who: str) -> Step:
    def act() -> None:
        member.leave(ANOTHER)
        member.leave(ANOTHER_V6)

    return Step(f"{who} leaves {ANOTHER} and {ANOTHER_V6}", act)
