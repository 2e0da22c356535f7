"""Lays out plain tables, and writes cells for times and for nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as they must be, two spaces between them."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def ago(at: float | None) -> str:
    """How long ago a time of day was."""
    return "-" if at is None else f"{max(0.0, time.time() - at):.0f} s ago"


def dash(value: object) -> str:
    return "-" if value is None else str(value)


def seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g} s"
