"""Which requirement of the protocol is covered by which scenarios and tests.

`requirements.yaml` beside this file names them all. A scenario covers what its name begins with, a
test what `@pytest.mark.requirement("RTX-01", ...)` names. Run this file to write
`docs/conformance.md` anew.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

TESTS = Path(__file__).parent.parent
TABLE = TESTS.parent / "docs" / "conformance.md"

_IDENTIFIER = re.compile(
    r"\b(?:MF|FP|IN|EXC|API|ST|RTX|Q[123]|ML|CS|SP|CV|TUN|TX|PK|TM|CT|SSM|LNX)-\d\d\b"
)
_NAME = re.compile(r"^name: (.*)$", re.MULTILINE)

_HEAD = """\
# Conformance

What `mcastd` must do as a host, and which cases show that it does. Written by
`python tests/support/requirements.py`; a test fails when it is out of date.

A case is a scenario (`mcastd simulate --check tests/conformance/FILE.yaml` runs it) or a test. What
has no case here says why.
"""


@dataclass(frozen=True)
class Requirement:
    """`untested` is the reason why no case is here."""

    identifier: str
    title: str
    section: str
    untested: str = ""


def requirements() -> list[Requirement]:
    sections: Mapping[str, Mapping[str, Any]] = yaml.safe_load(
        Path(__file__).with_suffix(".yaml").read_text()
    )
    return [
        _requirement(identifier, entry, section)
        for section, entries in sections.items()
        for identifier, entry in entries.items()
    ]


def _requirement(identifier: str, entry: str | Mapping[str, str], section: str) -> Requirement:
    if isinstance(entry, str):
        return Requirement(identifier, entry, section)
    return Requirement(identifier, entry["title"], section, entry["untested"])


def named_in(text: str) -> list[str]:
    """The requirements that a text names."""
    return _IDENTIFIER.findall(text)


def scenarios() -> Iterator[tuple[str, str]]:
    """Requirement and the file of each scenario that names it."""
    for path in sorted((TESTS / "conformance").glob("*.yaml")):
        for name in _NAME.findall(path.read_text()):
            for identifier in dict.fromkeys(named_in(name)):
                yield identifier, path.name


def tests() -> Iterator[tuple[str, str]]:
    """Requirement and the name of each test that names it, as `file::test`."""
    for path in sorted(TESTS.rglob("test_*.py")):
        module = ast.parse(path.read_text())
        of_all = [each for node in module.body if _is_pytestmark(node) for each in _marks(node)]
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for identifier in dict.fromkeys([*of_all, *_named_by(node)]):
                    yield identifier, f"{path.relative_to(TESTS)}::{node.name}"


def _named_by(function: ast.FunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        yield from _marks(decorator)


def _marks(node: ast.AST) -> list[str]:
    written = ast.unparse(node)
    return named_in(written) if "mark.requirement" in written else []


def _is_pytestmark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"


def table() -> str:
    """`docs/conformance.md`."""
    in_scenarios: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for identifier, file in scenarios():
        in_scenarios[identifier][file] = in_scenarios[identifier].get(file, 0) + 1
    in_tests: defaultdict[str, list[str]] = defaultdict(list)
    for identifier, name in tests():
        in_tests[identifier].append(name)
    lines = [_HEAD]
    for section, entries in groupby(requirements(), key=lambda each: each.section):
        lines += [f"## {section}\n", "| | requirement | scenarios | tests |", "|---|---|---|---|"]
        lines += [_row(e, in_scenarios[e.identifier], in_tests[e.identifier]) for e in entries]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _row(requirement: Requirement, files: Mapping[str, int], names: list[str]) -> str:
    shown = ", ".join(f"{file} ({count})" for file, count in files.items())
    if requirement.untested and not files and not names:
        shown = f"*none: {requirement.untested}*"
    said = "<br>".join(name.replace("::", "::<wbr>") for name in names)
    return f"| {requirement.identifier} | {requirement.title} | {shown} | {said} |"


def uncovered() -> list[str]:
    """Requirements with neither a case nor a reason."""
    covered = {identifier for identifier, _ in (*scenarios(), *tests())}
    return [
        each.identifier
        for each in requirements()
        if each.identifier not in covered and not each.untested
    ]


def unknown() -> set[str]:
    """What cases name and no list has."""
    known = {each.identifier for each in requirements()}
    return {identifier for identifier, _ in (*scenarios(), *tests())} - known


if __name__ == "__main__":
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(table())
