"""The reference of metrics: from the places in the code that make them, read and not run.

A scrape has only what there is at the moment; the code has all.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import mcastd

from support.pages.tables import code, list_of, table

SERVICE = Path(mcastd.__file__).parent / "service"

KINDS = {
    "CounterMetricFamily": "counter",
    "GaugeMetricFamily": "gauge",
    "HistogramMetricFamily": "histogram",
}

HEAD = """# Every metric

Made of the code that answers a scrape. Every series of a named network namespace has the label
`namespace` besides. A counter of an interface goes on while its name is known. Labels are
bounded: nobody on the link can make a series, unless `metrics.querier_address` is set;
`metrics.per_group` and `metrics.per_stream` ([every setting](../configuration.md)) say how many
groups and streams have series of their own.
"""


class Family(NamedTuple):
    """`labels` in brackets are there only if a setting says so."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...]

    @property
    def usual(self) -> set[str]:
        """The labels that are always there."""
        return {each for each in self.labels if not each.startswith("[")}


@cache
def families() -> tuple[Family, ...]:
    found = [
        family
        for path in sorted(SERVICE.rglob("*.py"))
        if any(kind in path.read_text() for kind in KINDS)
        for family in families_of(path)
    ]
    return tuple(sorted(set(found)))


def families_of(path: Path) -> Iterator[Family]:
    name = ".".join(path.relative_to(SERVICE).with_suffix("").parts)
    module = importlib.import_module(f"mcastd.service.{name}")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield from families_in(node, module)


def families_in(function: ast.FunctionDef, module: ModuleType) -> Iterator[Family]:
    names = dict(vars(module))
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.List | ast.IfExp):
                names[node.targets[0].id] = labels_of(value, names)
    loops = [node for node in ast.walk(function) if isinstance(node, ast.For)]
    in_loops = set()
    for loop in loops:
        calls = list(calls_in(loop))
        if calls:
            in_loops |= set(calls)
            for values in evaluated(loop.iter, names):
                bound = zip(ast.walk(loop.target), [None, *values], strict=False)
                here = {each.id: value for each, value in bound if isinstance(each, ast.Name)}
                yield from (family(call, names | here) for call in calls)
    yield from (family(call, names) for call in calls_in(function) if call not in in_loops)


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    for inner in ast.walk(node):
        called = inner.func if isinstance(inner, ast.Call) else None
        if isinstance(inner, ast.Call) and isinstance(called, ast.Name) and called.id in KINDS:
            yield inner


def family(call: ast.Call, names: Mapping[str, Any]) -> Family:
    assert isinstance(call.func, ast.Name)
    kind = KINDS[call.func.id]
    name, text = (evaluated(each, names) for each in call.args[:2])
    labels = next((each.value for each in call.keywords if each.arg == "labels"), None)
    total = "_total" if kind == "counter" else ""
    shown = labels_of(labels, names) if labels is not None else []
    return Family(name + total, kind, text, tuple(shown))


def labels_of(node: ast.expr, names: Mapping[str, Any]) -> list[str]:
    """Of two lists, what only the first has is in brackets."""
    if isinstance(node, ast.IfExp):
        more, usual = labels_of(node.body, names), labels_of(node.orelse, names)
        return [each if each in usual else f"[{each}]" for each in more]
    try:
        return list(evaluated(node, names))
    except NameError:
        return []


def evaluated(node: ast.expr, names: Mapping[str, Any]) -> Any:
    return eval(compile(ast.Expression(node), "<metrics>", "eval"), dict(names))


def page() -> str:
    rows = [[code(each.name), each.kind, list_of(each.labels), each.text] for each in families()]
    return "\n".join([HEAD, *table(("metric", "type", "labels", "what it is"), rows)]) + "\n"
