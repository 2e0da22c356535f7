"""All rows there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

from mcastd_bench import (
    checksums,
    engine,
    engine_sources,
    engine_turns,
    filter_change,
    flood,
    handover,
    joined_sockets,
    live,
    scale,
    source_lists,
    startup,
    streams,
    xdp,
)
from mcastd_bench.row import Row

SUITES: list[Callable[[], Iterable[Row]]] = [
    source_lists.rows,
    checksums.rows,
    engine.rows,
    engine_sources.rows,
    engine_turns.rows,
    filter_change.rows,
    xdp.rows,
    streams.rows,
    live.rows,
    flood.rows,
    handover.rows,
    joined_sockets.rows,
    startup.rows,
    scale.rows,
]
"""Functions that return rows, in the order in which they are measured."""


class UnknownName(ValueError):
    """No row has this name."""


def rows(names: Sequence[str] = ()) -> list[Row]:
    """The rows of these names, or all without any.

    A name stands for the rows below it, up to a dot or slash, and may be a pattern:
    `source_lists`, `source_lists.union/4096`, `*/v4/dense`. UnknownName if one fits no row.
    """
    every = [row for suite in SUITES for row in suite()]
    for name in names:
        if not any(_fits(row.name, name) for row in every):
            known = sorted({row.name.partition("/")[0] for row in every})
            raise UnknownName(f"no benchmark is called {name}; there are {', '.join(known)}")
    return [row for row in every if not names or any(_fits(row.name, name) for name in names)]


def _fits(row_name: str, name: str) -> bool:
    below = (f"{name}/", f"{name}.")
    return row_name == name or row_name.startswith(below) or fnmatchcase(row_name, name)


LARGE = (
    "*/1000000/*",
    "*/100000",
    "*/100000/v6",
    "*/4096x64*",
    "flood/compatible",
    "startup/memory",
    "joined.*/10000/*",
    "scale.memory/*",
    "scale.*/8",
)
"""Rows that take many seconds to be prepared, or say little that others do not say as well."""


def is_large(row: Row) -> bool:
    """Whether a quick run leaves it out, unless it is asked for."""
    return any(fnmatchcase(row.name, each) for each in LARGE)
