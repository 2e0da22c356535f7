"""How long the engine keeps the loop, when something concerns all groups: the longest single turn.

As the service runs it, which has it look at so many groups in a turn and no more. The sum of all
turns is a row of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from mcastd.gmp.events import Event, LinkDown, LinkUp
from mcastd.gmp.family import FAMILIES, ProtocolFamily
from mcastd.gmp.time import Duration, after, seconds
from mcastd.service.engine import AT_ONCE

from mcastd_bench.engine import HeldGroups, cpu_time
from mcastd_bench.row import Contest, Row

HELD = [100, 1000, 10_000, 100_000]

Begin = Callable[[HeldGroups], list[Event]]
"""What happens; the last event is the one that is measured, with all that follows from it."""


def rows() -> Iterable[Row]:
    for family, suffix in zip(FAMILIES.values(), ("", "/v6"), strict=True):
        for name, begin in (("link_up", link_up), ("older_general_query", older_query)):
            for held in HELD:
                for kind, figure in (("sum", sum), ("longest_turn", max)):
                    prepare = partial(_turns, family, held, begin, figure)
                    yield Row(f"engine.{name}.{kind}/{held}{suffix}", "ms", prepare)


def link_up(_state: HeldGroups) -> list[Event]:
    return [LinkDown(), LinkUp()]


def older_query(state: HeldGroups) -> list[Event]:
    return [state.query(state.family.newest - 1)]


def _turns(
    family: ProtocolFamily, held: int, begin: Begin, figure: Callable[[list[int]], int]
) -> Contest:
    state = HeldGroups(family, held, at_once=AT_ONCE)

    def sample(_seconds: float) -> float:
        *before, event = begin(state)
        for each in before:
            state.host.handle(state.now, each)
        turns = [cpu_time(lambda: state.host.handle(state.now, event)), *rest(state)]
        state.now = after(state.now, Duration(seconds(20)))  # all that was put off is due by then
        turns += rest(state)
        state.settle()
        return figure(turns) / 1e6

    return Contest(sample)


def rest(state: HeldGroups) -> Iterable[int]:
    """The turns that it takes until nothing is due."""
    while state.is_due():
        yield cpu_time(lambda: state.host.advance(state.now))
