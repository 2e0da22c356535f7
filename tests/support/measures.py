"""Measures the code: sizes of files and functions, `Any`, comments, circles, repeated lines.

    PYTHONPATH=tests .venv/bin/python -m support.measures [ROOT] [--coverage FILE]

prints a table. `--coverage`: what `coverage json` wrote of a run of the tests that need no root.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
PACKAGE = "agent/mcastd"
PARTS = {
    "all Python of the package": (PACKAGE,),
    "gmp and wire": (f"{PACKAGE}/gmp", f"{PACKAGE}/wire"),
    "service": (f"{PACKAGE}/service",),
    "tests": ("tests",),
}
C_PARTS = {"native C": "native", "bpf C": "bpf"}

COMPLEX = 10
"""Decisions in a function, above which it is counted."""

BLOCK = 6
"""Lines in a row that must be the same elsewhere to count as repeated."""

BRANCHES = (
    ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.comprehension,
    ast.match_case, ast.Assert,
)  # fmt: skip

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Measured:
    """What was counted in some files."""

    files: list[int] = field(default_factory=list)
    functions: dict[str, int] = field(default_factory=dict)
    complexity: list[int] = field(default_factory=list)
    comments: int = 0
    code: int = 0
    any: int = 0
    ignores: int = 0
    public: int = 0
    documented: int = 0

    def add(self, path: Path) -> None:
        text = path.read_text()
        tree = ast.parse(text)
        lines = text.splitlines()
        self.files.append(len(lines))
        remarks = remark_lines(lines, tree)
        self.comments += len(remarks)
        self.code += sum(bool(line.strip()) for line in lines) - len(remarks)
        self.ignores += text.count("# type: ignore")
        for node in ast.walk(tree):
            self.any += isinstance(node, ast.Name) and node.id == "Any"
            if isinstance(node, Function):
                self._function(path, node)
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
                self.public += 1
                self.documented += ast.get_docstring(node) is not None

    def _function(self, path: Path, node: Function) -> None:
        assert node.end_lineno is not None
        self.functions[f"{path.name}: {node.name}"] = node.end_lineno - node.lineno + 1
        decisions = (
            len(each.values) - 1 if isinstance(each, ast.BoolOp) else isinstance(each, BRANCHES)
            for each in ast.walk(node)
        )
        self.complexity.append(1 + sum(decisions))


def remark_lines(lines: list[str], tree: ast.AST) -> set[int]:
    """Lines of comments and docstrings, also of those behind a constant."""
    found = {number for number, line in enumerate(lines, 1) if line.lstrip().startswith("#")}
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_text and isinstance(node.value.value, str):  # type: ignore[attr-defined]
            found |= set(range(node.lineno, node.end_lineno + 1))  # type: ignore[attr-defined]
    return found


def python_files(root: Path, folders: Iterable[str]) -> list[Path]:
    return sorted(path for folder in folders for path in (root / folder).rglob("*.py"))


def measured(root: Path, folders: Iterable[str]) -> Measured:
    made = Measured()
    for path in python_files(root, folders):
        made.add(path)
    return made


def percentile(values: Iterable[int], share: float) -> int:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0


# C: a function begins at the margin and ends with a brace there.


def c_functions(text: str) -> Iterator[tuple[str, int]]:
    begun, name = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("{") and name:
            begun = number
        elif line.startswith("}") and begun:
            yield name, number - begun + 1
            begun, name = 0, ""
        elif found := re.match(r"[a-zA-Z_].*?\b(\w+)\(", line):
            name = found[1]
            begun = number if line.rstrip().endswith("{") else 0


# Circles: modules that import one another when they are imported.


def imports(root: Path) -> dict[str, set[str]]:
    """By module, the modules of the package that its import needs, or a function of it takes."""
    modules = {module_of(root, path): path for path in python_files(root, [PACKAGE])}
    return {
        name: {each for each in imported(ast.parse(path.read_text()), modules) if each != name}
        for name, path in modules.items()
    }


def module_of(root: Path, path: Path) -> str:
    parts = path.relative_to(root / "agent").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST, modules: Container[str]) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        package = node.module if isinstance(node, ast.ImportFrom) else None
        if isinstance(node, ast.ImportFrom) and package is not None and package in modules:
            inner = [f"{package}.{each.name}" for each in node.names]
            yield from (each if each in modules else package for each in inner)
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in modules)
        yield from imported(node, modules)


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Modules that can reach one another, in groups of more than one."""
    reach = {each: reachable(graph, each) for each in graph}
    found: list[set[str]] = []
    for each in graph:
        if not any(each in group for group in found):
            group = {other for other in reach[each] if each in reach[other]}
            found += [group | {each}] if group - {each} else []
    return found


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            waiting += graph[each]
    return seen


