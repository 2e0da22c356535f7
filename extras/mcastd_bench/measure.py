"""Measures a row: everybody in turn, several times, on one processor."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

from mcastd_bench.row import Missing, Row, Sampler, Unavailable

OURS = "mcastd"


@dataclass(frozen=True, slots=True)
class Effort:
    """How often everybody is measured, for how many seconds each time, and for how many in all.

    A row that has taken longer ends after the round in which everybody was measured once.
    `once_seconds` is for what is measured once only.
    """

    rounds: int
    seconds: float
    most_seconds: float
    once_seconds: float


FULL = Effort(rounds=7, seconds=0.04, most_seconds=15, once_seconds=60)
QUICK = Effort(rounds=3, seconds=0.004, most_seconds=0.3, once_seconds=1)


@contextmanager
def undisturbed() -> Iterator[int]:
    """Stays on one processor, the last allowed, and collects no garbage. Yields its number."""
    allowed = os.sched_getaffinity(0)
    cpu = max(allowed)
    collecting = gc.isenabled()
    os.sched_setaffinity(0, {cpu})
    gc.disable()
    try:
        yield cpu
    finally:
        if collecting:
            gc.enable()
        os.sched_setaffinity(0, allowed)


def measure(row: Row, effort: Effort) -> dict[str, Any]:
    """The row's result, as interfaces name it.

    Beyond those keys: `baseline_runs` has the spread of each baseline; `missing` says which
    baselines could not be measured, and why; `skipped` why the row could not be, `failed` why it is
    wrong. `details` are
    other figures of the same measurement, and `said` is what they come to.
    """
    try:
        contest = row.prepare()
    except Unavailable as why:
        return unmeasured(row) | {"skipped": str(why)}
    try:
        there = {k: v for k, v in contest.baselines.items() if not isinstance(v, Missing)}
        samplers = {OURS: contest.ours, **there}
        if row.once:
            runs = {name: [sampler(effort.once_seconds)] for name, sampler in samplers.items()}
        else:
            runs = _in_turn(samplers, effort)
        details = contest.details(effort.once_seconds)
    finally:
        contest.close()
    ours = runs.pop(OURS)
    baseline = {name: median(figures) for name, figures in runs.items()}
    value = median(ours)
    return unmeasured(row) | {
        "value": value,
        "runs": ours,
        "baseline": baseline,
        "ratio": {name: value / figure for name, figure in baseline.items()},
        "baseline_runs": runs,
        "missing": {k: v.reason for k, v in contest.baselines.items() if isinstance(v, Missing)},
        "details": dict(details.figures),
        "said": list(details.said),
    }


def unmeasured(row: Row) -> dict[str, Any]:
    """The result of a row that has no figure."""
    head = {"name": row.name, "unit": row.unit, "better": row.better.value}
    return head | {"value": None, "runs": [], "baseline": {}, "ratio": {}}


def _in_turn(samplers: dict[str, Sampler], effort: Effort) -> dict[str, list[float]]:
    """Back and forth through all of them.

    A first round to warm up does not count, unless it takes all the time there is.
    """
    order = list(samplers)
    end = perf_counter() + effort.most_seconds
    runs = {name: [samplers[name](effort.seconds / 4)] for name in order}
    if perf_counter() > end:
        return runs
    runs = {name: [] for name in order}
    for _ in range(effort.rounds):
        for name in order:
            runs[name].append(samplers[name](effort.seconds))
        order.reverse()
        if perf_counter() > end:
            break
    return runs
