"""docs/supported.md: what was tried on which kernels, drivers and kinds of interface, and held.

Tests record rows in build/supported/ as they hold; `make supported` takes them over into
docs/supported.json, where a row replaces the one of the same key, and writes the page from it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDED = REPOSITORY / "build" / "supported"
KEPT = REPOSITORY / "docs" / "supported.json"
PAGE = REPOSITORY / "docs" / "supported.md"

Row = dict[str, str]
Table = dict[str, list[Row]]
"""Rows by section."""


class Section(NamedTuple):
    """A table of the page. The first `key` columns say which row it is."""

    title: str
    about: str
    columns: tuple[str, ...]
    key: int


SECTIONS = {
    "kernels": Section(
        "Kernels",
        "Debian's, in a virtual machine. `in` and `out` are the hooks that were chosen on veth.",
        ("kernel", "release", "in", "out", "modes", "tried"),
        1,
    ),
    "verifier": Section(
        "The verifier's work",
        "Instructions that it walked through, of a million at most, of what Debian 12's bcc makes. "
        "A test fails when they grow by a tenth and this table does not say so. The time is that "
        "of a machine without KVM.",
        ("program", "kernel", "instructions", "ms"),
        2,
    ),
    "compilers": Section(
        "Compilers",
        "The same bytecode is loaded on every kernel.",
        ("compiler", "of", "loads on"),
        1,
    ),
    "drivers": Section(
        "Drivers",
        "Two NICs on one wire, in a virtual machine.",
        ("driver", "kernel", "in", "out", "modes", "tried"),
        2,
    ),
    "kinds": Section(
        "Kinds of interface",
        "Each on the real thing.",
        ("kind", "kernel", "in", "out", "modes", "tried"),
        2,
    ),
}

HEAD = """\
# Where it was tried

Written by the tests (`make kernels`, `make supported`) and not by hand: what stands here was run
and held. What is not here was not tried.
"""


def key_of(section: str, row: Row) -> tuple[str, ...]:
    found = SECTIONS[section]
    return tuple(row[each] for each in found.columns[: found.key])


def record(section: str, row: Row, where: Path = RECORDED) -> None:
    """Keeps what a test saw hold, until it is taken over. ValueError for another set of columns."""
    if set(row) != set(SECTIONS[section].columns):
        raise ValueError(f"{section}: the columns are {', '.join(SECTIONS[section].columns)}")
    where.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9.]+", "-", "-".join((section, *key_of(section, row))).lower())
    (where / f"{name}.json").write_text(json.dumps({section: [row]}))


def numbers(text: str) -> list[tuple[int, str]]:
    """By which rows are ordered: 6.2 before 6.12, and words by their letters."""
    parts = re.findall(r"\d+|\D+", text)
    return [(int(each), "") if each.isdigit() else (-1, each) for each in parts]


def merged(tables: Iterable[Table]) -> Table:
    """Of rows of the same key the last one's; ordered by their keys."""
    rows: dict[str, dict[tuple[str, ...], Row]] = {name: {} for name in SECTIONS}
    for table in tables:
        for section, found in table.items():
            rows[section] |= {key_of(section, row): row for row in found}
    return {
        name: sorted(found.values(), key=lambda row: [*map(numbers, key_of(name, row))])
        for name, found in rows.items()
        if found
    }


def rendered(table: Table) -> str:
    """The page."""
    parts = [HEAD]
    for name, section in SECTIONS.items():
        if name in table:
            lines = [section.columns, ("---",) * len(section.columns)]
            lines += [tuple(row[each] for each in section.columns) for row in table[name]]
            body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
            parts.append(f"## {section.title}\n\n{section.about}\n\n{body}\n")
    return "\n".join(parts)


def kept() -> Table:
    """What the page was written from."""
    table: Table = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return table


def recorded(section: str, where: Path = RECORDED) -> list[Row]:
    """What tests have recorded in this checkout, oldest first."""
    files = sorted(where.glob("*.json"), key=lambda each: each.stat().st_mtime)
    return [row for each in files for row in json.loads(each.read_text()).get(section, [])]


def main() -> int:
    """Takes over what was recorded, and writes the page."""
    files = list(RECORDED.glob("*.json"))
    table = merged([kept(), {section: recorded(section) for section in SECTIONS}])
    KEPT.write_text(json.dumps(table, indent=1) + "\n")
    PAGE.write_text(rendered(table))
    print(rendered(table))
    print(
        f"{PAGE}: {sum(map(len, table.values()))} rows, {len(files)} of them new", file=sys.stderr
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
