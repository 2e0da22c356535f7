"""What docs/architecture.md names is there: files, functions, classes and methods."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/]+\.(?:py|h|c)):([\w.]+)`", PAGE)))
MADE = {"bpf/prebuilt/"}
"""By `mcastd build-cache`; not in a fresh tree."""

FILES = sorted(set(re.findall(r"`((?:agent|extras|bpf|native|tests|docs)/[\w/.*]+)`", PAGE)) - MADE)


def path_of(name: str) -> Path:
    folder = ROOT if name.startswith(("bpf/", "native/", "tests/")) else ROOT / "agent" / "mcastd"
    return folder / name


def names_in(path: Path) -> set[str]:
    """Functions, classes and `Class.method` of a Python file; functions of a C file."""
    text = path.read_text()
    if path.suffix != ".py":
        return set(re.findall(r"\b(\w+)\(", text))
    found: set[str] = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (ast.FunctionDef, ast.AsyncFunctionDef)
            found |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, methods)}
    return found


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda part: part)
def test_what_is_named_is_there(file: str, name: str) -> None:
    assert name in names_in(path_of(file))


def test_many_are_named() -> None:
    assert len(NAMED) > 30


@pytest.mark.parametrize("name", FILES)
def test_files_and_folders_are_there(name: str) -> None:
    assert list(ROOT.glob(name))
