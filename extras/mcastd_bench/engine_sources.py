"""What the engine costs by the sources of one group's filter: a join, a change, an answer.

CPU from the event to the last packet of what it makes the host say at once. Each filter has every
second of twice as many addresses in a row; a change adds one between them, or takes it away again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import partial
from itertools import cycle
from time import thread_time_ns

from mcastd.gmp.config import HostConfig
from mcastd.gmp.delays import RandomDelays
from mcastd.gmp.effects import Effect, SendRecords
from mcastd.gmp.events import Event, Listen
from mcastd.gmp.family import FAMILIES, ProtocolFamily
from mcastd.gmp.filters import SourceFilter, include
from mcastd.gmp.host import Host
from mcastd.gmp.messages import Query
from mcastd.gmp.time import Duration, Instant, after, seconds
from mcastd.native import SourceList
from mcastd.wire import report_packets

from mcastd_bench.engine import MTU, QUERIERS, SOURCES, group
from mcastd_bench.row import Contest, Row

NUMBERS = [1, 10, 100, 1000, 10_000, 100_000]


def rows() -> Iterable[Row]:
    for family, suffix in zip(FAMILIES.values(), ("", "/v6"), strict=True):
        for name, prepare in (
            ("engine.source_join", _joins),
            ("engine.filter_change", _changes),
            ("engine.group_query", _answers),
        ):
            for number in NUMBERS:
                yield Row(f"{name}/{number}{suffix}", "us", partial(prepare, family, number))


class OneGroup:
    """A host with one application and one group, and whose clock goes on."""

    def __init__(self, family: ProtocolFamily) -> None:
        self.family = family
        config = HostConfig.from_mapping(family, {"max_sources_per_filter": 1_000_000})
        self.host = Host(family, config, RandomDelays(random.Random(1)))
        self.group = group(family, 1)
        self.now = Instant(0)
        self._source = family.parse(QUERIERS[family.name])

    def take(self, event: Event) -> None:
        """Takes an event, and packs what is to be sent at once."""
        self._pack(self.host.handle(self.now, event))

    def wait(self) -> None:
        """Lets the host say what it still has to say."""
        self.now = after(self.now, Duration(seconds(100)))
        self._pack(self.host.advance(self.now))

    def wants(self, wanted: SourceFilter) -> Listen:
        return Listen("bench", self.group, wanted)

    def query(self) -> Query:
        family, response = self.family, seconds(1)
        return Query(
            family.newest, self._source, self.group, self.group, family.no_sources,
            response, response,
        )  # fmt: skip

    def _pack(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SendRecords):
                for _ in report_packets(self.family, effect.records, self._source, MTU):
                    pass


def sources(family: ProtocolFamily, number: int, more: Iterable[int] = ()) -> SourceFilter:
    """INCLUDE of the odd ones of so many pairs of addresses, and of some others."""
    base, width = int.from_bytes(family.parse(SOURCES[family.name])), family.address_width
    chosen = [*range(1, 2 * number, 2), *more]
    return include(SourceList.of(((base + each).to_bytes(width) for each in chosen), width))


def _joins(family: ProtocolFamily, number: int) -> Contest:
    one = OneGroup(family)
    wanted, nothing = one.wants(sources(family, number)), one.wants(include(family.no_sources))

    def leave() -> None:
        one.take(nothing)
        one.wait()

    return Contest(partial(per_call, lambda: one.take(wanted), between=leave))


def _changes(family: ProtocolFamily, number: int) -> Contest:
    one = OneGroup(family)
    more = number // 2 * 2
    both = [one.wants(sources(family, number)), one.wants(sources(family, number, [more]))]
    one.take(both[1])
    one.wait()
    turns = cycle(both)
    return Contest(partial(per_call, lambda: one.take(next(turns)), between=one.wait))


def _answers(family: ProtocolFamily, number: int) -> Contest:
    one = OneGroup(family)
    one.take(one.wants(sources(family, number)))
    one.wait()
    query = one.query()

    def answer() -> None:
        one.take(query)
        one.wait()

    return Contest(partial(per_call, answer))


def per_call(
    call: Callable[[], object], seconds: float, *, between: Callable[[], object] = lambda: None
) -> float:
    """Microseconds of this thread for one call; what goes on between two does not count."""
    spent = calls = 0
    while spent < seconds * 1e9 or not calls:
        start = thread_time_ns()
        call()
        spent += thread_time_ns() - start
        calls += 1
        between()
    return spent / calls / 1e3
