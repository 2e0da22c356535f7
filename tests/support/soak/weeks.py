"""Weeks of the protocol in seconds: an observer of each family, without a network, on a clock of
its own.

What happens in a week is random and never the same twice: groups and queriers have new addresses.
At its end all is left again, so that what is still there is what a week leaves behind.
"""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from mcastd.gmp.effects import ReportsMatter, SendLeave, SendRecords, SendReport
from mcastd.gmp.family import IGMP, MLD, Address, ProtocolFamily
from mcastd.gmp.messages import Query, RecordReport
from mcastd.gmp.time import Duration, Instant, after, seconds
from mcastd.service.joined import Joined
from mcastd.service.observer import Observer
from mcastd.wire import Kind, Received

from support.network import Network

DAY = 86_400
QUERY_INTERVAL = 125
CHANGE_INTERVAL = 300.0
"""Seconds between two wishes, in the mean."""

GROUPS = 6
"""In a week; those of the next week are others."""

APPLICATIONS = ("api:a", "api:b", "config")


class Left(NamedTuple):
    """What is there at the end of a week: objects of the collector's, and blocks of memory."""

    objects: int
    blocks: int


class Mute:
    """A fast path that only counts."""

    is_busy = False

    def __init__(self) -> None:
        self.said = 0

    def send(self, order: SendRecords | SendReport | SendLeave, *, urgent: bool = False) -> None:
        self.said += 1

    def listen(self, matter: ReportsMatter) -> None:
        pass

    def refresh(self, within: Duration) -> None:
        pass


class Life:
    """One observer, its querier, and those who come and go."""

    def __init__(self, family: ProtocolFamily, dice: random.Random) -> None:
        self._net, self._dice = Network(family), dice
        self._observer = Observer(family, self._net.config())
        self.voice = Mute()
        self._now = Instant(seconds(1))
        self._observer.speak(self._now, self.voice)
        self._kinds = {
            kind.version: kind for kind in Kind if kind.family is family and kind.type == "query"
        }

    def week(self) -> None:
        begun, end = self._now, after(self._now, seconds(7 * DAY))
        due: dict[Callable[[], None], float] = {
            self._general: QUERY_INTERVAL, self._change: CHANGE_INTERVAL,
            self._specific: 1800.0, self._stranger: 3600.0, self._older: 43_200.0,
            self._flap: 86_400.0, self._readdress: 86_400.0, self._report_of_kernel: 600.0,
        }  # fmt: skip
        nexts = {
            each: after(begun, seconds(self._dice.random() * gap)) for each, gap in due.items()
        }
        self._groups = [self._group() for _ in range(40)]
        while True:
            action = min(nexts, key=nexts.__getitem__)
            if nexts[action] >= end:
                break
            self._pass_time(nexts[action])
            action()
            gap = due[action]
            wait = gap if action == self._general else self._dice.expovariate(1 / gap)
            nexts[action] = after(self._now, seconds(wait))
        self._leave_all()
        self._pass_time(after(end, seconds(3600)))

    def _pass_time(self, until: Instant) -> None:
        while (due := self._observer.next_deadline()) is not None and due <= until:
            self._now = max(self._now, due)
            self._observer.advance(self._now)
        self._now = until

    def _group(self) -> Address:
        start = b"\xef\x01" if self._net.family is IGMP else b"\xff\x1e"
        return start + self._dice.randbytes(self._net.family.address_width - 2)

    def _hear(self, query: Query) -> None:
        received = Received(query, self._kinds[query.version], (), frozenset())
        self._observer.hear(self._now, received)

    # What happens.

    def _general(self) -> None:
        self._hear(self._net.query())

    def _specific(self) -> None:
        self._hear(self._net.query(self._dice.choice(self._groups), max_response=1))

    def _stranger(self) -> None:
        width = self._net.family.address_width
        source = self._net.here[:1] + self._dice.randbytes(width - 1)
        self._hear(replace(self._net.query(), source=source))

    def _older(self) -> None:
        self._hear(self._net.older_query())

    def _flap(self) -> None:
        self._observer.link(self._now, running=False)
        self._observer.link(self._now, running=True)

    def _readdress(self) -> None:
        self._observer.source_address(self._now, self._net.family.unspecified)
        self._observer.source_address(self._now, self._net.here)

    def _change(self) -> None:
        net, group = self._net, self._dice.choice(self._groups)
        wanted = self._dice.choice(
            (net.nothing, net.everything, net.exclude(net.s1), net.include(net.s1, net.s2))
        )
        if self._dice.random() < 0.5:
            self._observer.listen(self._now, self._dice.choice(APPLICATIONS), group, wanted)
        else:
            joined = None if wanted == net.nothing else Joined(wanted, True, 1)
            self._observer.kernel_receives(self._now, group, joined)

    def _report_of_kernel(self) -> None:
        net, groups = self._net, self._dice.sample(self._groups, 3)
        records = tuple(map(net.is_ex, groups))
        report = RecordReport(net.newest, net.here, net.family.all_report_routers, records)
        self._observer.overhear(self._now, report)

    def _leave_all(self) -> None:
        for group in self._groups:
            for application in APPLICATIONS:
                self._observer.listen(self._now, application, group, self._net.nothing)
            self._observer.kernel_receives(self._now, group, None)
        del self._groups


def left_after(weeks: int, seed: int) -> tuple[list[Left], int]:
    """What each week left behind, and how many messages were said in all."""
    lives = [Life(family, random.Random(f"{seed}/{family.name}")) for family in (IGMP, MLD)]
    found: list[Left] = []
    for _ in range(weeks):
        for each in lives:
            each.week()
        gc.collect()
        found.append(Left(len(gc.get_objects()), sys.getallocatedblocks()))
    return found, sum(each.voice.said for each in lives)


WARM = 2
"""Weeks until all caches are filled."""

OWN = 4
"""Objects and blocks for each entry of the list of what was found."""


def grows(found: Sequence[Left]) -> bool:
    """Whether the last week left more behind than the first one after the caches were warm."""
    weeks = len(found) - WARM
    objects = found[-1].objects - found[WARM].objects
    blocks = found[-1].blocks - found[WARM].blocks
    return objects > weeks * OWN or blocks > weeks * OWN
