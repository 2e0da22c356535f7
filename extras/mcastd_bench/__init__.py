"""The benchmarks: every figure beside those of what one would otherwise use, from the same run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mcastd_lab import LabError

from mcastd_bench import registry
from mcastd_bench.machine import machine
from mcastd_bench.measure import FULL, QUICK, Effort, measure, undisturbed, unmeasured
from mcastd_bench.progress import told_to
from mcastd_bench.registry import UnknownName
from mcastd_bench.report import table
from mcastd_bench.row import Row

__all__ = ["UnknownName", "run", "table"]


def run(
    names: Sequence[str], quick: bool, progress: Callable[[str], object] = lambda line: None
) -> dict[str, Any]:
    """Measures the rows of these names, or all, and returns the report of `build/bench.json`.

    `quick` is for less than a minute, with more noise, and without the largest rows if none is
    named. `progress` is told about each row before it is measured, meanwhile if that takes long,
    and if it failed: then the others are measured all the same. UnknownName if there is no such
    row.
    """
    rows = registry.rows(names)
    if quick and not names:
        every, rows = rows, [row for row in rows if not registry.is_large(row)]
        if len(rows) < len(every):
            progress(f"{len(every) - len(rows)} rows that take long are left out: name them")
    results = []
    with undisturbed() as cpu, told_to(progress):
        about = machine() | {"pinned_to": cpu, "quick": quick}
        for number, row in enumerate(rows, 1):
            progress(f"[{number}/{len(rows)}] {row.name}")
            results.append(measured(row, QUICK if quick else FULL, progress))
    return {"machine": about, "results": results}


def measured(row: Row, effort: Effort, progress: Callable[[str], object]) -> dict[str, Any]:
    """The row's result, which is none, and why, if a check of its own has failed."""
    try:
        return measure(row, effort)
    except (RuntimeError, LabError, OSError) as why:
        progress(f"{row.name}: failed: {why}")
        return unmeasured(row) | {"failed": str(why)}
