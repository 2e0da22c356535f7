"""A report as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

UNITS = {"ns": [(1e9, "s"), (1e6, "ms"), (1e3, "us"), (1, "ns")]}


INDENT = "    "


def table(report: dict[str, Any]) -> str:
    """A line for each row: our figure, and of each baseline its figure and how many times better
    ours is (below 1: worse). Below it what else there is to say."""
    cells = [_cells(result) for result in report["results"]]
    widths = [max(map(len, column)) for column in zip(*((a, b) for a, b, _ in cells), strict=True)]
    lines = []
    for (name, value, rest), result in zip(cells, report["results"], strict=True):
        lines.append(f"{name:<{widths[0]}}  {value:>{widths[1]}}  {'  '.join(rest)}".rstrip())
        lines += [f"{INDENT}{each}" for each in result.get("said", ())]
    return "\n".join(lines)


def _cells(result: dict[str, Any]) -> tuple[str, str, list[str]]:
    if result["value"] is None:
        why = "failed: " + result["failed"] if "failed" in result else result["skipped"]
        return result["name"], "-", [f"not measured: {why}"]
    return result["name"], _figure(result["value"], result["unit"]), list(_baselines(result))


def _baselines(result: dict[str, Any]) -> Iterable[str]:
    for name, figure in result["baseline"].items():
        ratio = result["ratio"][name]
        times = ratio if result["better"] == "larger" else 1 / ratio
        yield f"{name} {_figure(figure, result['unit'])} ({times:.3g}x)"
    for name, reason in result["missing"].items():
        yield f"{name}: {reason}"


def _figure(value: float, unit: str) -> str:
    for size, name in UNITS.get(unit, []):
        if value >= size:
            return f"{value / size:.3g} {name}"
    return f"{value:.3g} {unit}" if value < 1e3 else f"{value:,.0f} {unit}"
