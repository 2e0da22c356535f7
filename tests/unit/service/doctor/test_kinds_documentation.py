"""The kinds of findings are a promise: each stands in the manual, and the manual names no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from mcastd.service.faults import Fault

ROOT = Path(__file__).parents[4]
SOURCES = (
    *(ROOT / "agent" / "mcastd" / "service" / "doctor").glob("*.py"),
    ROOT / "agent" / "mcastd" / "service" / "namespaces" / "gathering.py",
)
MAKERS = {"Finding": 0, "note": 0, "made": 0, "finding": 0}
KIND = re.compile(r"[a-z][a-z_]+")


def kinds_of(path: Path) -> set[str]:
    """All texts that are given as a kind."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MAKERS and node.args:
            first = node.args[0]
            branches = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
            found |= {
                each.value
                for each in branches
                if isinstance(each, ast.Constant) and isinstance(each.value, str)
            }
    return {each for each in found if KIND.fullmatch(each)}


def test_each_kind_stands_in_the_manual_and_no_other() -> None:
    made = {kind for path in SOURCES for kind in kinds_of(path)}
    manual = (ROOT / "deploy" / "man" / "mcastctl.1").read_text()
    listed = manual.partition("The kinds: ")[2].partition(".\n.IP")[0]
    listed = listed.replace(r"fault_\fIOF\fP", "").partition("(of ")[0] + listed.partition(")")[2]
    told = set(re.findall(r"[a-z]+(?:_[a-z]+)*", listed)) - {"and"}
    assert made == told
    assert {each.value for each in Fault} - {"state_file"} <= set(re.findall(r"[a-z_]+", manual))


LAB = ROOT / "tests" / "lab"

TOLD_BY_THEIR_TEXT = {
    "speaks_above_cap", "unlisted_querier",
}  # fmt: skip
"""The lab makes them, and looks for them by what they say (`test_host_mode_whose.py`,
`test_hostile_link.py`)."""


def looked_for(path: Path) -> set[str]:
    """All kinds for which a test asks doctor, by name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and called(node) in ("diagnosed", "of_kind", "found_while"):
            found |= texts(node.args)
        elif isinstance(node, ast.Compare) and (
            "kind" in texts([node.left]) or "faults" in ast.dump(node.left)
        ):
            found |= texts(node.comparators)
    return found


def called(node: ast.Call) -> str:
    """The name of a function or a method."""
    return str(getattr(node.func, "attr", "") or getattr(node.func, "id", ""))


def texts(nodes: list[ast.expr]) -> set[str]:
    return {
        each.value
        for node in nodes
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def test_each_kind_is_made_in_the_lab_and_found_by_its_name() -> None:
    made = {kind for path in SOURCES for kind in kinds_of(path)}
    sought = {kind for path in LAB.glob("test_*.py") for kind in looked_for(path)}
    assert made - sought == TOLD_BY_THEIR_TEXT
