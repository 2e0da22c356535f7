"""What the engine costs: CPU of a join and of the whole answer to a general query, by groups held.

The answer is measured from the query to its last packet, checksums and all. Before each one a group
is joined and another is left, as they would be between two queries of a live network.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from time import thread_time_ns

from mcastd.gmp.config import HostConfig
from mcastd.gmp.delays import RandomDelays
from mcastd.gmp.effects import SendRecords
from mcastd.gmp.events import Listen
from mcastd.gmp.family import FAMILIES, IGMP, Address, ProtocolFamily
from mcastd.gmp.filters import SourceFilter, exclude, include
from mcastd.gmp.host import Host
from mcastd.gmp.messages import Query
from mcastd.gmp.time import Duration, Instant, after, seconds
from mcastd.native import SourceList
from mcastd.wire import report_packets

from mcastd_bench.kernel_host import KernelHost, kernel_answer
from mcastd_bench.row import Contest, Missing, Row

HELD = [100, 1000, 10_000, 100_000]
JOINS = 500
"""Together, so that the clock's own cost does not count."""

ANSWERS = {
    "100": (100, 0),
    "1000": (1000, 0),
    "10000": (10_000, 0),
    "100000": (100_000, 0),
    "4096x64": (4096, 64),
}
"""Groups, and sources of each."""

MTU = 1500
GROUPS = {"igmp": "239.0.0.0", "mld": "ff15::"}
SOURCES = {"igmp": "10.0.0.0", "mld": "2001:db8::"}
QUERIERS = {"igmp": "192.0.2.1", "mld": "fe80::1"}
SPREAD, SPACE = 2654435761, 1 << 20
"""A number without a factor of the space's: it scatters groups, as applications do."""


def rows() -> Iterable[Row]:
    for family, suffix in zip(FAMILIES.values(), ("", "/v6"), strict=True):
        for held in HELD:
            yield Row(f"engine.join/{held}{suffix}", "us", partial(_joins, family, held))
        for size, (groups, sources) in ANSWERS.items():
            prepare = partial(_answers, family, groups, sources)
            yield Row(f"engine.general_query/{size}{suffix}", "ms", prepare)


def group(family: ProtocolFamily, number: int) -> Address:
    """Different ones for different numbers below 2^20."""
    base = int.from_bytes(family.parse(GROUPS[family.name]))
    return (base + number * SPREAD % SPACE).to_bytes(family.address_width)


def some_sources(family: ProtocolFamily, number: int) -> SourceFilter:
    """INCLUDE of so many sources; a plain join for none."""
    base = int.from_bytes(family.parse(SOURCES[family.name]))
    width = family.address_width
    sources = SourceList.of(((base + i).to_bytes(width) for i in range(number)), width)
    return include(sources) if number else exclude(sources)


class HeldGroups:
    """A host that holds groups, and whose clock goes on."""

    def __init__(
        self,
        family: ProtocolFamily,
        groups: int,
        sources: int = 0,
        at_once: int = sys.maxsize,
    ) -> None:
        self.family = family
        delays = RandomDelays(random.Random(1))
        self.host = Host(family, HostConfig.from_mapping(family, {}), delays, at_once)
        self.now = Instant(0)
        self._nothing = include(family.no_sources)
        self._wanted = some_sources(family, sources)
        self._numbers = count()
        self._oldest = count()
        for _ in range(groups):
            self.host.handle(self.now, self.request())
        self.settle()

    def request(self) -> Listen:
        """To join one more group."""
        return Listen("bench", group(self.family, next(self._numbers)), self._wanted)

    def leave_oldest(self) -> None:
        oldest = group(self.family, next(self._oldest))
        self.host.handle(self.now, Listen("bench", oldest, self._nothing))

    def settle(self) -> None:
        """Lets all reports be sent that are owed, and older queriers be forgotten."""
        self.now = after(self.now, Duration(seconds(1000)))
        while self.is_due():
            self.host.advance(self.now)

    def is_due(self) -> bool:
        """Whether the host has something to do."""
        due = self.host.next_deadline()
        return due is not None and due <= self.now

    def change(self) -> None:
        """One group more and one less, told to the end."""
        self.host.handle(self.now, self.request())
        self.leave_oldest()
        self.settle()

    def query(self, version: int) -> Query:
        family, response = self.family, seconds(10)
        querier = family.parse(QUERIERS[family.name])
        no_group, no_sources = family.unspecified, family.no_sources
        return Query(version, querier, family.all_hosts, no_group, no_sources, response, response)


def cpu_time(call: Callable[[], object]) -> int:
    """Nanoseconds of this thread."""
    start = thread_time_ns()
    call()
    return thread_time_ns() - start


def _joins(family: ProtocolFamily, held: int) -> Contest:
    """Joins as many groups as are left then, so that as many are held in every run."""
    state = HeldGroups(family, held)

    def join_all(requests: list[Listen]) -> None:
        for request in requests:
            state.host.handle(state.now, request)

    def sample(_seconds: float) -> float:
        requests = [state.request() for _ in range(JOINS)]
        spent = cpu_time(partial(join_all, requests))
        for _ in range(JOINS):
            state.leave_oldest()
        state.settle()
        return spent / JOINS / 1e3

    return Contest(sample)


def _answers(family: ProtocolFamily, groups: int, sources: int) -> Contest:
    state = HeldGroups(family, groups, sources)
    source = family.parse(QUERIERS[family.name])

    def answer() -> None:
        state.host.handle(state.now, state.query(family.newest))
        state.now = after(state.now, Duration(seconds(20)))
        for effect in state.host.advance(state.now):
            if isinstance(effect, SendRecords):
                for _ in report_packets(family, effect.records, source, MTU):
                    pass

    def sample(_seconds: float) -> float:
        state.change()
        return cpu_time(answer) / 1e6

    kernel = _kernel(family, groups, sources)
    if isinstance(kernel, Missing):
        return Contest(sample, {"kernel": kernel})
    return Contest(sample, {"kernel": kernel.sample}, kernel.close)


def _kernel(family: ProtocolFamily, groups: int, sources: int) -> KernelHost | Missing:
    if family is not IGMP:
        return Missing("the kernel answers MLD in a thread that others may interrupt")
    return kernel_answer([group(family, number) for number in range(groups)], sources)