# Repeated lines.


def repeated(root: Path) -> tuple[int, int]:
    """Lines in blocks that stand more than once, and all lines that say something."""
    places: defaultdict[tuple[str, ...], list[tuple[Path, int]]] = defaultdict(list)
    total = 0
    sources = [*(root / "native").glob("*.[ch]"), *(root / "bpf").glob("*.[ch]")]
    for path in [*python_files(root, [PACKAGE]), *sources]:
        lines = [(n, line.strip()) for n, line in enumerate(path.read_text().splitlines())]
        kept = [(n, line) for n, line in lines if is_telling(line)]
        total += len(kept)
        for i in range(len(kept) - BLOCK + 1):
            block = kept[i : i + BLOCK]
            places[tuple(line for _, line in block)].append((path, i))
    twice: set[tuple[Path, int]] = set()
    for found in places.values():
        if len(found) > 1:
            twice |= {(path, i + step) for path, i in found for step in range(BLOCK)}
    return len(twice), total


def is_telling(line: str) -> bool:
    """Not an import, a bracket or a comment: those are alike everywhere."""
    return len(line) > 3 and not line.startswith(("from ", "import ", "#", "/*", "* ", "@", '"""'))


# What no test without root runs.


def unexecuted(coverage: Path, folder: str) -> tuple[int, int]:
    """Lines that were not executed, and all that can be."""
    files = json.loads(coverage.read_text())["files"]
    found: Counter[str] = Counter()
    for name, each in files.items():
        if f"/{folder}/" in f"/{name}":
            found["missing"] += each["summary"]["missing_lines"]
            found["all"] += each["summary"]["num_statements"]
    return found["missing"], found["all"]


HEAD = (
    "part", "files", "lines", "file med/max", "functions", "med/p90/max", "comments",
    "public with docstring", "Any per 1,000 lines", "type: ignore", "complexity p90, over 10",
)  # fmt: skip


def row(name: str, part: Measured) -> tuple[object, ...]:
    lengths = list(part.functions.values())
    over = sum(each > COMPLEX for each in part.complexity)
    return (
        name,
        len(part.files),
        sum(part.files),
        f"{median(part.files):.0f} / {max(part.files)}",
        len(lengths),
        f"{median(lengths):.0f} / {percentile(lengths, 0.9)} / {max(lengths)}",
        f"{part.comments / (part.comments + part.code):.0%}",
        f"{part.documented / part.public:.0%}",
        f"{1000 * part.any / part.code:.1f}",
        part.ignores,
        f"{percentile(part.complexity, 0.9)}, {over}",
    )


def c_row(root: Path, name: str, folder: str) -> tuple[object, ...]:
    texts = [path.read_text() for path in sorted((root / folder).glob("*.[ch]"))]
    sizes = [len(text.splitlines()) for text in texts]
    lengths = [length for text in texts for _, length in c_functions(text)]
    return (
        name, len(sizes), sum(sizes), f"{median(sizes):.0f} / {max(sizes)}", len(lengths),
        f"{median(lengths):.0f} / {percentile(lengths, 0.9)} / {max(lengths)}",
        *["-"] * 5,
    )  # fmt: skip


def report(root: Path, coverage: Path | None = None) -> Iterator[str]:
    yield f"| {' | '.join(HEAD)} |"
    yield "|" + "---|" * len(HEAD)
    parts = {name: measured(root, folders) for name, folders in PARTS.items()}
    rows = [row(name, part) for name, part in parts.items()]
    rows += [c_row(root, name, folder) for name, folder in C_PARTS.items()]
    for each in rows:
        yield f"| {' | '.join(map(str, each))} |"
    yield ""
    functions = parts["all Python of the package"].functions.items()
    longest = sorted(functions, key=lambda item: -item[1])[:3]
    yield "- Longest functions: " + ", ".join(f"{name} ({size})" for name, size in longest)
    found = circles(imports(root))
    yield f"- Circles of imports: {len(found)}" + "".join(f"; {sorted(each)}" for each in found)
    twice, lines = repeated(root)
    yield f"- Lines in blocks of {BLOCK} that stand twice: {1000 * twice / lines:.2f} of 1,000"
    if coverage is not None:
        missing, possible = unexecuted(coverage, f"{PACKAGE}/service")
        share = missing / possible
        yield f"- Lines of service that no test without root runs: {share:.0%} of {possible}"


def main() -> None:
    arguments = sys.argv[1:]
    coverage = None
    if "--coverage" in arguments:
        at = arguments.index("--coverage")
        coverage = Path(arguments[at + 1])
        del arguments[at : at + 2]
    for line in report(Path(arguments[0]) if arguments else ROOT, coverage):
        print(line)


if __name__ == "__main__":
    main()
