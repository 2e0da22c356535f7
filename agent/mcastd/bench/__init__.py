"""The benchmarks: every figure beside those of what one would otherwise use, from the same run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mcastd.bench import registry
from mcastd.bench.machine import machine
from mcastd.bench.measure import FULL, QUICK, measure, undisturbed
from mcastd.bench.progress import told_to
from mcastd.bench.registry import UnknownName
from mcastd.bench.report import table

__all__ = ["UnknownName", "run", "table"]


def run(
    names: Sequence[str], quick: bool, progress: Callable[[str], object] = lambda line: None
) -> dict[str, Any]:
    """Measures the rows of these names, or all, and returns the report of `build/bench.json`.

    `quick` is for less than a minute, with more noise, and without the largest rows if none is
    named. `progress` is told about each row before
    it is measured, and meanwhile if that takes long. UnknownName if there is no such row.
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
            results.append(measure(row, QUICK if quick else FULL))
    return {"machine": about, "results": results}
